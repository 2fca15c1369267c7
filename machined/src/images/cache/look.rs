//! Looks for bundles and reads them; one that is as it was is not read again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::Places;
use super::super::catalog::Bundle;
use super::super::folder::{Folder, Identity};
use super::super::layout::{self, ContentError, Layout, Name, sentence};

/// The bundles that are known.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    known: BTreeMap<PathBuf, Known>,
}

#[derive(Debug)]
struct Known {
    /// Of the list of images, by which it is known to have changed; none, when it is to be read again.
    list: Option<Identity>,
    bundle: Arc<Bundle>,
}

impl Shelf {
    /// The bundles that are there now. It may take as long as a medium does.
    pub(super) fn look(&mut self, places: &Places) -> Vec<Arc<Bundle>> {
        let mut before = std::mem::take(&mut self.known);
        let mut bundles = Vec::new();
        for path in folders(places) {
            if self.known.contains_key(&path) {
                continue;
            }
            if let Some(known) = known(&path, before.remove(&path)) {
                bundles.push(Arc::clone(&known.bundle));
                self.known.insert(path, known);
            }
        }
        bundles
    }
}

/// The folders that bundles may be in, those that count more first.
pub(super) fn folders(places: &Places) -> Vec<PathBuf> {
    let mut folders = places.bundles.clone();
    for shelf in &places.shelves {
        let entries = fs::read_dir(shelf).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        folders.append(&mut paths);
    }
    folders
}

/// What is in a folder, if that is a bundle.
fn known(path: &Path, before: Option<Known>) -> Option<Known> {
    // The same one as before, lest what is read there gets a second turn.
    let folder = before.as_ref().map(|it| it.bundle.folder.clone());
    let folder = folder.unwrap_or_else(|| Folder::new(path.to_owned()));
    let list = folder.identity(Name::Index);
    if matches!(list, Err(ContentError::Missing)) {
        let marked = folder.identity(Name::Layout);
        if matches!(marked, Err(ContentError::Missing)) {
            return None;
        }
    }
    let list = list.ok();
    if let Some(before) = before.filter(|it| it.list.is_some() && it.list == list) {
        return Some(before);
    }
    let (layout, fault) = match layout::read(&folder) {
        Ok(layout) => (layout, None),
        Err(error) => (Layout::default(), Some(sentence(&cosi::report(&error)))),
    };
    // What is wrong may be mended without a new list.
    let good = fault.is_none() && layout.images.iter().all(|it| it.problems.is_empty());
    let bundle = Arc::new(Bundle {
        folder,
        layout,
        fault,
    });
    Some(Known {
        list: list.filter(|_| good),
        bundle,
    })
}
