//! JSON patches (RFC 6902): add, remove, replace, move, copy and test.
//!
//! Members that an operation does not have are passed over, as the RFC has it.

use std::sync::Arc;

use super::pointer::{Change, Pointer, changed, get};
use super::stream::{Stream, named};
use super::{Wrong, shown, wrong};
use crate::decode::unknown;
use crate::document::Identity;
use crate::node::{Entry, Node, Value};
use crate::problem::Place;
use crate::read::{Header, check_version, header, unknown_kind};

/// The most operations in one list: more than a config has fields, and few enough to be carried out at once.
const MOST: usize = 1024;

/// The operations that there are.
const KNOWN: &[&str] = &["add", "remove", "replace", "move", "copy", "test"];

/// One operation.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// A value comes to a place: a new field, an item before another, or over what is there.
    Add(Pointer, Arc<Node>),
    /// What is there goes.
    Remove(Pointer),
    /// What is there gives way to a value.
    Replace(Pointer, Arc<Node>),
    /// What is at the first place goes to the second.
    Move(Pointer, Pointer),
    /// What is at the first place is added at the second as well.
    Copy(Pointer, Pointer),
    /// Nothing is changed unless this value is there.
    Test(Pointer, Arc<Node>),
}

/// Reads a list of operations.
pub(super) fn read(items: &[Arc<Node>], place: Place) -> Result<Vec<Operation>, Wrong> {
    if items.len() > MOST {
        let message = format!("a list has at most {MOST} operations");
        return Err(Wrong::new(place, message));
    }
    items.iter().map(|item| operation(item)).collect()
}

fn operation(item: &Node) -> Result<Operation, Wrong> {
    let Some(entries) = item.entries() else {
        let message = "an operation is a map with `op` and `path`";
        return Err(Wrong::new(item.place, message));
    };
    let word = |key| header(entries, key, item.place).map_err(|error| wrong(error, item.place));
    let pointer = |key| word(key).and_then(|it: Header| Pointer::new(&it.word, it.place));
    let value = || match item.get("value") {
        Some(value) => Ok(Arc::clone(value)),
        None => word("value").map(|_| Arc::new(Node::new(Value::List(Vec::new()), item.place))),
    };
    let op = word("op")?;
    Ok(match op.word.as_str() {
        "add" => Operation::Add(pointer("path")?, value()?),
        "remove" => Operation::Remove(pointer("path")?),
        "replace" => Operation::Replace(pointer("path")?, value()?),
        "move" => Operation::Move(pointer("from")?, pointer("path")?),
        "copy" => Operation::Copy(pointer("from")?, pointer("path")?),
        "test" => Operation::Test(pointer("path")?, value()?),
        _ => return Err(wrong(unknown("op", &op.word, KNOWN), op.place)),
    })
}

impl Operation {
    pub(super) fn apply(&self, stream: &mut Stream) -> Result<(), Wrong> {
        match self {
            Self::Add(path, value) => add(stream, path, value),
            Self::Replace(path, value) => {
                take(stream, path)?;
                change(stream, path, &Change::Replace(value))
            }
            Self::Remove(path) => {
                take(stream, path)?;
                change(stream, path, &Change::Remove)
            }
            Self::Copy(from, path) => {
                let value = take(stream, from)?;
                add(stream, path, &value)
            }
            Self::Move(from, path) => {
                let value = take(stream, from)?;
                if path.words.len() > from.words.len() && path.words.starts_with(&from.words) {
                    let message = "a value cannot be moved into itself";
                    return Err(Wrong::new(path.place, message));
                }
                change(stream, from, &Change::Remove)?;
                add(stream, path, &value)
            }
            Self::Test(path, value) => {
                if take(stream, path)?.says(value) {
                    return Ok(());
                }
                // What is there may be a secret.
                let message = format!("test failed: `{}` holds something else", shown(&path.text));
                Err(Wrong::new(path.place, message))
            }
        }
    }
}

