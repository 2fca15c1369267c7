//! The JSON documents of the OCI image specification, as far as they say what belongs to an image.
//!
//! Fields that are not known are passed over, as the specification asks for: it grows. The crate `oci-spec` has all of them and
//! brings thirty packages more, for what is three small structures here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use thiserror::Error;

use super::digest::Digest;
use super::reference::{Reference, ReferenceError};

/// The annotation of an index that says what an image is called.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The longest document, in bytes. Registries need not take more than four times as much, and the largest known ones are a tenth.
pub const LONGEST: u64 = 1 << 20;

/// The longest type or subtype of a media type, in bytes (RFC 6838, 4.2).
const LONGEST_NAME: usize = 127;

/// What a piece of content is, such as `application/vnd.oci.image.manifest.v1+json`. It can stand in a header.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MediaType(String);

/// It is no media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a media type is two words with / between them")]
pub struct MediaTypeError;

/// What a piece of content is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It lists images of several platforms.
    Index,
    /// It lists the parts of one image.
    Manifest,
    /// A part.
    Other,
}

impl MediaType {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What such content is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.as_str() {
            "application/vnd.oci.image.index.v1+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json" => Kind::Index,
            "application/vnd.oci.image.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v2+json" => Kind::Manifest,
            _ => Kind::Other,
        }
    }
}

impl TryFrom<String> for MediaType {
    type Error = MediaTypeError;

    fn try_from(text: String) -> Result<Self, MediaTypeError> {
        let word = |text: &str| {
            let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(sign)
        };
        let words = text.split_once('/');
        if words.is_some_and(|(first, second)| word(first) && word(second)) {
            Ok(Self(text))
        } else {
            Err(MediaTypeError)
        }
    }
}

/// What a piece of content is called by, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What else is said of it.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// What it runs on.
    #[serde(default)]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// What the image is called, if it has a name.
    ///
    /// # Errors
    /// The name is no whole reference.
    pub fn name(&self) -> Result<Option<Reference>, ReferenceError> {
        let name = self.annotations.get(REF_NAME);
        name.map(|name| name.parse()).transpose()
    }
}

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// The kernel, such as `linux`.
    pub os: String,
    /// The processor, such as `amd64`.
    pub architecture: String,
    /// Which kind of it, such as `v8`.
    #[serde(default)]
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// The file `oci-layout`, by which a folder is known to be a bundle.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutFile {
    /// The version of the layout's form.
    pub image_layout_version: String,
}

/// A list of images: the file `index.json`, or an image for several platforms.
#[derive(Clone, Debug, Deserialize)]
pub struct Index {
    /// The images, or further lists.
    pub manifests: Vec<Descriptor>,
}

/// One image.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// How it is run.
    pub config: Descriptor,
    /// What its file system is made of.
    pub layers: Vec<Descriptor>,
}
