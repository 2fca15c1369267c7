//! What images are called by: the registry they are from, their repository there, and a tag or a digest.
//!
//! The grammar is that of the OCI distribution specification, and for whole references that of containerd: the registry is always
//! named. What has been read is of letters, digits and few signs; nothing of it can lead out of a folder.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::digest::{Digest, DigestError};

/// The longest registry or repository, in bytes: what registries take (the distribution specification, "Pulling manifests").
const LONGEST: usize = 255;

/// The longest tag, in bytes (the same place).
const LONGEST_TAG: usize = 128;

/// Why a text is no name of an image, or of a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The registry.
    #[error("a registry is a host, with a port or without, such as registry.k8s.io")]
    Registry,
    /// The repository.
    #[error(
        "a repository is words of small letters and digits, with . _ __ or - inside and / between them"
    )]
    Repository,
    /// The tag.
    #[error("a tag is up to 128 letters, digits and ._- and begins with none of .-")]
    Tag,
    /// The digest.
    #[error("the digest")]
    Digest(#[source] DigestError),
    /// Neither tag nor digest.
    #[error("a tag or a digest is missing, as in registry.k8s.io/pause:3.10")]
    Bare,
}

/// The host that images are from, such as `registry.k8s.io` or `registry.lab:5000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registry(String);

/// The name of images in their registry, such as `coredns/coredns`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository(String);

/// What tells an image from others of its repository, and may mean another one tomorrow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(String);

/// Which image of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The one that has this tag now.
    Tag(Tag),
    /// This very one.
    Digest(Digest),
}

/// A whole reference, such as `registry.k8s.io/pause:3.10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where it is from.
    pub registry: Registry,
    /// What it is called there.
    pub repository: Repository,
    /// Its tag. One of the two is there.
    pub tag: Option<Tag>,
    /// Its digest.
    pub digest: Option<Digest>,
}

impl FromStr for Registry {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address stand in brackets.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()),
            _ => (text, Some(0)),
        };
        let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let plain = |text: &str| {
            let sign = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
            let end = |byte: &u8| byte.is_ascii_alphanumeric();
            let bytes = text.as_bytes();
            bytes.iter().all(|byte| sign(*byte))
                && bytes.first().is_some_and(end)
                && bytes.last().is_some_and(end)
        };
        let host = match inner {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => plain(host),
        };
        if host && port.is_some() && text.len() <= LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(ReferenceError::Registry)
        }
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.len() <= LONGEST && text.split('/').all(is_word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ReferenceError::Repository)
        }
    }
}

/// Whether it is small letters and digits, with one dot, one or two underscores or any number of dashes between them.
fn is_word(text: &str) -> bool {
    let plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit();
    let between =
        |signs: &str| matches!(signs, "." | "_" | "__") || signs.bytes().all(|byte| byte == b'-');
    text.starts_with(plain) && text.ends_with(plain) && text.split(plain).all(between)
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first = text.bytes().next().is_some_and(word);
        let rest = text.bytes().all(|byte| word(byte) || b".-".contains(&byte));
        if first && rest && text.len() <= LONGEST_TAG {
            Ok(Self(text.to_owned()))
        } else {
            Err(ReferenceError::Tag)
        }
    }
}

impl FromStr for Wanted {
    type Err = ReferenceError;

    /// A tag has no colon, so what has one is meant to be a digest.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            let digest = text.parse().map_err(ReferenceError::Digest)?;
            return Ok(Self::Digest(digest));
        }
        text.parse().map(Self::Tag)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let digest = digest.parse().map_err(ReferenceError::Digest)?;
                (name, Some(digest))
            }
            None => (text, None),
        };
        let (registry, name) = name.split_once('/').ok_or(ReferenceError::Registry)?;
        if !is_host(registry) {
            return Err(ReferenceError::Registry);
        }
        let (repository, tag) = match name.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.parse()?)),
            None => (name, None),
        };
        if tag.is_none() && digest.is_none() {
            return Err(ReferenceError::Bare);
        }
        Ok(Self {
            registry: registry.parse()?,
            repository: repository.parse()?,
            tag,
            digest,
        })
    }
}

/// Whether it looks like a host and not like the first word of a repository: as Docker and containerd tell them apart.
fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':'])
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_is_written_as_it_was_read() {
        for text in [
            "registry.k8s.io/pause:3.10",
            "registry.k8s.io/coredns/coredns:v1.14.0",
            "localhost/a:b",
            "registry.lab:5000/a-b/c__d/e.f:_1.2-3",
            "[fd00::1]:5000/a:b",
            "[fd00::1]/a:b",
            &format!("docker.io/library/busybox@{DIGEST}"),
            &format!("docker.io/library/busybox:1@{DIGEST}"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_with_what_is_wrong() {
        let of = |text: &str| text.parse::<Reference>().unwrap_err();
        for text in [
            "",
            "pause:3.10",
            "library/pause:1",
            "a_b.c/d:e",
            "-a.b/c:d",
            "a.b:x/c:d",
        ] {
            assert_eq!(of(text), ReferenceError::Registry, "{text}");
        }
        for text in [
            "a.b/:c",
            "a.b//c:d",
            "a.b/../c:d",
            "a.b/..:d",
            "a.b/C:d",
            "a.b/c.:d",
            "a.b/c___d:e",
            "a.b/c..d:e",
            "a.b/c/:d",
            "a.b/%2e:d",
            "a.b/c d:e",
            "a.b/c\0d:e",
        ] {
            assert_eq!(of(text), ReferenceError::Repository, "{text}");
        }
        for text in ["a.b/c:", "a.b/c:.", "a.b/c:-d", "a.b/c:d/e", "a.b/c:d:e"] {
            assert_eq!(of(text), ReferenceError::Tag, "{text}");
        }
        assert_eq!(of("a.b/c"), ReferenceError::Bare);
        assert!(matches!(of("a.b/c@sha256:0"), ReferenceError::Digest(_)));
        let long = format!("a.b/{}:d", "c".repeat(LONGEST + 1));
        assert_eq!(of(&long), ReferenceError::Repository);
        let long = format!("a.b/c:{}", "d".repeat(LONGEST_TAG + 1));
        assert_eq!(of(&long), ReferenceError::Tag);
    }

    #[test]
    fn a_colon_makes_a_digest() {
        assert_eq!("1.2".parse(), Ok(Wanted::Tag(Tag("1.2".to_owned()))));
        assert_eq!(DIGEST.parse(), Ok(Wanted::Digest(Digest::of(b""))));
        assert!("sha256:1".parse::<Wanted>().is_err());
    }
}
