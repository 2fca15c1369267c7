//! Patches: a config changed by documents that say only what is different, or by a list of operations.
//!
//! Each document of a patch stream is one of two things. A map is a *merge patch*: it is merged into the document of the
//! same kind and name. A list is a *JSON patch* (RFC 6902): its operations are carried out in order, all or none.
//!
//! What a patch does not change keeps its text to the byte, comments and all: other documents, and the other fields of the
//! document that it changes. A field that is changed is written anew in block style, without the comments inside it. Where
//! the text does not come apart like that, as with brackets around a document or aliases between fields, the document is
//! written anew. A document that is removed takes its comments along. New documents come last.
//!
//! The result is checked like any other config, and every message has its place: in the config, or in the patch that
//! brought what is wrong.

mod merge;
mod operations;
mod pointer;
mod stream;
mod text;

use std::sync::Arc;

use crate::decode::DecodeError;
use crate::document::{Document, Documents};
use crate::node::{Node, Value};
use crate::problem::{Place, Problem, Problems, Source, Sources};
use crate::tree::Tree;
use crate::{MAX_BYTES, MAX_DOCUMENTS, read};
use operations::Operation;
use stream::Stream;
use text::Keep;

/// A text from outside and its name, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The file, or what stands for it.
    pub name: &'a str,
    /// What it holds.
    pub bytes: &'a [u8],
}

/// A config after its patches.
#[derive(Clone, Debug)]
pub struct Patched {
    /// As YAML, secrets included.
    pub text: String,
    /// What it says.
    pub documents: Documents,
    /// What was asked for and was so already: the deletion of what is not there. A slip, or the patch was applied before.
    pub notes: Vec<Problem>,
}

/// Applies patches to a config, one after the other.
///
/// # Errors
/// Everything that is wrong with the config, the patches, or what they make of it.
pub fn apply(config: Text<'_>, patches: &[Text<'_>]) -> Result<Patched, Problems> {
    let (trees, documents) = read::read(config.name, config.bytes)?;
    let mut sources = (*documents.sources).clone();
    let mut stream = Stream::new(&trees, &documents);
    let mut problems = Vec::new();
    for patch in patches {
        let parts = match parts(*patch, &mut sources) {
            Ok(parts) => parts,
            Err(more) => {
                problems.extend(more.iter().cloned());
                continue;
            }
        };
        for part in parts {
            if let Err(wrong) = part.apply(&mut stream) {
                problems.push(wrong.problem(&sources));
            }
        }
    }
    if let Some(problems) = Problems::new(problems) {
        return Err(problems);
    }
    finish(config, &trees, stream, sources)
}

/// Reads a patch without a config to apply it to.
///
/// # Errors
/// Everything that can be found wrong with it alone.
pub fn check(patch: Text<'_>) -> Result<(), Problems> {
    parts(patch, &mut Sources::new(Source::new("config", ""))).map(drop)
}

/// Makes documents and a text of what the patches left.
fn finish(
    config: Text<'_>,
    trees: &[Tree],
    stream: Stream,
    sources: Sources,
) -> Result<Patched, Problems> {
    let whole = |message: String| Problems::from(Problem::whole(config.name, message));
    let count = stream.held.len();
    if count == 0 {
        return Err(whole("the patches leave no document".to_owned()));
    }
    if count > MAX_DOCUMENTS {
        let message = format!("with its patches it has more than {MAX_DOCUMENTS} documents");
        return Err(whole(message));
    }
    if let Some(held) = stream.held.iter().find(|it| it.node.is_too_large()) {
        let message = format!(
            "with its patches {} is too large or too deep",
            held.identity
        );
        return Err(sources.problem(Some(held.node.place), message).into());
    }
    let notes = stream.notes.into_iter();
    let notes = notes.map(|note| note.problem(&sources)).collect();
    let nodes = stream.held.iter().map(|held| &held.node);
    let documents = read::documents(nodes, Arc::new(sources))?.checked()?;
    let original = std::str::from_utf8(config.bytes).unwrap_or_default();
    // Whatever an odd stream does to its pieces, a config never says something else than was checked.
    let says_it = |text: &String| {
        read::parse(config.name, text.as_bytes()).is_ok_and(|again| again == documents)
    };
    let mut kept = [Keep::Fields, Keep::Head]
        .into_iter()
        .map(|keep| text::assemble(original, trees, &stream.held, keep));
    let text = match kept.find(says_it) {
        Some(text) => text,
        None => documents
            .to_yaml()
            .map_err(|error| whole(error.to_string()))?,
    };
    if text.len() > MAX_BYTES {
        let message = format!("with its patches it has more than {MAX_BYTES} bytes");
        return Err(whole(message));
    }
    Ok(Patched {
        text,
        documents,
        notes,
    })
}

