//! Merge patches: maps merge, lists replace unless their schema names a key, `null` and `$patch` remove.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::stream::{Stream, identity};
use super::{Wrong, shown, wrong};
use crate::decode::{decode, unknown};
use crate::node::{Entry, Node, Value};
use crate::problem::Place;
use crate::read::{check_version, header};
use crate::schema::{KindSchema, Shape};

/// The key by which a map says what is done with it.
const DIRECTIVE: &str = "$patch";

/// What is done with a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directive {
    /// It is merged into what is there.
    Merge,
    /// It stands in the place of what is there.
    Replace,
    /// What is there goes.
    Delete,
}

/// What can be found wrong with a document of a patch alone.
pub(super) fn check(node: &Node, schemas: &[KindSchema]) -> Result<(), Wrong> {
    let entries = node.entries().unwrap_or_default();
    if node.get("kind").is_none() && node.get("op").is_some() && node.get("path").is_some() {
        let help = "write it as an item: `- op: ...`, or in brackets: [{...}]";
        return Err(Wrong::new(node.place, "operations stand in a list").help(help));
    }
    let identity = identity(node, schemas)?;
    if node.get("apiVersion").is_some() {
        let version = header(entries, "apiVersion", node.place);
        let checked = version.and_then(|version| check_version(&version));
        checked.map_err(|error| wrong(error, node.place))?;
    }
    if directive(node)? == Directive::Delete {
        return Ok(());
    }
    let schema = schemas.iter().find(|it| it.kind == identity.kind);
    merged(None, node, schema.map(|it| &it.shape)).map(drop)
}

/// Merges a document of a patch into the one of its identity; without one it is added.
pub(super) fn document(stream: &mut Stream, node: &Arc<Node>) -> Result<(), Wrong> {
    let identity = stream.identity(node)?;
    if directive(node)? == Directive::Delete {
        if let Some(field) = stream
            .fields(&identity, node)
            .iter()
            .find(|it| it.key != DIRECTIVE)
        {
            return Err(only_identity(&field.key, field.place));
        }
        if !stream.remove(&identity) {
            let note = stream.missing(&identity, node.place);
            stream.notes.push(note);
        }
        return Ok(());
    }
    let shape = stream.schema(identity.kind).map(|it| it.shape.clone());
    let before = stream.find(&identity).map(|it| Arc::clone(&it.node));
    // What says which document it is has found it, and may be spelled in another way there.
    let fields = Value::Map(stream.fields(&identity, node));
    let fields = Node::new(fields, node.place);
    let Some(mut after) = merged(before.as_deref(), &fields, shape.as_ref())? else {
        return Ok(());
    };
    // A patch may leave `apiVersion` out, and may be written in any order.
    if before.is_none() || after.get("apiVersion").is_none() {
        let fields = stream.fields(&identity, &after);
        after = stream.whole(&identity, fields, node.place);
    }
    stream.put(identity, after);
    Ok(())
}

fn only_identity(key: &str, place: Place) -> Wrong {
    let message = format!("a document with `$patch: delete` holds no `{}`", shown(key));
    Wrong::new(place, message).help("to remove a field, write `FIELD: null`")
}

/// What is done with a map; everything else is merged.
fn directive(node: &Node) -> Result<Directive, Wrong> {
    let Some(value) = node.get(DIRECTIVE) else {
        return Ok(Directive::Merge);
    };
    let word: String = decode(value).map_err(|error| wrong(error, value.place))?;
    match word.as_str() {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        _ => Err(wrong(
            unknown("$patch", &word, &["delete", "replace", "merge"]),
            value.place,
        )),
    }
}

/// What a patch makes of a value; `None` removes it.
fn merged(
    before: Option<&Node>,
    patch: &Node,
    shape: Option<&Shape>,
) -> Result<Option<Arc<Node>>, Wrong> {
    let value = match &patch.value {
        _ if patch.is_null() => return Ok(None),
        Value::Scalar { text, plain } => Value::Scalar {
            text: text.clone(),
            plain: *plain,
        },
        Value::List(items) => Value::List(list(before, items, shape)?),
        Value::Map(entries) => {
            let before = match directive(patch)? {
                Directive::Merge => before,
                Directive::Replace => None,
                Directive::Delete if entries.len() > 1 => {
                    let message = "a map with `$patch: delete` holds nothing else";
                    return Err(Wrong::new(patch.place, message));
                }
                Directive::Delete => return Ok(None),
            };
            Value::Map(map(before, entries, shape)?)
        }
    };
    Ok(Some(Arc::new(Node::new(value, patch.place))))
}

