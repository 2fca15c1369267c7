//! Bytes into documents: the one way in for config from outside.

use std::sync::Arc;

use crate::decode::{DecodeError, decode, unknown};
use crate::document::{Document, Documents, Placed};
use crate::node::{Entry, Node, Value};
use crate::problem::{Place, Position, Problem, Problems, Source, Sources};
use crate::schema::{lower_first, summary};
use crate::tree::{self, Tree};
use crate::{API_VERSION, MAX_BYTES};

/// Reads a stream of documents; `source` is the file's name, for messages.
///
/// # Errors
/// Everything that is wrong, each with its place: broken YAML ends the reading, a wrong document
/// does not hide the mistakes of the next.
pub fn parse(source: &str, bytes: &[u8]) -> Result<Documents, Problems> {
    read(source, bytes).map(|(_, documents)| documents)
}

/// Reads a stream of documents and checks them against each other: what every config goes through
/// before it is applied.
///
/// # Errors
/// Everything that is wrong.
pub fn check(source: &str, bytes: &[u8]) -> Result<Documents, Problems> {
    parse(source, bytes)?.checked()
}

impl Documents {
    /// The documents, when nothing is wrong with them taken together.
    pub(crate) fn checked(self) -> Result<Self, Problems> {
        match Problems::new(self.validate()) {
            Some(problems) => Err(problems),
            None => Ok(self),
        }
    }
}

/// Reads a stream as [`parse`] does, and gives its trees as well, one for each document.
pub(crate) fn read(source: &str, bytes: &[u8]) -> Result<(Vec<Tree>, Documents), Problems> {
    let text = text(source, bytes)?;
    let sources = Sources::new(Source::new(source, text));
    let trees = trees(source, text, 0)?;
    if trees.is_empty() {
        let message = "no documents; a config begins with `apiVersion` and `kind`";
        return Err(Problem::whole(source, message).into());
    }
    let documents = documents(trees.iter().map(|tree| &tree.node), Arc::new(sources))?;
    Ok((trees, documents))
}

/// The text of a config or a patch.
pub(crate) fn text<'a>(source: &str, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    if bytes.len() > MAX_BYTES {
        let message = format!("a config has at most {MAX_BYTES} bytes, and this one has more");
        return Err(Problem::whole(source, message));
    }
    utf8(source, bytes)
}

/// The trees of a text, which is that of this number.
pub(crate) fn trees(source: &str, text: &str, number: usize) -> Result<Vec<Tree>, Problem> {
    tree::read(text, number).map_err(|it| {
        let help = it.help.map(str::to_owned);
        Problem::at(source, text, it.position, it.message).help(help)
    })
}

/// The documents that trees are, no two with the same identity.
pub(crate) fn documents<'a>(
    trees: impl Iterator<Item = &'a Arc<Node>>,
    sources: Arc<Sources>,
) -> Result<Documents, Problems> {
    let mut placed = Vec::new();
    let mut problems = Vec::new();
    for node in trees {
        match document(node) {
            Ok(document) => placed.push(Placed {
                document,
                node: Some(Arc::clone(node)),
            }),
            Err(error) => problems.push(error.problem(node.place, &sources)),
        }
    }
    match Problems::new(problems) {
        Some(problems) => Err(problems),
        None => Documents::unique(placed, sources),
    }
}

impl DecodeError {
    /// What to tell of this error, found in the value that stood at `place`.
    pub(crate) fn problem(self, place: Place, sources: &Sources) -> Problem {
        let place = self.place.unwrap_or(place);
        sources.problem(Some(place), self.message).help(self.help)
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
    let help = Some("save it as UTF-8".to_owned());
    Err(Problem::at(source, "", position, message).help(help))
}

/// One document: first `apiVersion` and `kind`, which say how to read the rest.
fn document(node: &Node) -> Result<Document, DecodeError> {
    let Value::Map(entries) = &node.value else {
        let help = "it begins with `apiVersion: ...` and `kind: ...`";
        return Err(at(node.place, "a document must be a map").help(help));
    };
    let version = header(entries, "apiVersion", node.place)?;
    let kind = header(entries, "kind", node.place)?;
    check_version(&version)?;
    let body: Vec<Entry> = entries
        .iter()
        .filter(|it| it.key != "apiVersion" && it.key != "kind")
        .cloned()
        .collect();
    let decoded = Document::decode(&kind.word, &body, node.place);
    let decoded = decoded.unwrap_or_else(|| Err(unknown_kind(&kind)));
    decoded.map_err(
        |error| match error.missing.and_then(|it| needed(&kind.word, it)) {
            Some(help) => error.help(help),
            None => error,
        },
    )
}

/// What a field that is not there would be for.
fn needed(kind: &str, field: &str) -> Option<String> {
    let mut schemas = Document::schemas().into_iter();
    let about = schemas
        .find(|it| it.kind == kind)?
        .shape
        .about_field(field)?;
    Some(format!(
        "{kind} needs it: {}",
        lower_first(summary(about).trim_end_matches('.'))
    ))
}

/// One of the lines that say how to read a document.
pub(crate) struct Header {
    pub(crate) word: String,
    pub(crate) place: Place,
}

/// The header of this key in a document that stood at `document`.
pub(crate) fn header(entries: &[Entry], key: &str, document: Place) -> Result<Header, DecodeError> {
    let Some(entry) = entries.iter().find(|it| it.key == key) else {
        return Err(missing(entries, key, document));
    };
    Ok(Header {
        word: decode(&entry.value)?,
        place: entry.value.place,
    })
}

/// Refuses every `apiVersion` but the one there is.
pub(crate) fn check_version(version: &Header) -> Result<(), DecodeError> {
    if version.word == API_VERSION {
        return Ok(());
    }
    Err(DecodeError {
        place: Some(version.place),
        ..unknown("apiVersion", &version.word, &[API_VERSION])
    })
}

/// A kind that there is not.
pub(crate) fn unknown_kind(kind: &Header) -> DecodeError {
    DecodeError {
        place: Some(kind.place),
        ..unknown("kind", &kind.word, Document::KINDS)
    }
}

/// A header that is not there, or only in another spelling.
fn missing(entries: &[Entry], key: &str, document: Place) -> DecodeError {
    let near = entries
        .iter()
        .find(|it| crate::nearest(&it.key, [key]).is_some());
    match near {
        Some(entry) => DecodeError {
            help: Some(format!("did you mean `{key}`?")),
            ..at(
                entry.place,
                &format!("unknown field `{}`", entry.key.escape_debug()),
            )
        },
        None => {
            let error = at(document, &format!("missing field `{key}`"));
            match key {
                "apiVersion" => error.help(format!(
                    "a document begins with `apiVersion: {API_VERSION}`"
                )),
                "kind" => error.help(format!("known: {}", Document::KINDS.join(", "))),
                _ => error,
            }
        }
    }
}

pub(crate) fn at(place: Place, message: &str) -> DecodeError {
    DecodeError::new(message).at(place)
}