/// What a document of a patch stream is.
enum Part {
    Merge(Arc<Node>),
    Operations(Vec<Operation>),
}

impl Part {
    fn apply(&self, stream: &mut Stream) -> Result<(), Wrong> {
        match self {
            Self::Merge(node) => merge::document(stream, node),
            Self::Operations(operations) => {
                let mut changed = stream.clone();
                for operation in operations {
                    operation.apply(&mut changed)?;
                }
                *stream = changed;
                Ok(())
            }
        }
    }
}

/// Reads a patch; its text becomes one of the sources.
fn parts(patch: Text<'_>, sources: &mut Sources) -> Result<Vec<Part>, Problems> {
    let text = read::text(patch.name, patch.bytes)?;
    let number = sources.add(Source::new(patch.name, text));
    let trees = read::trees(patch.name, text, number)?;
    let schemas = Document::schemas();
    let mut parts = Vec::new();
    let mut problems = Vec::new();
    for tree in trees {
        let part = match &tree.node.value {
            Value::List(items) => operations::read(items, tree.node.place).map(Part::Operations),
            Value::Map(_) => merge::check(&tree.node, &schemas).map(|()| Part::Merge(tree.node)),
            Value::Scalar { .. } => {
                let message = "a patch is documents, or lists of operations as in RFC 6902";
                Err(Wrong::new(tree.node.place, message))
            }
        };
        match part {
            Ok(part) => parts.push(part),
            Err(wrong) => problems.push(wrong.problem(sources)),
        }
    }
    match Problems::new(problems) {
        Some(problems) => Err(problems),
        None => Ok(parts),
    }
}

/// What is wrong with a patch, and where.
#[derive(Clone, Debug)]
struct Wrong {
    place: Place,
    message: String,
    help: Option<String>,
}

impl Wrong {
    fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            message: message.into(),
            help: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with the nearest of the names there are, or else all of them.
    fn among<'a>(self, word: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.collect();
        match crate::nearest(word, names.iter().copied()) {
            Some(near) => self.help(format!("did you mean `{}`?", near.escape_debug())),
            None if names.is_empty() => self,
            None => {
                // Enough to choose from; a message is read, not searched.
                let shown: Vec<_> = names.iter().take(12).map(|it| shown(it)).collect();
                let more = if names.len() > 12 { ", ..." } else { "" };
                self.help(format!("there are: {}{more}", shown.join(", ")))
            }
        }
    }

    fn problem(self, sources: &Sources) -> Problem {
        let problem = sources.problem(Some(self.place), self.message);
        problem.help(self.help)
    }
}

/// A word of a patch in a message.
fn shown(word: &str) -> String {
    let start: String = word.chars().take(64).collect();
    start.escape_debug().to_string()
}

/// Gives an error of reading the place it has none of.
fn wrong(error: DecodeError, place: Place) -> Wrong {
    Wrong {
        place: error.place.unwrap_or(place),
        message: error.message,
        help: error.help,
    }
}
