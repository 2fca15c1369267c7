//! All bundles together: which image a name means, and who has a piece of content.
//!
//! Of two images of one name that in the bundle named first counts. Content is the same wherever it lies, so all who have it are
//! told: where one copy is damaged, the next one does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::digest::Digest;
use super::folder::Folder;
use super::layout::{Layout, Part};
use super::reference::{Registry, Repository, Tag};

/// A bundle as it was read.
#[derive(Debug)]
pub struct Bundle {
    /// Where it is.
    pub folder: Folder,
    /// What it holds; nothing, when there is a fault.
    pub layout: Layout,
    /// Why it could not be read.
    pub fault: Option<String>,
}

/// What is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No image of that repository.
    Repository,
    /// None with that tag.
    Tag,
}

/// All bundles.
#[derive(Debug, Default)]
pub struct Catalog {
    bundles: Vec<Arc<Bundle>>,
    names: BTreeMap<(Registry, Repository), BTreeMap<Tag, Digest>>,
}

/// A bundle that has a piece of content, as far as its lists say.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The bundle.
    pub folder: Folder,
    /// The content.
    pub part: Part,
}

impl Catalog {
    /// Of these bundles, those that count more first.
    #[must_use]
    pub fn new(bundles: Vec<Arc<Bundle>>) -> Self {
        let mut names: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for image in bundles.iter().flat_map(|it| &it.layout.images) {
            let Some(name) = &image.name else { continue };
            let repository = (name.registry.clone(), name.repository.clone());
            let tags = names.entry(repository).or_default();
            if let Some(tag) = &name.tag {
                tags.entry(tag.clone()).or_insert(image.digest);
            }
        }
        Self { bundles, names }
    }

    /// The bundles.
    #[must_use]
    pub fn bundles(&self) -> &[Arc<Bundle>] {
        &self.bundles
    }

    /// The image that a tag means.
    ///
    /// # Errors
    /// It means none.
    pub fn tagged(
        &self,
        registry: &Registry,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Digest, Unknown> {
        let name = (registry.clone(), repository.clone());
        let tags = self.names.get(&name).ok_or(Unknown::Repository)?;
        tags.get(tag).copied().ok_or(Unknown::Tag)
    }

    /// Who has this content.
    #[must_use]
    pub fn copies(&self, digest: &Digest) -> Vec<Copy> {
        let copy = |bundle: &Arc<Bundle>| {
            let part = bundle.layout.parts.get(digest)?;
            Some(Copy {
                folder: bundle.folder.clone(),
                part: part.clone(),
            })
        };
        self.bundles.iter().filter_map(copy).collect()
    }
}
