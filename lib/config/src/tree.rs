//! YAML text into trees that know where everything stood.
//!
//! Owns the limits: depth, documents, and what aliases may expand to. Explicit tags, merge keys
//! and keys that are not plain text are refused, so a tree says all there is to say. A typed reader
//! straight on the parser would be shorter, but forgets positions before the documents are checked
//! against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_yaml::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, Span};

use crate::node::{Entry, MAX_WEIGHT, Node, Value};
use crate::problem::{Place, Position, looks_secret};
use crate::{MAX_DEPTH, MAX_DOCUMENTS, syntax};

/// A document of a stream.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) node: Arc<Node>,
    /// The line it begins in, that with `---` where there is one.
    pub(crate) line: usize,
}

/// Why a text is no list of trees.
#[derive(Debug)]
pub(crate) struct TreeError {
    pub(crate) position: Position,
    pub(crate) message: String,
    pub(crate) help: Option<&'static str>,
}

/// A list or map that is still open.
enum Open {
    List(Vec<Arc<Node>>),
    Map {
        entries: Vec<Entry>,
        keys: BTreeSet<String>,
        key: Option<(String, Position)>,
    },
}

/// An open list or map, where it began, and its anchor (0: none).
struct Frame {
    open: Open,
    position: Position,
    anchor: usize,
}

#[derive(Default)]
struct Builder {
    /// The number of the text.
    text: usize,
    /// Whether messages repeat nothing of the text.
    secret: bool,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Arc<Node>>,
    documents: Vec<Tree>,
    /// Where the document at hand begins.
    line: usize,
    weight: usize,
}

/// Reads all documents of `text`, the text of that number; empty documents are left out.
pub(crate) fn read(text: &str, number: usize) -> Result<Vec<Tree>, TreeError> {
    let builder = Builder {
        text: number,
        ..Builder::default()
    };
    build(text, builder)
}

/// The same of a text that secrets may be in: no message repeats anything of it.
pub(crate) fn read_secret(text: &str) -> Result<Vec<Tree>, TreeError> {
    let builder = Builder {
        secret: true,
        ..Builder::default()
    };
    build(text, builder)
}

fn build(text: &str, mut builder: Builder) -> Result<Vec<Tree>, TreeError> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.emit_unresolved_aliases = true;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) =
            event.map_err(|error| refused(text, position(error.marker()), error.kind()))?;
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

/// An error of the parser in words for people.
fn refused(text: &str, position: Position, kind: &ErrorKind) -> TreeError {
    if matches!(kind, ErrorKind::RecursionLimitExceeded) {
        return TreeError {
            position,
            message: too_deep(),
            help: None,
        };
    }
    // Of a tab that begins a line the parser tells where the value before it began.
    let tab = syntax::is_tab(kind).then(|| tab_from(text, position));
    let (message, help) = syntax::explain(kind);
    TreeError {
        position: tab.flatten().unwrap_or(position),
        message,
        help,
    }
}

/// The first tab in the indentation of a line, not before `from`.
fn tab_from(text: &str, from: Position) -> Option<Position> {
    let lines = text.lines().enumerate().skip(from.line.checked_sub(1)?);
    lines
        .filter_map(|(index, line)| {
            let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
            let tab = line.get(..indent)?.find('\t')?;
            Some(Position {
                line: index + 1,
                column: tab + 1,
            })
        })
        .next()
}

fn too_deep() -> String {
    format!("nested more than {MAX_DEPTH} deep")
}