fn map(before: Option<&Node>, patch: &[Entry], shape: Option<&Shape>) -> Result<Vec<Entry>, Wrong> {
    let before = before.and_then(Node::entries).unwrap_or_default();
    let mut slots: Vec<Option<Entry>> = before.iter().cloned().map(Some).collect();
    let keys = before.iter().enumerate();
    let index: BTreeMap<&str, usize> = keys.map(|(at, it)| (it.key.as_str(), at)).collect();
    for entry in patch.iter().filter(|it| it.key != DIRECTIVE) {
        let at = index.get(entry.key.as_str()).copied();
        let old = at.and_then(|at| before.get(at));
        let old = old.map(|it| &*it.value);
        let below = shape.and_then(|it| it.field(&entry.key));
        let new = merged(old, &entry.value, below)?;
        // What is said already stays as it was written.
        if let (Some(old), Some(new)) = (old, &new)
            && old.says(new)
        {
            continue;
        }
        let new = new.map(|value| Entry {
            key: entry.key.clone(),
            place: entry.place,
            value,
        });
        match at.and_then(|at| slots.get_mut(at)) {
            Some(slot) => *slot = new,
            None => slots.push(new),
        }
    }
    Ok(slots.into_iter().flatten().collect())
}

fn list(
    before: Option<&Node>,
    patch: &[Arc<Node>],
    shape: Option<&Shape>,
) -> Result<Vec<Arc<Node>>, Wrong> {
    let (of, key) = match shape {
        Some(Shape::List { of, merge_key, .. }) => (Some(&**of), *merge_key),
        _ => (None, None),
    };
    match key {
        Some(key) => keyed(before, patch, of, key),
        None => patch.iter().map(|item| replaced(item, of)).collect(),
    }
}

/// An item of a list that is replaced as a whole.
fn replaced(item: &Arc<Node>, of: Option<&Shape>) -> Result<Arc<Node>, Wrong> {
    if item.is_null() {
        return Ok(Arc::clone(item));
    }
    merged(None, item, of)?.ok_or_else(|| {
        let message = "items of this list cannot be deleted one by one";
        Wrong::new(item.place, message)
            .help("write the list as it shall be; it replaces the one there is")
    })
}

/// Merges items by the value of a field: the first item of a value with the first, the second with the second.
fn keyed(
    before: Option<&Node>,
    patch: &[Arc<Node>],
    of: Option<&Shape>,
    key: &str,
) -> Result<Vec<Arc<Node>>, Wrong> {
    let replace = patch.iter().any(|item| is_replace(item));
    let before: &[Arc<Node>] = match before.map(|it| &it.value) {
        Some(Value::List(items)) if !replace => items,
        _ => &[],
    };
    let mut slots: Vec<Option<Arc<Node>>> = before.iter().cloned().map(Some).collect();
    let mut same: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, item) in before.iter().enumerate() {
        let value = item.get(key).and_then(|it| it.text());
        same.entry(value.unwrap_or_default().to_owned())
            .or_default()
            .push(at);
    }
    let mut wanted: BTreeMap<String, Vec<&Arc<Node>>> = BTreeMap::new();
    let mut order = Vec::new();
    for item in patch.iter().filter(|item| !is_replace(item)) {
        let value = key_of(item, key)?;
        let group = wanted.entry(value.clone()).or_default();
        order.push((value, group.len(), item));
        group.push(item);
    }
    for (value, number, item) in order {
        let there = same.get(&value).map_or(&[][..], Vec::as_slice);
        if there.len() > wanted.get(&value).map_or(0, Vec::len) {
            let count = there.len();
            let message = format!("{count} items here have `{key}: {}`", shown(&value));
            let help = "write all of them, or name one by its number in a JSON patch";
            return Err(Wrong::new(item.place, message).help(help));
        }
        let at = there.get(number).copied();
        let old = at.and_then(|at| before.get(at));
        let new = match directive(item)? {
            Directive::Delete => None,
            _ => merged(old.map(|it| &**it), item, of)?,
        };
        match at.and_then(|at| slots.get_mut(at)) {
            Some(slot) => *slot = new,
            None => slots.push(new),
        }
    }
    Ok(slots.into_iter().flatten().collect())
}

/// Whether an item says only that the list is replaced.
fn is_replace(item: &Node) -> bool {
    let alone = item.entries().is_some_and(|it| it.len() == 1);
    alone && item.get(DIRECTIVE).and_then(|it| it.text()) == Some("replace")
}

/// The value by which an item is known.
fn key_of(item: &Node, key: &str) -> Result<String, Wrong> {
    let entries = item.entries().unwrap_or_default();
    let found = header(entries, key, item.place);
    let found = found.map_err(|error| match error.help {
        None => {
            wrong(error, item.place).help(format!("by `{key}`, patches tell these items apart"))
        }
        Some(_) => wrong(error, item.place),
    })?;
    Ok(found.word)
}
