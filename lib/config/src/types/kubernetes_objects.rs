//! Objects of Kubernetes as people write them: YAML, one or more documents.
//!
//! Secrets may be among them, so no message repeats the text, there is no `Display`, and a redacted document has none of it. What a
//! scalar means is what it means to `kubectl`, which reads YAML 1.1: `0644` is a number of eight digits, and `yes` is true.

mod scalar;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use self::scalar::scalar;
use crate::node::{Node, Value};
use crate::tree::{self, Tree};

/// YAML of one or more objects of Kubernetes, each with `apiVersion`, `kind` and `metadata.name`. A `List` is its items.
///
/// In a redacted document it is what stands for the text, which cannot be read back.
#[derive(Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(try_from = "String", into = "String")]
#[schema(text, secret)]
pub struct KubernetesObjects {
    text: String,
    objects: Vec<Json>,
}

/// JSON has no numbers that are not equal to themselves.
impl Eq for KubernetesObjects {}

/// Which object of a text: documents and items are counted from one, and documents that say nothing are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectPlace {
    /// The document.
    pub document: usize,
    /// The line of the text that it begins in.
    pub line: usize,
    /// The item of the `List` that the document is.
    pub item: Option<usize>,
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { document, line, .. } = self;
        write!(f, "document {document} of the text (line {line})")?;
        match self.item {
            Some(item) => write!(f, ", item {item}"),
            None => Ok(()),
        }
    }
}

/// Why a text is no objects of Kubernetes. No variant repeats the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubernetesObjectsError {
    /// What an output has in the place of a secret.
    #[error("a redacted text cannot be read back; put the real one here")]
    Redacted,
    /// It is no YAML, or has what is not taken.
    #[error("line {line} of the text: {message}")]
    Yaml {
        /// Counted in the text.
        line: usize,
        /// In words.
        message: String,
    },
    /// Nothing but comments.
    #[error("there is no object in the text")]
    Nothing,
    /// Something else than a map.
    #[error("{0} is no map")]
    NotAMap(ObjectPlace),
    /// A field that names an object is not there.
    #[error("{0} has no `{1}`")]
    Lacks(ObjectPlace, &'static str),
    /// A field that names an object cannot do so.
    #[error("`{1}` of {0} cannot be one")]
    Wrong(ObjectPlace, &'static str),
    /// A `List` without them.
    #[error("{0} is a List without a list of `items`")]
    Items(ObjectPlace),
    /// A number that JSON has not.
    #[error("{0} has a number that is infinite or none at all")]
    Number(ObjectPlace),
    /// One object twice.
    #[error("{0} is the same object as {1}: kind, namespace and name are equal")]
    Twice(ObjectPlace, ObjectPlace),
}

impl KubernetesObjects {
    /// The objects in the order of the text, lists taken apart.
    #[must_use]
    pub fn objects(&self) -> &[Json] {
        &self.objects
    }

    /// What a redacted document holds; it cannot be read back.
    pub(crate) fn redacted() -> Self {
        Self {
            text: crate::REDACTED.to_owned(),
            objects: Vec::new(),
        }
    }
}

/// Group, kind, namespace and name.
type Name = [String; 4];

/// What has been read of a text.
#[derive(Default)]
struct Reader {
    objects: Vec<Json>,
    names: BTreeMap<Name, ObjectPlace>,
}

impl Reader {
    fn take(&mut self, value: Json, place: ObjectPlace) -> Result<(), KubernetesObjectsError> {
        let is = |key: &str, word: &str| value.get(key).is_some_and(|it| it == word);
        if is("apiVersion", "v1") && is("kind", "List") {
            let items = value.get("items").and_then(Json::as_array);
            let items = items.ok_or(KubernetesObjectsError::Items(place))?;
            for (index, item) in items.iter().enumerate() {
                let item_place = ObjectPlace {
                    item: Some(index + 1),
                    ..place
                };
                // A list in a list has no name, and is refused for that.
                self.one(item.clone(), item_place)?;
            }
            return Ok(());
        }
        self.one(value, place)
    }

    fn one(&mut self, value: Json, place: ObjectPlace) -> Result<(), KubernetesObjectsError> {
        let name = name(&value, place)?;
        if let Some(other) = self.names.insert(name, place) {
            return Err(KubernetesObjectsError::Twice(place, other));
        }
        self.objects.push(value);
        Ok(())
    }
}

/// What names an object; paths of the API are made of all but the name itself.
fn name(value: &Json, place: ObjectPlace) -> Result<Name, KubernetesObjectsError> {
    if !value.is_object() {
        return Err(KubernetesObjectsError::NotAMap(place));
    }
    let found = |field: &'static str| {
        let at = value.pointer(&format!("/{}", field.replace('.', "/")));
        match at {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) if text.is_empty() => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(KubernetesObjectsError::Wrong(place, field)),
        }
    };
    let text = |field, fits: fn(&str) -> bool| match found(field)? {
        Some(text) if !fits(&text) => Err(KubernetesObjectsError::Wrong(place, field)),
        text => Ok(text),
    };
    let needed =
        |field, fits| text(field, fits)?.ok_or(KubernetesObjectsError::Lacks(place, field));
    let version = needed("apiVersion", |it| {
        it.split('/').count() <= 2 && it.split('/').all(is_name)
    })?;
    let kind = needed("kind", |it| it.bytes().all(|it| it.is_ascii_alphanumeric()))?;
    let own = needed("metadata.name", |it| {
        !it.contains(['/', '%']) && !it.contains(char::is_control)
    })?;
    let namespace = text("metadata.namespace", is_name)?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Ok([group.to_owned(), kind, namespace.unwrap_or_default(), own])
}

