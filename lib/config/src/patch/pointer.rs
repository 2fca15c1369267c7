//! JSON pointers (RFC 6901), and the way they lead through a tree.
//!
//! The documents of a config are seen as one value, `{KIND: {...}}` or `{KIND: {NAME: {...}}}`: the first one or two
//! words of a path name the document. So a path is a pointer like any other, operations can move and copy from one
//! document to another and add and remove whole ones, and nothing has to be added to RFC 6902.

use std::sync::Arc;

use super::{Wrong, shown};
use crate::node::{Entry, Node, Value};
use crate::problem::Place;

/// A path, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    /// As it was written.
    pub(super) text: String,
    pub(super) words: Vec<String>,
    pub(super) place: Place,
}

impl Pointer {
    pub(super) fn new(text: &str, place: Place) -> Result<Self, Wrong> {
        let Some(rest) = text.strip_prefix('/') else {
            let message = format!("`{}` is no path", shown(text));
            let help = "a path is /KIND/FIELD..., or /KIND/NAME/FIELD... for kinds with names";
            return Err(Wrong::new(place, message).help(help));
        };
        let words = rest.split('/').map(|word| {
            unescaped(word).ok_or_else(|| {
                let message = format!("in `{}` a `~` is not followed by 0 or 1", shown(text));
                Wrong::new(place, message).help("write `~0` for `~` and `~1` for `/`")
            })
        });
        Ok(Self {
            text: text.to_owned(),
            words: words.collect::<Result<_, _>>()?,
            place,
        })
    }

    /// Nothing is where this leads.
    fn lost(&self, why: &str) -> Wrong {
        Wrong::new(self.place, format!("`{}`: {why}", shown(&self.text)))
    }
}

fn unescaped(word: &str) -> Option<String> {
    let mut out = String::new();
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        out.push(match letter {
            '~' => match letters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            it => it,
        });
    }
    Some(out)
}

/// What is done at the end of a path.
pub(super) enum Change<'a> {
    Add(&'a Arc<Node>),
    Replace(&'a Arc<Node>),
    Remove,
}

/// What stands at the end of the rest of a path.
pub(super) fn get<'a>(
    node: &'a Arc<Node>,
    rest: &[String],
    path: &Pointer,
) -> Result<&'a Arc<Node>, Wrong> {
    rest.iter()
        .try_fold(node, |node, word| child(node, word, path))
}

/// The same tree with a change at the end of the rest of a path, which has a word at least.
pub(super) fn changed(
    node: &Node,
    rest: &[String],
    path: &Pointer,
    change: &Change<'_>,
) -> Result<Arc<Node>, Wrong> {
    let value = match rest {
        [] => return Err(path.lost("it leads to a whole document")),
        [last] => at_end(node, last, path, change)?,
        [word, rest @ ..] => {
            let new = changed(child(node, word, path)?, rest, path, change)?;
            with_child(node, word, new)
        }
    };
    Ok(Arc::new(Node::new(value, node.place)))
}

fn child<'a>(node: &'a Node, word: &str, path: &Pointer) -> Result<&'a Arc<Node>, Wrong> {
    match &node.value {
        Value::Map(entries) => {
            let found = entries.iter().find(|it| it.key == word);
            found
                .map(|it| &it.value)
                .ok_or_else(|| missing(entries, word, path))
        }
        Value::List(items) => {
            let index = number(word, items.len(), path)?;
            items.get(index).ok_or_else(|| beyond(items.len(), path))
        }
        Value::Scalar { .. } => Err(path.lost(&format!(
            "what comes before `{}` is a single value",
            shown(word)
        ))),
    }
}

fn missing(entries: &[Entry], word: &str, path: &Pointer) -> Wrong {
    let wrong = path.lost(&format!("there is no `{}`", shown(word)));
    wrong.among(word, entries.iter().map(|it| it.key.as_str()))
}

fn beyond(count: usize, path: &Pointer) -> Wrong {
    path.lost(&format!(
        "there is no such item; the list has {count}, counted from 0"
    ))
}

/// The number of an item: plain decimal, as RFC 6901 has it.
fn number(word: &str, count: usize, path: &Pointer) -> Result<usize, Wrong> {
    let digits = !word.is_empty() && word.bytes().all(|it| it.is_ascii_digit());
    if !digits || (word.len() > 1 && word.starts_with('0')) {
        let why = match word {
            "-" => "`-` is the end of a list, where things can only be added".to_owned(),
            _ => format!("`{}` is not the number of an item", shown(word)),
        };
        return Err(path.lost(&why));
    }
    word.parse().map_err(|_| beyond(count, path))
}

/// A map or list with another value at a place that is there.
fn with_child(node: &Node, word: &str, new: Arc<Node>) -> Value {
    match &node.value {
        Value::Map(entries) => Value::Map(
            entries
                .iter()
                .map(|it| match it.key == word {
                    true => Entry {
                        value: Arc::clone(&new),
                        ..it.clone()
                    },
                    false => it.clone(),
                })
                .collect(),
        ),
        Value::List(items) => {
            let index = word.parse().ok();
            let items = items.iter().enumerate();
            Value::List(
                items
                    .map(|(at, it)| Arc::clone(if Some(at) == index { &new } else { it }))
                    .collect(),
            )
        }
        Value::Scalar { text, plain } => Value::Scalar {
            text: text.clone(),
            plain: *plain,
        },
    }
}

fn at_end(node: &Node, last: &str, path: &Pointer, change: &Change<'_>) -> Result<Value, Wrong> {
    match (&node.value, change) {
        (Value::Map(entries), Change::Add(value)) if !entries.iter().any(|it| it.key == last) => {
            let mut entries = entries.clone();
            entries.push(Entry {
                key: last.to_owned(),
                place: path.place,
                value: Arc::clone(value),
            });
            Ok(Value::Map(entries))
        }
        (Value::List(items), Change::Add(value)) => {
            let index = match last {
                "-" => items.len(),
                _ => number(last, items.len(), path)?,
            };
            if index > items.len() {
                return Err(beyond(items.len(), path));
            }
            let (before, after) = items.split_at(index);
            let value = std::iter::once(*value);
            Ok(Value::List(
                before.iter().chain(value).chain(after).cloned().collect(),
            ))
        }
        (_, Change::Add(value) | Change::Replace(value)) => {
            child(node, last, path)?;
            Ok(with_child(node, last, Arc::clone(value)))
        }
        (_, Change::Remove) => {
            child(node, last, path)?;
            Ok(without(node, last))
        }
    }
}

/// A map or list without what is at a place that is there.
fn without(node: &Node, word: &str) -> Value {
    match &node.value {
        Value::Map(entries) => {
            let rest = entries.iter().filter(|it| it.key != word);
            Value::Map(rest.cloned().collect())
        }
        Value::List(items) => {
            let index = word.parse().ok();
            let rest = items
                .iter()
                .enumerate()
                .filter(|(at, _)| Some(*at) != index);
            Value::List(rest.map(|(_, it)| Arc::clone(it)).collect())
        }
        Value::Scalar { text, plain } => Value::Scalar {
            text: text.clone(),
            plain: *plain,
        },
    }
}
