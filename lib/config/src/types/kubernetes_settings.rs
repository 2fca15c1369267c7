//! Settings of a program of Kubernetes as people write them: one object in YAML.

use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::kubernetes_objects::json;
use crate::tree;

/// YAML of one object with `apiVersion` and `kind`. What a scalar means is what it means to `kubectl`.
#[derive(Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(try_from = "String", into = "String")]
#[schema(text)]
pub struct KubernetesSettings {
    text: String,
    value: Json,
}

/// JSON has no numbers that are not equal to themselves.
impl Eq for KubernetesSettings {}

/// Why a text is no settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubernetesSettingsError {
    /// It is no YAML, or has what is not taken.
    #[error("line {line} of the text: {message}")]
    Yaml {
        /// Counted in the text.
        line: usize,
        /// In words.
        message: String,
    },
    /// None or several.
    #[error("settings are one document of YAML, and there are {0}")]
    Count(usize),
    /// A number that JSON has not.
    #[error("there is a number that is infinite or none at all")]
    Number,
    /// A field that says what the settings are is not there, or no text.
    #[error("the settings have no `{0}`")]
    Lacks(&'static str),
}

impl KubernetesSettings {
    /// What is set.
    #[must_use]
    pub fn value(&self) -> &Json {
        &self.value
    }

    /// Whether they are of this version and kind.
    #[must_use]
    pub fn is(&self, version: &str, kind: &str) -> bool {
        let says = |field: &str, word: &str| self.value.get(field).is_some_and(|it| it == word);
        says("apiVersion", version) && says("kind", kind)
    }
}

impl FromStr for KubernetesSettings {
    type Err = KubernetesSettingsError;

    fn from_str(text: &str) -> Result<Self, KubernetesSettingsError> {
        let trees = tree::read(text, 0).map_err(|error| KubernetesSettingsError::Yaml {
            line: error.position.line,
            message: error.message,
        })?;
        let [tree] = trees.as_slice() else {
            return Err(KubernetesSettingsError::Count(trees.len()));
        };
        let value = json(&tree.node).ok_or(KubernetesSettingsError::Number)?;
        for field in ["apiVersion", "kind"] {
            if !value.get(field).is_some_and(Json::is_string) {
                return Err(KubernetesSettingsError::Lacks(field));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            value,
        })
    }
}

impl TryFrom<String> for KubernetesSettings {
    type Error = KubernetesSettingsError;

    fn try_from(text: String) -> Result<Self, KubernetesSettingsError> {
        text.parse()
    }
}

impl From<KubernetesSettings> for String {
    fn from(settings: KubernetesSettings) -> Self {
        settings.text
    }
}

impl fmt::Debug for KubernetesSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_that_says_what_it_is() {
        let settings: KubernetesSettings = "apiVersion: a/v1\nkind: Policy\nmode: 0644\n"
            .parse()
            .unwrap();
        assert!(settings.is("a/v1", "Policy"));
        assert!(!settings.is("a/v2", "Policy") && !settings.is("a/v1", "Other"));
        assert_eq!(settings.value()["mode"], 0o644);
        let refused = |text: &str| {
            let error = text.parse::<KubernetesSettings>();
            error.expect_err(text).to_string()
        };
        assert_eq!(refused("- a"), "the settings have no `apiVersion`");
        assert_eq!(
            refused("apiVersion: v1\nkind: 7"),
            "the settings have no `kind`"
        );
        assert!(refused("# nothing").ends_with("there are 0"));
        assert!(refused("a: b\n---\na: b").ends_with("there are 2"));
        assert!(refused("a: [").starts_with("line 1 of the text: "));
        assert!(refused("apiVersion: v1\nkind: A\nb: .inf").contains("infinite"));
    }
}
