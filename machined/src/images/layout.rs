//! Reads what a bundle (an OCI image layout) holds: which images, of which parts, and what is wrong with them.
//!
//! Pure but for [`Content`]. What is wrong with one image is told of that image; only without a list of images there are none.
//! Documents count only when their bytes have the digest that they are listed by. Parts are looked for but not read: whoever sends
//! one to somebody checks it then. However the documents refer to each other, each is read once for an image.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

use serde::de::DeserializeOwned;
use thiserror::Error;

use super::digest::Digest;
use super::document::{Descriptor, Index, Kind, LONGEST, LayoutFile, Manifest, MediaType};
use super::reference::Reference;

/// The most parts of all images of a bundle: several hundred images, each for many platforms.
pub const MOST_PARTS: usize = 16_384;

/// The longest sentence about what is wrong, in characters: what a file says may be in it.
const LONGEST_PROBLEM: usize = 240;

/// A file of a bundle. There are no others, and no other paths.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    /// By which a folder is known to be a bundle.
    Layout,
    /// The list of images.
    Index,
    /// A piece of content.
    Blob(Digest),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => f.write_str("oci-layout"),
            Self::Index => f.write_str("index.json"),
            Self::Blob(digest) => write!(f, "blobs/sha256/{}", digest.digits()),
        }
    }
}

/// The files of a bundle.
pub trait Content {
    /// A whole file of at most `most` bytes.
    ///
    /// # Errors
    /// It is not there, longer, or cannot be read.
    fn read(&self, name: Name, most: u64) -> Result<Vec<u8>, ContentError>;

    /// How long a file is.
    ///
    /// # Errors
    /// It is not there, or cannot be looked at.
    fn bytes(&self, name: Name) -> Result<u64, ContentError>;
}

/// Why a file of a bundle is of no use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ContentError {
    /// There is none.
    #[error("it is missing")]
    Missing,
    /// A folder, a link, a device.
    #[error("it is no plain file")]
    Kind,
    /// More than was expected of such a file.
    #[error("it is longer than {0} bytes")]
    Long(u64),
    /// The medium.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
}

/// Why a document of a bundle is of no use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The file.
    #[error("{0}")]
    Content(Name, #[source] ContentError),
    /// Its text.
    #[error("{0} is not what it should be")]
    Json(Name, #[source] serde_json::Error),
    /// A layout of another form.
    #[error("oci-layout is of version {0:?}, and this node reads 1.x")]
    Version(String),
    /// Other bytes than were listed.
    #[error("{0} has other bytes than its digest says")]
    Digest(Name),
}

/// What a bundle holds.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Its images, in the order of its list.
    pub images: Vec<Image>,
    /// Everything that its images are made of.
    pub parts: BTreeMap<Digest, Part>,
}

/// An image, for one platform or for several.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it is called; one without a name is found by its digest alone.
    pub name: Option<Reference>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// How long all its parts are together.
    pub bytes: u64,
    /// What it runs on, as far as the list says.
    pub platforms: BTreeSet<String>,
    /// The digests of its parts, its own among them.
    pub parts: BTreeSet<Digest>,
    /// What is wrong with which part.
    pub problems: BTreeMap<Digest, String>,
}

/// A part of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub media_type: MediaType,
    /// How long it is.
    pub bytes: u64,
}

impl Part {
    /// Whether it is a list of parts, which registries serve apart from the others.
    #[must_use]
    pub fn is_manifest(&self) -> bool {
        self.media_type.kind() != Kind::Other
    }
}

/// Reads a bundle.
///
/// # Errors
/// It says of no image that it is there.
pub fn read(content: &impl Content) -> Result<Layout, DocumentError> {
    let file: LayoutFile = document(content, Name::Layout)?;
    if !file.image_layout_version.starts_with("1.") {
        return Err(DocumentError::Version(file.image_layout_version));
    }
    let index: Index = document(content, Name::Index)?;
    let mut layout = Layout::default();
    for descriptor in index.manifests {
        let image = image(content, descriptor, &mut layout.parts);
        layout.images.push(image);
    }
    Ok(layout)
}

/// What is wrong, in one line that is not too long, with no sign that could do more than be read.
#[must_use]
pub fn sentence(problem: &str) -> String {
    let plain = |sign: char| if sign.is_control() { ' ' } else { sign };
    let mut text: String = problem.chars().take(LONGEST_PROBLEM).map(plain).collect();
    if problem.chars().nth(LONGEST_PROBLEM).is_some() {
        text.push('…');
    }
    text
}

