//! `Environment`: variables for the services of the node.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::document::{Kind, kind};
use crate::schema::Shape;
use crate::types::{NoProxy, ProxyUrl, as_text};

/// As long as the longest name of a file; no variable in use comes near.
const MAX_NAME: usize = 255;

/// The kernel's MAX_ARG_STRLEN (linux/binfmts.h), 32 pages of 4 KiB: what `execve` takes of `NAME=VALUE` with its closing zero.
const MAX_VALUE: usize = 32 * 4096 - MAX_NAME - 2;

/// Variables for the services of the node, and the proxy that they reach other networks through.
///
/// Every service gets them; a variable that a service has of its own stays what it is there. They are read when a process starts, so
/// a change reaches a service with its next start, and until then `osctl services` says that it runs with older ones. Pods have an
/// environment of their own, and the node itself asks nobody through the proxy. Variables are shown with the config and are no place
/// for secrets; the user and the password in the URL of a proxy are not shown.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Environment
/// variables:
///   GOMEMLIMIT: 512MiB
/// httpProxy: http://proxy.example.org:3128
/// httpsProxy: http://proxy.example.org:3128
/// noProxy:
///   - 10.0.0.0/8
///   - .example.org
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// Variables by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<VariableName, VariableValue>,
    /// The proxy for what is asked over `http://`: the variables `HTTP_PROXY` and `http_proxy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_proxy: Option<ProxyUrl>,
    /// The proxy for what is asked over `https://`, whose own URL mostly begins with `http://` all the same: the variables
    /// `HTTPS_PROXY` and `https_proxy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https_proxy: Option<ProxyUrl>,
    /// What is reached without a proxy: the variables `NO_PROXY` and `no_proxy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_proxy: Vec<NoProxy>,
}

impl EnvironmentConfig {
    /// All variables that it makes, by their names; secrets included.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, String> {
        let own = self.variables.iter();
        let mut all: BTreeMap<_, _> = own
            .map(|(name, it)| (name.0.clone(), it.0.clone()))
            .collect();
        let without: Vec<String> = self.no_proxy.iter().map(ToString::to_string).collect();
        let without = (!without.is_empty()).then(|| without.join(","));
        let url = |it: &Option<ProxyUrl>| it.as_ref().map(ProxyUrl::to_url);
        for (name, value) in [
            ("HTTP_PROXY", url(&self.http_proxy)),
            ("HTTPS_PROXY", url(&self.https_proxy)),
            ("NO_PROXY", without),
        ] {
            if let Some(value) = value {
                // Some programs read the one and some the other.
                all.insert(name.to_ascii_lowercase(), value.clone());
                all.insert(name.to_owned(), value);
            }
        }
        all
    }
}

impl Kind for EnvironmentConfig {
    kind!(Environment);
}

/// The name of a variable: letters, digits and `_`, and no digit first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct VariableName(String);

/// Why a text is no name of a variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableNameError {
    /// Nothing there.
    #[error("the name of a variable must not be empty")]
    Empty,
    /// Longer than anybody needs.
    #[error("the name of a variable has at most {MAX_NAME} bytes, this one has {0}")]
    Long(usize),
    /// A character that a name has not.
    #[error("the name of a variable has only letters, digits and `_`, not {0:?}")]
    Character(char),
    /// A digit at its begin.
    #[error("the name of a variable begins with no digit: `{0}`")]
    Digit(String),
    /// One that the node sets.
    #[error("`{0}` is set by the node itself")]
    Own(String),
    /// One that is made of a field.
    #[error("`{0}` is made of the field `{1}`; write it there")]
    Field(String, &'static str),
}

impl FromStr for VariableName {
    type Err = VariableNameError;

    fn from_str(text: &str) -> Result<Self, VariableNameError> {
        let refused = |it: &char| !it.is_ascii_alphanumeric() && *it != '_';
        if text.is_empty() {
            return Err(VariableNameError::Empty);
        }
        if let Some(character) = text.chars().find(refused) {
            return Err(VariableNameError::Character(character));
        }
        if text.len() > MAX_NAME {
            return Err(VariableNameError::Long(text.len()));
        }
        if text.starts_with(|it: char| it.is_ascii_digit()) {
            return Err(VariableNameError::Digit(text.to_owned()));
        }
        let field = match text.to_ascii_uppercase().as_str() {
            "HTTP_PROXY" => "httpProxy",
            "HTTPS_PROXY" => "httpsProxy",
            "NO_PROXY" => "noProxy",
            _ if text == "PATH" => return Err(VariableNameError::Own(text.to_owned())),
            _ => return Ok(Self(text.to_owned())),
        };
        Err(VariableNameError::Field(text.to_owned(), field))
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(VariableName);

/// The value of a variable: any text that a process can be given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VariableValue(String);

/// Why a text is no value of a variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableValueError {
    /// Longer than the kernel takes.
    #[error("the value of a variable has at most {MAX_VALUE} bytes, this one has {0}")]
    Long(usize),
    /// Ends it, or is a slip.
    #[error(
        "the value of a variable has no control characters but tabs and line breaks, not {0:?}"
    )]
    Character(char),
}

