//! Print columns: the small part of JSONPath that resource definitions use.
//!
//! `operState`, `addresses[0].cidr`, `routes[*].to`, `labels["a.b"]`, with or without the braces and the leading dot
//! of the common notation. What is not there prints as nothing.

use serde_json::Value;

/// A path is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is not a path to a value")]
pub struct PathError {
    path: String,
}

/// A compiled path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    All,
}

impl Path {
    /// Compiles a path.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn new(text: &str) -> Result<Self, PathError> {
        steps(text).map(Self).ok_or_else(|| PathError {
            path: text.to_owned(),
        })
    }

    /// What a table shows at that place: text as it is, several values separated by commas, structures as JSON.
    #[must_use]
    pub fn print(&self, spec: &Value) -> String {
        let mut found = vec![spec];
        for step in &self.0 {
            found = found
                .into_iter()
                .flat_map(|value| -> Vec<&Value> {
                    match step {
                        Step::Key(key) => value.get(key).into_iter().collect(),
                        Step::Index(at) => value.get(*at).into_iter().collect(),
                        Step::All => match value {
                            Value::Array(items) => items.iter().collect(),
                            Value::Object(map) => map.values().collect(),
                            _ => Vec::new(),
                        },
                    }
                })
                .collect();
        }
        let texts: Vec<_> = found.into_iter().map(text).collect();
        texts.join(",")
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) if !list.iter().any(is_structure) => {
            list.iter().map(text).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

fn is_structure(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let text = text.trim();
    let text = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => text,
    };
    let text = text.strip_prefix('$').unwrap_or(text);
    // The leading dot is optional, and alone it means the whole spec.
    let mut rest = text.strip_prefix('.').unwrap_or(text);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = match rest.strip_prefix('[') {
            Some(inner) => bracket(inner)?,
            None => key(rest)?,
        };
        steps.push(step);
        rest = match rest.strip_prefix('.') {
            Some("") => return None,
            Some(next) => next,
            None if rest.is_empty() || rest.starts_with('[') => rest,
            None => return None,
        };
    }
    Some(steps)
}

fn key(text: &str) -> Option<(Step, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (key, rest) = text.split_at_checked(end)?;
    let step = match key {
        "" => return None,
        "*" => Step::All,
        key => Step::Key(key.to_owned()),
    };
    Some((step, rest))
}

fn bracket(text: &str) -> Option<(Step, &str)> {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            let (key, rest) = quoted.split_once(quote)?;
            return Some((Step::Key(key.to_owned()), rest.strip_prefix(']')?));
        }
    }
    let (inside, rest) = text.split_once(']')?;
    let step = match inside {
        "*" => Step::All,
        digits => Step::Index(digits.parse().ok()?),
    };
    Some((step, rest))
}

/// Every column's value for a spec's YAML; a column whose path is malformed, or a spec that is no YAML, prints as
/// nothing, for a table is no place to fail.
#[must_use]
pub fn columns<'a>(yaml: &str, paths: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let spec: Value = serde_yaml::from_str(yaml).unwrap_or_default();
    paths
        .into_iter()
        .map(|path| Path::new(path).map_or_else(|_| String::new(), |path| path.print(&spec)))
        .collect()
}

#[cfg(test)]
mod tests;