fn position(marker: &serde_yaml::granit_parser::Marker) -> Position {
    Position {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), TreeError> {
        let at = position(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), at)?;
                let value = Value::Scalar {
                    plain: style == ScalarStyle::Plain,
                    text: text.into_owned(),
                };
                self.finish(value, at, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.is_some(), at)?;
                self.open(Open::List(Vec::new()), at, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.is_some(), at)?;
                let open = Open::Map {
                    entries: Vec::new(),
                    keys: BTreeSet::new(),
                    key: None,
                };
                self.open(open, at, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at),
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(node) => self.place(node, at),
                None => fail(at, "an alias inside the value it stands for"),
            },
            Event::UnresolvedAlias(name) => refuse(
                at,
                // A `*` before a key makes a name of it.
                match self.secret || looks_secret(&name) {
                    true => "no anchor has this name".to_owned(),
                    false => format!("no anchor is named `{name}`"),
                },
                "an anchor is known in its own document; a text that begins with `*` needs quotes",
            ),
            Event::DocumentStart(..) => {
                self.anchors.clear();
                self.line = at.line;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, position: Position, anchor: usize) -> Result<(), TreeError> {
        if self.frames.len() >= MAX_DEPTH {
            return fail(position, too_deep());
        }
        self.frames.push(Frame {
            open,
            position,
            anchor,
        });
        Ok(())
    }

    fn close(&mut self, at: Position) -> Result<(), TreeError> {
        let Some(frame) = self.frames.pop() else {
            return fail(at, "an end without a beginning");
        };
        let value = match frame.open {
            Open::List(items) => Value::List(items),
            Open::Map { entries, .. } => Value::Map(entries),
        };
        self.finish(value, frame.position, frame.anchor)
    }

    /// Makes a node of a complete value and puts it where it belongs.
    fn finish(&mut self, value: Value, position: Position, anchor: usize) -> Result<(), TreeError> {
        let node = Arc::new(Node::new(value, self.at(position)));
        if anchor != 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        self.place(node, position)
    }

    fn at(&self, position: Position) -> Place {
        Place {
            text: self.text,
            position,
        }
    }

    fn place(&mut self, node: Arc<Node>, at: Position) -> Result<(), TreeError> {
        // Weighed where it is placed, so a bomb is refused before anything follows its aliases.
        if node.weight > MAX_WEIGHT {
            return fail(at, "the aliases expand to more than 4 MiB");
        }
        match self.frames.last_mut().map(|frame| &mut frame.open) {
            None => {
                self.weight = self.weight.saturating_add(node.weight);
                if self.weight > MAX_WEIGHT {
                    return fail(at, "the aliases expand to more than 4 MiB");
                }
                if node.is_null() {
                    return Ok(());
                }
                if self.documents.len() >= MAX_DOCUMENTS {
                    return fail(at, format!("more than {MAX_DOCUMENTS} documents"));
                }
                self.documents.push(Tree {
                    node,
                    line: self.line,
                });
                Ok(())
            }
            Some(Open::List(items)) => {
                items.push(node);
                Ok(())
            }
            Some(Open::Map { entries, keys, key }) => match key.take() {
                None => {
                    *key = Some((new_key(&node, at, keys, self.secret)?, at));
                    Ok(())
                }
                Some((key, position)) => {
                    let place = Place {
                        text: self.text,
                        position,
                    };
                    entries.push(Entry {
                        key,
                        place,
                        value: node,
                    });
                    Ok(())
                }
            },
        }
    }
}

/// The text of a key that was not there before.
fn new_key(
    node: &Node,
    at: Position,
    keys: &mut BTreeSet<String>,
    secret: bool,
) -> Result<String, TreeError> {
    let Value::Scalar { text, plain } = &node.value else {
        return fail(at, "a key must be text");
    };
    if *plain && text == "<<" {
        let help = "write the fields out where they belong";
        return refuse(at, "merge keys (`<<`) are not supported", help);
    }
    if !keys.insert(text.clone()) {
        let message = match secret {
            true => "a key stands twice in a map".to_owned(),
            false => format!("duplicate key `{}`", text.escape_debug()),
        };
        let help = match text.as_str() {
            // The usual mistake of who joins two files.
            "apiVersion" | "kind" => "a line with `---` comes before every further document",
            _ => "a key stands once in a map; remove one of the two",
        };
        return refuse(at, message, help);
    }
    Ok(text.clone())
}

fn refuse_tag(present: bool, at: Position) -> Result<(), TreeError> {
    if present {
        let help = "remove it; a text that begins with `!` needs quotes";
        return refuse(at, "tags (`!...`) are not supported", help);
    }
    Ok(())
}

fn refuse<T>(
    position: Position,
    message: impl Into<String>,
    help: &'static str,
) -> Result<T, TreeError> {
    Err(TreeError {
        position,
        message: message.into(),
        help: Some(help),
    })
}

fn fail<T>(position: Position, message: impl Into<String>) -> Result<T, TreeError> {
    Err(TreeError {
        position,
        message: message.into(),
        help: None,
    })
}
