//! Bytes into documents: the one way in for config from outside.

use std::sync::Arc;

use crate::decode::{DecodeError, decode, unknown};
use crate::document::{Document, Documents, Placed, Source};
use crate::problem::{Position, Problem, Problems};
use crate::tree::{self, Entry, Node, Value};
use crate::{API_VERSION, MAX_BYTES};

/// Reads a stream of documents; `source` is the file's name, for messages.
///
/// # Errors
/// Everything that is wrong, each with its place: broken YAML ends the reading, a wrong document
/// does not hide the mistakes of the next.
pub fn parse(source: &str, bytes: &[u8]) -> Result<Documents, Problems> {
    if bytes.len() > MAX_BYTES {
        let message = format!("a config has at most {MAX_BYTES} bytes, and this one has more");
        return Err(Problem::whole(source, message).into());
    }
    let text = utf8(source, bytes)?;
    let trees = tree::read(text).map_err(|it| {
        let help = it.help.map(str::to_owned);
        Problem::at(source, text, it.position, it.message).help(help)
    })?;
    if trees.is_empty() {
        let message = "no documents; a config begins with `apiVersion` and `kind`";
        return Err(Problem::whole(source, message).into());
    }
    let mut placed = Vec::new();
    let mut problems = Vec::new();
    for node in &trees {
        match document(node) {
            Ok(document) => placed.push(Placed {
                document,
                position: Some(node.position),
            }),
            Err(error) => {
                let at = error.position.unwrap_or(node.position);
                problems.push(Problem::at(source, text, at, error.message).help(error.help));
            }
        }
    }
    if let Some(problems) = Problems::new(problems) {
        return Err(problems);
    }
    let source = Source {
        name: source.to_owned(),
        text: text.to_owned(),
    };
    Documents::unique(placed, Arc::new(source))
}

/// Reads a stream of documents and checks them against each other: what every config goes through
/// before it is applied.
///
/// # Errors
/// Everything that is wrong.
pub fn check(source: &str, bytes: &[u8]) -> Result<Documents, Problems> {
    let documents = parse(source, bytes)?;
    match Problems::new(documents.validate()) {
        Some(problems) => Err(problems),
        None => Ok(documents),
    }
}

fn utf8<'a>(source: &str, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Problem::whole(source, "this is UTF-16; save it as UTF-8"));
    }
    let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let good = String::from_utf8_lossy(good);
    let position = Position {
        line: good.matches('\n').count() + 1,
        column: good.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
    };
    let message = format!("not UTF-8: byte {} is wrong", error.valid_up_to());
    Err(Problem::at(source, "", position, message))
}

/// One document: first `apiVersion` and `kind`, which say how to read the rest.
fn document(node: &Node) -> Result<Document, DecodeError> {
    let Value::Map(entries) = &node.value else {
        return Err(at(node.position, "a document must be a map"));
    };
    let version = header(entries, "apiVersion", node.position)?;
    let kind = header(entries, "kind", node.position)?;
    if version.word != API_VERSION {
        return Err(DecodeError {
            position: Some(version.position),
            ..unknown("apiVersion", &version.word, &[API_VERSION])
        });
    }
    let body: Vec<Entry> = entries
        .iter()
        .filter(|it| it.key != "apiVersion" && it.key != "kind")
        .cloned()
        .collect();
    Document::decode(&kind.word, &body, node.position).unwrap_or_else(|| {
        Err(DecodeError {
            position: Some(kind.position),
            ..unknown("kind", &kind.word, Document::KINDS)
        })
    })
}

struct Header {
    word: String,
    position: Position,
}

fn header(entries: &[Entry], key: &str, document: Position) -> Result<Header, DecodeError> {
    let Some(entry) = entries.iter().find(|it| it.key == key) else {
        return Err(missing(entries, key, document));
    };
    Ok(Header {
        word: decode(&entry.value)?,
        position: entry.value.position,
    })
}

/// A header that is not there, or only in another spelling.
fn missing(entries: &[Entry], key: &str, document: Position) -> DecodeError {
    let near = entries
        .iter()
        .find(|it| crate::nearest(&it.key, [key]).is_some());
    match near {
        Some(entry) => DecodeError {
            help: Some(format!("did you mean `{key}`?")),
            ..at(
                entry.position,
                &format!("unknown field `{}`", entry.key.escape_debug()),
            )
        },
        None => at(document, &format!("missing field `{key}`")),
    }
}

fn at(position: Position, message: &str) -> DecodeError {
    DecodeError {
        position: Some(position),
        message: message.to_owned(),
        help: None,
    }
}