fn document<T: DeserializeOwned>(content: &impl Content, name: Name) -> Result<T, DocumentError> {
    let bytes = content.read(name, LONGEST);
    let bytes = bytes.map_err(|source| DocumentError::Content(name, source))?;
    serde_json::from_slice(&bytes).map_err(|source| DocumentError::Json(name, source))
}

/// A document that is listed by its digest; what it lists in turn.
fn listed(
    content: &impl Content,
    descriptor: &Descriptor,
) -> Result<Vec<Descriptor>, DocumentError> {
    let name = Name::Blob(descriptor.digest);
    let bytes = content.read(name, LONGEST);
    let bytes = bytes.map_err(|source| DocumentError::Content(name, source))?;
    if Digest::of(&bytes) != descriptor.digest {
        return Err(DocumentError::Digest(name));
    }
    let read = match descriptor.media_type.kind() {
        Kind::Index => serde_json::from_slice(&bytes).map(|it: Index| it.manifests),
        _ => serde_json::from_slice(&bytes).map(|it: Manifest| {
            let mut parts = it.layers;
            parts.push(it.config);
            parts
        }),
    };
    read.map_err(|source| DocumentError::Json(name, source))
}

/// Follows an image to all its parts.
fn image(content: &impl Content, top: Descriptor, parts: &mut BTreeMap<Digest, Part>) -> Image {
    let mut image = Image {
        name: None,
        digest: top.digest,
        bytes: 0,
        platforms: BTreeSet::new(),
        parts: BTreeSet::new(),
        problems: BTreeMap::new(),
    };
    match named(&top) {
        Ok(name) => image.name = name,
        Err(problem) => drop(image.problems.insert(top.digest, sentence(&problem))),
    }
    let mut runs = false;
    let mut open = vec![(top, false)];
    while let Some((descriptor, may_miss)) = open.pop() {
        let (digest, kind) = (descriptor.digest, descriptor.media_type.kind());
        if image.parts.contains(&digest) {
            continue;
        }
        let there = content.bytes(Name::Blob(digest));
        if may_miss && matches!(there, Err(ContentError::Missing)) {
            continue;
        }
        runs |= kind == Kind::Manifest;
        image.parts.insert(digest);
        image.bytes = image.bytes.saturating_add(descriptor.size);
        match part(content, &descriptor, there, parts) {
            // Of an image for many platforms a bundle may have only some.
            Ok(further) => open.extend(further.into_iter().map(|it| (it, kind == Kind::Index))),
            Err(problem) => drop(image.problems.insert(digest, sentence(&problem))),
        }
        let platform = descriptor.platform.filter(|it| it.os != "unknown");
        let platform = platform.map(|it| sentence(&it.to_string()));
        image.platforms.extend(platform);
    }
    if !runs {
        let problem = "there is no image in it for any platform".to_owned();
        image.problems.entry(image.digest).or_insert(problem);
    }
    image
}

/// What an image is called.
fn named(top: &Descriptor) -> Result<Option<Reference>, String> {
    let name = top.name();
    let name = name.map_err(|error| format!("it has a wrong name: {}", cosi::report(&error)))?;
    match name.as_ref().and_then(|name| name.digest) {
        Some(other) if other != top.digest => Err(format!(
            "its name says {other}, and the list says {}",
            top.digest
        )),
        _ => Ok(name),
    }
}

/// Notes one part, and says what it is made of in turn; or what is wrong with it.
fn part(
    content: &impl Content,
    descriptor: &Descriptor,
    there: Result<u64, ContentError>,
    parts: &mut BTreeMap<Digest, Part>,
) -> Result<Vec<Descriptor>, String> {
    let (digest, bytes) = (descriptor.digest, descriptor.size);
    if parts.len() >= MOST_PARTS && !parts.contains_key(&digest) {
        return Err(format!(
            "the bundle has more than {MOST_PARTS} parts, and {digest} is beyond"
        ));
    }
    let there = there.map_err(|error| format!("{digest}: {}", cosi::report(&error)))?;
    if there != bytes {
        return Err(format!("{digest} has {there} bytes instead of {bytes}"));
    }
    let further = match descriptor.media_type.kind() {
        Kind::Other => Vec::new(),
        _ => listed(content, descriptor).map_err(|error| cosi::report(&error))?,
    };
    // Two may list it as different things. What is listed as a manifest has been read as one.
    let part = Part {
        media_type: descriptor.media_type.clone(),
        bytes,
    };
    match parts.get_mut(&digest) {
        Some(known) if part.is_manifest() => *known = part,
        Some(_) => {}
        None => drop(parts.insert(digest, part)),
    }
    Ok(further)
}

#[cfg(test)]
mod tests;