/// The document that a path leads to or into, and the rest of the path.
fn target<'a>(stream: &Stream, path: &'a Pointer) -> Result<(Identity, &'a [String]), Wrong> {
    let (kind, rest) = path
        .words
        .split_first()
        .map_or(("", &[][..]), |(kind, rest)| (kind, rest));
    let Some(schema) = stream.schema(kind) else {
        let kind = Header {
            word: kind.to_owned(),
            place: path.place,
        };
        return Err(wrong(unknown_kind(&kind), path.place));
    };
    match (schema.name, rest.split_first()) {
        (None, _) => Ok((named(schema, None), rest)),
        (Some(_), Some((name, rest))) => Ok((named(schema, Some(name.clone())), rest)),
        (Some(_), None) => {
            let message = format!("`{}` leads to no document", shown(&path.text));
            let help = format!("a {kind} has a name: /{kind}/NAME, /{kind}/NAME/FIELD");
            Err(Wrong::new(path.place, message).help(help))
        }
    }
}

/// What is where a path leads: a document without what says which it is, or a part of one.
fn take(stream: &Stream, path: &Pointer) -> Result<Arc<Node>, Wrong> {
    let (identity, rest) = target(stream, path)?;
    let content = content(stream, &identity, path)?;
    get(&content, rest, path).map(Arc::clone)
}

fn content(stream: &Stream, identity: &Identity, path: &Pointer) -> Result<Arc<Node>, Wrong> {
    let held = stream.find(identity);
    let held = held.ok_or_else(|| stream.missing(identity, path.place))?;
    let fields = stream.fields(identity, &held.node);
    Ok(Arc::new(Node::new(Value::Map(fields), held.node.place)))
}

fn add(stream: &mut Stream, path: &Pointer, value: &Arc<Node>) -> Result<(), Wrong> {
    change(stream, path, &Change::Add(value))
}

fn change(stream: &mut Stream, path: &Pointer, change: &Change<'_>) -> Result<(), Wrong> {
    let (identity, rest) = target(stream, path)?;
    let fields = match (rest, change) {
        ([], Change::Remove) => {
            stream.remove(&identity);
            return Ok(());
        }
        ([], Change::Add(value) | Change::Replace(value)) => whole(stream, &identity, value)?,
        (rest, change) => {
            let content = content(stream, &identity, path)?;
            let changed = changed(&content, rest, path, change)?;
            changed.entries().unwrap_or_default().to_vec()
        }
    };
    let document = stream.whole(&identity, fields, path.place);
    if document.is_too_large() {
        let message = format!("`{}` becomes too large or too deep", shown(&path.text));
        return Err(Wrong::new(path.place, message));
    }
    stream.put(identity, document);
    Ok(())
}

/// The fields of a value that becomes a whole document. What says which document it is may be left out, and must not
/// say another than the path.
fn whole(stream: &Stream, identity: &Identity, value: &Node) -> Result<Vec<Entry>, Wrong> {
    let Some(entries) = value.entries() else {
        return Err(Wrong::new(value.place, "a document must be a map"));
    };
    if value.get("apiVersion").is_some() {
        let version = header(entries, "apiVersion", value.place);
        let checked = version.and_then(|version| check_version(&version));
        checked.map_err(|error| wrong(error, value.place))?;
    }
    if let Some(kind) = value
        .get("kind")
        .filter(|it| it.text() != Some(identity.kind))
    {
        return Err(another(kind, "kind", identity.kind));
    }
    let key = stream.schema(identity.kind).and_then(|it| it.name);
    if let Some((key, name)) = key.zip(identity.name.as_deref())
        && let Some(said) = value.get(key)
    {
        let word = said.text().map(str::to_owned);
        let schema = stream.schema(identity.kind);
        if schema.map(|schema| named(schema, word)).as_ref() != Some(identity) {
            return Err(another(said, key, name));
        }
    }
    Ok(stream.fields(identity, value))
}

/// A value says that it is another document than the one its path leads to.
fn another(said: &Node, key: &str, expected: &str) -> Wrong {
    let message = format!("the path says that `{key}` is `{}`", shown(expected));
    Wrong::new(said.place, message).help("leave it out, or let both say the same")
}