/// Of a group, a version or a namespace: they stand in paths as they are.
fn is_name(text: &str) -> bool {
    let may = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it);
    text.starts_with(|it: char| it.is_ascii_alphanumeric()) && text.bytes().all(may)
}

/// A value as JSON has it; none for a number that it has not.
pub(super) fn json(node: &Node) -> Option<Json> {
    match &node.value {
        Value::Scalar { text, plain: false } => Some(Json::String(text.clone())),
        Value::Scalar { text, plain: true } => scalar(text),
        Value::List(items) => items.iter().map(|it| json(it)).collect(),
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|it| Some((it.key.clone(), json(&it.value)?)));
            entries.collect::<Option<Map<_, _>>>().map(Json::Object)
        }
    }
}

impl FromStr for KubernetesObjects {
    type Err = KubernetesObjectsError;

    fn from_str(text: &str) -> Result<Self, KubernetesObjectsError> {
        if text.trim() == crate::REDACTED {
            return Err(KubernetesObjectsError::Redacted);
        }
        let trees = tree::read_secret(text).map_err(|error| KubernetesObjectsError::Yaml {
            line: error.position.line,
            message: error.message,
        })?;
        let mut reader = Reader::default();
        for (index, Tree { node, line }) in trees.iter().enumerate() {
            let place = ObjectPlace {
                document: index + 1,
                line: *line,
                item: None,
            };
            let value = json(node).ok_or(KubernetesObjectsError::Number(place))?;
            reader.take(value, place)?;
        }
        if reader.objects.is_empty() {
            return Err(KubernetesObjectsError::Nothing);
        }
        Ok(Self {
            text: text.to_owned(),
            objects: reader.objects,
        })
    }
}

impl TryFrom<String> for KubernetesObjects {
    type Error = KubernetesObjectsError;

    fn try_from(text: String) -> Result<Self, KubernetesObjectsError> {
        text.parse()
    }
}

impl From<KubernetesObjects> for String {
    fn from(objects: KubernetesObjects) -> Self {
        objects.text
    }
}

impl fmt::Debug for KubernetesObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::REDACTED)
    }
}

#[cfg(test)]
mod tests;
