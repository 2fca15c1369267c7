//! An object of Kubernetes that somebody wants created: what names it.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::kubernetes::inputs;

/// Why something is no object.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum ObjectError {
    /// It lacks what every object has.
    #[error("an object has no {0}")]
    Lacks(&'static str),
    /// It cannot be told from others of its kind.
    #[error("{0} has no metadata.name, so that it would be another one every time it is created")]
    Nameless(String),
}

/// An object with what names it, read once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    value: Value,
}

impl Object {
    /// Reads what names it.
    ///
    /// # Errors
    /// Something of that is missing.
    pub(super) fn new(value: Value) -> Result<Self, ObjectError> {
        let text = |pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str);
            text.filter(|it| !it.is_empty()).map(str::to_owned)
        };
        let api_version = text("/apiVersion").ok_or(ObjectError::Lacks("apiVersion"))?;
        let kind = text("/kind").ok_or(ObjectError::Lacks("kind"))?;
        let name = text("/metadata/name").ok_or_else(|| ObjectError::Nameless(kind.clone()))?;
        let namespace = text("/metadata/namespace");
        Ok(Self {
            api_version,
            kind,
            namespace,
            name,
            value,
        })
    }

    /// The group and version of its kind, such as `apps/v1`.
    pub(super) fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Its kind, such as `DaemonSet`.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// The namespace that it says it is in.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// All of it.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// What stands for it where only some characters may stand, and stays when a newer version of its kind is used: hexadecimal
    /// digits.
    pub(super) fn key(&self) -> String {
        let group = self.api_version.split_once('/').map_or("", |(it, _)| it);
        let namespace = self.namespace.as_deref().unwrap_or_default();
        inputs::of([group, &self.kind, namespace, &self.name])
    }
}

/// As people name it.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, namespace: &str) -> Object {
        let value = json!({"apiVersion": api_version, "kind": "Deployment", "metadata": {"name": "a", "namespace": namespace}});
        Object::new(value).unwrap()
    }

    #[test]
    fn what_names_an_object_is_its_key_but_for_the_version() {
        let key = |api_version, namespace| object(api_version, namespace).key();
        assert_eq!(key("apps/v1", "x"), key("apps/v2", "x"));
        assert_ne!(key("apps/v1", "x"), key("apps/v1", "y"));
        assert_ne!(key("apps/v1", "x"), key("v1", "x"));
        assert!(key("v1", "x").chars().all(|it| it.is_ascii_hexdigit()));
        assert_eq!(object("apps/v1", "x").to_string(), "Deployment x/a");
    }

    #[test]
    fn what_lacks_a_name_is_no_object() {
        let new = |value| Object::new(value).unwrap_err().to_string();
        assert!(new(json!([])).contains("apiVersion"));
        assert!(new(json!({"apiVersion": "v1"})).contains("kind"));
        let nameless =
            new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}}));
        assert!(nameless.contains("Pod has no metadata.name"), "{nameless}");
    }
}
