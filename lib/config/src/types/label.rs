//! The keys and values of Kubernetes' labels, which annotations and taints share.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

use super::Hostname;

/// Of a name and of a value (`LabelValueMaxLength` of apimachinery).
const MAX_BYTES: usize = 63;

/// The keys of Kubernetes that a kubelet takes from its own node (`kubeletLabels` of its well-known labels), without those that it
/// finds out by itself.
const ALLOWED: [&str; 6] = [
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
];

/// Those that it finds out by itself.
const FOUND: [&str; 5] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];

/// A key of Kubernetes: a name of up to 63 letters, digits, `-`, `_` and `.`, mostly with a domain and a `/` before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct LabelKey(String);

/// The key of a label that a node may give itself: any but those below `kubernetes.io` and `k8s.io`, of which only
/// `topology.kubernetes.io/zone` and `region`, `node.kubernetes.io/...` and `kubelet.kubernetes.io/...` are open to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct NodeLabelKey(LabelKey);

/// The value of a label: up to 63 letters, digits, `-`, `_` and `.`; it may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct LabelValue(String);

/// Why a text is no key, or no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The name in a key.
    #[error(
        "a key of Kubernetes has 1 to {MAX_BYTES} letters, digits, `-`, `_` and `.`, a letter or digit at each end, like `example.org/rack`: `{0}`"
    )]
    Name(String),
    /// What stands before the `/`.
    #[error("what stands before `/` in a key of Kubernetes is a domain: {0}")]
    Domain(super::HostnameError),
    /// Not a value.
    #[error(
        "a value has up to {MAX_BYTES} letters, digits, `-`, `_` and `.`, a letter or digit at each end: `{0}`"
    )]
    Value(String),
    /// One that the kubelet sets.
    #[error("the kubelet gives its node `{0}` by itself")]
    Found(String),
    /// One that Kubernetes lets no node give itself.
    #[error(
        "Kubernetes lets no node give itself `{0}`; `kubectl label node` does, or choose a key of another domain"
    )]
    Reserved(String),
}

impl LabelKey {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `/`; empty without one.
    fn domain(&self) -> &str {
        self.0.split_once('/').map_or("", |(domain, _)| domain)
    }
}

impl NodeLabelKey {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl LabelValue {
    /// The value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether it is not empty, not too long, and of the characters that names and values have.
fn is_name(text: &str) -> bool {
    let inside = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    let bytes = text.as_bytes();
    let edge = |it: Option<&u8>| it.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= MAX_BYTES
        && bytes.iter().copied().all(inside)
        && edge(bytes.first())
        && edge(bytes.last())
}

/// Whether a domain is this one, or below it.
fn within(domain: &str, above: &str) -> bool {
    domain
        .strip_suffix(above)
        .is_some_and(|it| it.is_empty() || it.ends_with('.'))
}

impl FromStr for LabelKey {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let name = match text.split_once('/') {
            Some((domain, name)) => {
                domain.parse::<Hostname>().map_err(LabelError::Domain)?;
                name
            }
            None => text,
        };
        match is_name(name) {
            true => Ok(Self(text.to_owned())),
            false => Err(LabelError::Name(text.to_owned())),
        }
    }
}

impl FromStr for NodeLabelKey {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let key: LabelKey = text.parse()?;
        let domain = key.domain();
        let of_kubernetes = within(domain, "kubernetes.io") || within(domain, "k8s.io");
        let open = within(domain, "node.kubernetes.io") || within(domain, "kubelet.kubernetes.io");
        if FOUND.contains(&text) {
            return Err(LabelError::Found(text.to_owned()));
        }
        if of_kubernetes && !open && !ALLOWED.contains(&text) {
            return Err(LabelError::Reserved(text.to_owned()));
        }
        Ok(Self(key))
    }
}

impl FromStr for LabelValue {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        match text.is_empty() || is_name(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(LabelError::Value(text.to_owned())),
        }
    }
}

impl fmt::Display for LabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NodeLabelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LabelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::as_text!(LabelKey);
super::as_text!(NodeLabelKey);
super::as_text!(LabelValue);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for text in [
            "a",
            "rack",
            "example.org/Rack_1.x",
            "kubernetes.io/hostname",
        ] {
            assert_eq!(text.parse::<LabelKey>().unwrap().as_str(), text);
        }
        let long = "a".repeat(64);
        for text in ["", "-a", "a-", "a b", "a/", "a/b/c", &long] {
            let error = text.parse::<LabelKey>().unwrap_err();
            assert_eq!(error, LabelError::Name(text.to_owned()));
        }
        for text in ["/a", "Example.org/a", "a_b/c"] {
            let error = text.parse::<LabelKey>().unwrap_err();
            assert!(matches!(error, LabelError::Domain(_)), "{text}");
        }
    }

    #[test]
    fn a_node_gives_itself_no_label_that_its_kubelet_would_stop_at() {
        for text in [
            "rack",
            "example.org/rack",
            "topology.kubernetes.io/zone",
            "node.kubernetes.io/anything",
            "gpu.node.kubernetes.io/model",
            "kubelet.kubernetes.io/a",
            "notkubernetes.io/a",
        ] {
            assert_eq!(text.parse::<NodeLabelKey>().unwrap().as_str(), text);
        }
        for text in [
            "node-role.kubernetes.io/worker",
            "kubernetes.io/a",
            "k8s.io/a",
            "x.k8s.io/a",
            "node-restriction.kubernetes.io/a",
            "topology.kubernetes.io/rack",
        ] {
            let error = text.parse::<NodeLabelKey>().unwrap_err();
            assert_eq!(error, LabelError::Reserved(text.to_owned()));
        }
        let error = "kubernetes.io/hostname".parse::<NodeLabelKey>();
        assert!(matches!(error, Err(LabelError::Found(_))));
    }

    #[test]
    fn values() {
        for text in ["", "a", "1.2-3_X"] {
            assert_eq!(text.parse::<LabelValue>().unwrap().as_str(), text);
        }
        for text in [".a", "a b", "a/b"] {
            let error = text.parse::<LabelValue>().unwrap_err();
            assert_eq!(error, LabelError::Value(text.to_owned()));
        }
    }
}
