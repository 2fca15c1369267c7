//! The JSON documents of a layout, with the fields that are used here and no others.
//!
//! Written by hand: the `oci-spec` crate brings twenty packages for these, and takes any text for a media type.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex;

/// Name and content of the file that marks a layout.
pub const MARKER: (&str, &str) = ("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");

/// Name of the index.
pub const INDEX: &str = "index.json";

/// The annotation that holds an image's reference.
pub const REFERENCE: &str = "org.opencontainers.image.ref.name";

/// The name of a blob: its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// Of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_hash(Sha256::new_with_prefix(bytes))
    }

    /// Of what went into a hash.
    #[must_use]
    pub fn from_hash(hash: Sha256) -> Self {
        Self(hex(&hash.finalize()))
    }

    /// The 64 digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix("sha256:").filter(|digits| {
            digits.len() == 64
                && digits
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        });
        match digits {
            Some(digits) => Ok(Self(digits.to_owned())),
            None => Err(format!("{text:?} is not sha256: and 64 digits")),
        }
    }
}

/// What a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaType {
    /// The list of images.
    #[serde(rename = "application/vnd.oci.image.index.v1+json")]
    Index,
    /// An image: its config and layers.
    #[serde(rename = "application/vnd.oci.image.manifest.v1+json")]
    Manifest,
    /// How an image is run.
    #[serde(rename = "application/vnd.oci.image.config.v1+json")]
    Config,
    /// Files.
    #[serde(rename = "application/vnd.oci.image.layer.v1.tar+zstd")]
    Layer,
}

/// A blob that another document refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Descriptor {
    /// What it is.
    pub media_type: MediaType,
    /// Its name.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Where an image runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// More about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Where an image runs, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The processor.
    pub architecture: String,
    /// The system.
    pub os: String,
}

/// The list of images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Index {
    /// Two.
    pub schema_version: u32,
    /// [`MediaType::Index`].
    pub media_type: MediaType,
    /// The images.
    pub manifests: Vec<Descriptor>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Two.
    pub schema_version: u32,
    /// [`MediaType::Manifest`].
    pub media_type: MediaType,
    /// How it is run.
    pub config: Descriptor,
    /// Its files, the lowest layer first.
    pub layers: Vec<Descriptor>,
}

/// How an image is run, and what its layers are once they are unpacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The one time of the build.
    pub created: String,
    /// The processor.
    pub architecture: String,
    /// The system.
    pub os: String,
    /// How it is run.
    pub config: Run,
    /// The layers.
    pub rootfs: RootFs,
}

/// How an image is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Run {
    /// `uid:gid`, in numbers: nothing needs to look names up.
    pub user: String,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The folder it starts in.
    pub working_dir: String,
    /// More about it.
    pub labels: BTreeMap<String, String>,
}

/// The layers of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of their archives, before they were compressed.
    pub diff_ids: Vec<Digest>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_a_name_and_sixty_four_digits() {
        let empty = Digest::of(b"").to_string();
        assert!(empty.starts_with("sha256:e3b0c44298fc1c14"), "{empty}");
        assert_eq!(Digest::try_from(empty.clone()).unwrap().to_string(), empty);
        for bad in [
            empty.replace("sha256", "sha512"),
            empty.to_uppercase(),
            format!("{empty}0"),
            "sha256:../../etc/passwd".to_owned(),
            String::new(),
        ] {
            assert!(Digest::try_from(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let digest = Digest::of(b"x");
        let descriptor = |kind: &str, more: &str| {
            let text =
                format!("{{\"mediaType\":\"{kind}\",\"digest\":\"{digest}\",\"size\":1{more}}}");
            serde_json::from_str::<Descriptor>(&text)
        };
        let kind = "application/vnd.oci.image.layer.v1.tar+zstd";
        let read = descriptor(kind, "").unwrap();
        assert_eq!(read.media_type, MediaType::Layer);
        descriptor("application/x", "").unwrap_err();
        descriptor(kind, ",\"urls\":[]").unwrap_err();
    }
}