impl FromStr for VariableValue {
    type Err = VariableValueError;

    fn from_str(text: &str) -> Result<Self, VariableValueError> {
        let refused = |it: &char| it.is_control() && !matches!(it, '\t' | '\n');
        if text.len() > MAX_VALUE {
            return Err(VariableValueError::Long(text.len()));
        }
        match text.chars().find(refused) {
            Some(character) => Err(VariableValueError::Character(character)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl crate::schema::Schema for VariableValue {
    fn shape() -> Shape {
        let about = format!("A text of at most {MAX_VALUE} bytes.");
        Shape::Scalar { about }
    }
}

impl<'de> Deserialize<'de> for VariableValue {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        // Numbers and truth values come as they are written.
        let text = String::deserialize(reader)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for VariableValue {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables() {
        for name in ["GOGC", "_x", "a1"] {
            assert_eq!(
                name.parse::<VariableName>().map(|it| it.to_string()),
                Ok(name.into())
            );
        }
        let long = "a".repeat(MAX_NAME + 1);
        for (name, error) in [
            ("", VariableNameError::Empty),
            ("A=B", VariableNameError::Character('=')),
            ("1A", VariableNameError::Digit("1A".into())),
            ("PATH", VariableNameError::Own("PATH".into())),
            (
                "no_proxy",
                VariableNameError::Field("no_proxy".into(), "noProxy"),
            ),
            (&long, VariableNameError::Long(MAX_NAME + 1)),
        ] {
            assert_eq!(name.parse::<VariableName>(), Err(error), "{name}");
        }
    }

    #[test]
    fn values_of_variables() {
        let most = "a".repeat(MAX_VALUE);
        for value in ["", "a b\tc\nd", "ä", &most] {
            assert_eq!(
                value.parse::<VariableValue>().map(|it| it.0),
                Ok(value.into())
            );
        }
        let long = "a".repeat(MAX_VALUE + 1).parse::<VariableValue>();
        assert_eq!(long, Err(VariableValueError::Long(MAX_VALUE + 1)));
        let zero = "a\0".parse::<VariableValue>();
        assert_eq!(zero, Err(VariableValueError::Character('\0')));
    }

    #[test]
    fn a_proxy_is_written_for_all_who_read_it() {
        let text = b"apiVersion: garboard/v1alpha1\nkind: Environment\nvariables: {A: 1, B: yes}\n\
            httpsProxy: http://me:it@proxy:3128\nnoProxy: [10.0.0.0/8, .example.org]\n";
        let documents = crate::check("a", text).unwrap();
        let all = documents.environment().unwrap().all();
        let all: Vec<_> = all
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            all,
            [
                "A=1",
                "B=yes",
                "HTTPS_PROXY=http://me:it@proxy:3128",
                "NO_PROXY=10.0.0.0/8,.example.org",
                "https_proxy=http://me:it@proxy:3128",
                "no_proxy=10.0.0.0/8,.example.org",
            ]
        );
    }

    #[test]
    fn a_password_is_in_no_output() {
        let proxied = |password: &str| {
            let text = format!(
                "apiVersion: garboard/v1alpha1\nkind: Environment\nhttpProxy: http://me:{password}@proxy:3128\n"
            );
            crate::check("a", text.as_bytes()).unwrap()
        };
        let (one, other) = (proxied("ONE"), proxied("OTHER"));
        let shown = one.redacted().to_yaml().unwrap();
        assert!(
            shown.contains("**redacted**@proxy:3128") && !shown.contains("ONE"),
            "{shown}"
        );
        assert!(!format!("{one:?}").contains("ONE"));
        assert_eq!(
            crate::diff(&one, &other),
            "@@ Environment @@\n only secrets differ\n"
        );
        let again = crate::check("a", shown.as_bytes()).unwrap_err().to_string();
        assert!(
            again.contains("a redacted secret cannot be read back"),
            "{again}"
        );
        // And where the line is wrong.
        for wrong in [
            "proxy:p4ssw0rd@host:1",
            "http://me:p4ss w0rd@host:1",
            "[http://me:p4ssw0rd@host:1",
        ] {
            let text =
                format!("apiVersion: garboard/v1alpha1\nkind: Environment\nhttpProxy: {wrong}\n");
            let told = crate::check("a", text.as_bytes()).unwrap_err().to_string();
            assert!(!told.contains("p4ss") && !told.contains("w0rd"), "{told}");
        }
    }
}
