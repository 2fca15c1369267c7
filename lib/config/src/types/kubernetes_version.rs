//! A version of Kubernetes that this build can run.

use std::fmt;
use std::str::FromStr;

use derive::Schema;

/// The minors of Kubernetes 1 that this build knows the flags, the files and the order of: the one whose images it carries, and the
/// one before, which a cluster is upgraded from. Whatever is rendered has to be understood by both.
const MINORS: [u16; 2] = [36, 37];

/// A version of Kubernetes, `MAJOR.MINOR.PATCH`, of a minor that this build of the node can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct KubernetesVersion {
    minor: u16,
    patch: u16,
}

/// Why a text is no version that can be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubernetesVersionError {
    /// Not three numbers.
    #[error("a version of Kubernetes is three numbers, like {newest}, not `{0}`", newest = KubernetesVersion::NEWEST)]
    Form(String),
    /// As its releases are tagged.
    #[error("write the version without `v`: {0}")]
    Tag(String),
    /// Another minor.
    #[error("this build of the node runs Kubernetes {known}, not {0}", known = known())]
    Minor(String),
}

/// The minors that there are, as people write them.
fn known() -> String {
    MINORS.map(|it| format!("1.{it}")).join(" and ")
}

impl KubernetesVersion {
    /// The newest one whose images are carried with the node.
    pub const NEWEST: Self = Self {
        minor: 37,
        patch: 1,
    };

    /// The first number.
    #[must_use]
    pub fn major(self) -> u16 {
        1
    }

    /// The second number.
    #[must_use]
    pub fn minor(self) -> u16 {
        self.minor
    }

    /// The third number.
    #[must_use]
    pub fn patch(self) -> u16 {
        self.patch
    }
}

/// A number in its one spelling.
fn number(text: &str) -> Option<u16> {
    let number: u16 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl FromStr for KubernetesVersion {
    type Err = KubernetesVersionError;

    fn from_str(text: &str) -> Result<Self, KubernetesVersionError> {
        let numbers: Option<Vec<u16>> = text.split('.').map(number).collect();
        match numbers.as_deref() {
            Some([1, minor, patch]) if MINORS.contains(minor) => Ok(Self {
                minor: *minor,
                patch: *patch,
            }),
            Some([major, minor, _]) => {
                let minor = format!("{major}.{minor}");
                Err(KubernetesVersionError::Minor(minor))
            }
            _ => Err(match text.strip_prefix('v').map(Self::from_str) {
                Some(Ok(it)) => KubernetesVersionError::Tag(it.to_string()),
                Some(Err(KubernetesVersionError::Minor(it))) => KubernetesVersionError::Minor(it),
                _ => KubernetesVersionError::Form(text.to_owned()),
            }),
        }
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}", self.minor, self.patch)
    }
}

super::as_text!(KubernetesVersion);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for text in ["1.36.3", "1.37.0", "1.37.1", "1.37.12"] {
            let version: KubernetesVersion = text.parse().unwrap();
            assert_eq!(version.to_string(), text);
        }
        let error = |text: &str| text.parse::<KubernetesVersion>().unwrap_err();
        for text in [
            "",
            "1.37",
            "1.37.1.2",
            "1.37.01",
            "1.37.1-rc.1",
            "1.37.+1",
            "v",
            "vv1.37.1",
        ] {
            assert_eq!(
                error(text),
                KubernetesVersionError::Form(text.into()),
                "{text}"
            );
        }
        for (text, minor) in [("1.35.9", "1.35"), ("v1.38.0", "1.38"), ("2.37.1", "2.37")] {
            assert_eq!(error(text), KubernetesVersionError::Minor(minor.into()));
        }
        let tag = KubernetesVersionError::Tag("1.37.1".into());
        assert_eq!(error("v1.37.1"), tag);
    }

    /// What the node's images are built from.
    #[test]
    fn the_newest_is_what_is_carried() {
        let newest = KubernetesVersion::NEWEST;
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let module = root.join(format!("image/go/kubernetes/1.{}/go.mod", newest.minor()));
        let module = std::fs::read_to_string(module).unwrap();
        let line = format!("k8s.io/kubernetes v{newest} ");
        assert!(module.contains(&line), "the node does not carry {newest}");
    }
}
