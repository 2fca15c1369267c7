//! Images and bundles as they are told: pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use resources::images::{CacheState, CachedImage, ImageBundle};

use super::super::Faults;
use super::super::catalog::{Bundle, Catalog};
use super::super::damage::Damage;
use super::super::layout::{Image, sentence};

/// What is told, by id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) images: BTreeMap<String, CachedImage>,
    pub(super) bundles: BTreeMap<String, ImageBundle>,
}

/// All that is to be told.
pub(super) fn rows(catalog: &Catalog, damage: &Damage, faults: &Faults) -> Rows {
    let mut rows = Rows::default();
    for (folder, reason) in faults {
        let row = ImageBundle {
            state: CacheState::Broken,
            problem: sentence(reason),
            ..ImageBundle::default()
        };
        rows.bundles.insert(folder.display().to_string(), row);
    }
    for bundle in catalog.bundles() {
        let mut problems: Vec<_> = bundle.fault.clone().into_iter().collect();
        for image in &bundle.layout.images {
            let id = id(image);
            match rows.images.get(&id) {
                None => drop(rows.images.insert(id, told(bundle, image, damage))),
                Some(first) if first.digest == image.digest.to_string() => {}
                Some(first) => problems.push(format!(
                    "its {id} is not used, since {} has another one of that name",
                    first.bundle
                )),
            }
        }
        let (id, row) = counted(bundle, &problems);
        rows.bundles.insert(id, row);
    }
    rows
}

/// What an image is asked for by.
fn id(image: &Image) -> String {
    match &image.name {
        Some(name) => name.to_string(),
        None => image.digest.to_string(),
    }
}

fn told(bundle: &Bundle, image: &Image, damage: &Damage) -> CachedImage {
    let mut problems = image.problems.clone();
    for part in &image.parts {
        let copy = (Arc::clone(bundle.folder.path()), *part);
        if let Some(reason) = damage.get(&copy) {
            problems.insert(*part, format!("{part}: {reason}"));
        }
    }
    CachedImage {
        digest: image.digest.to_string(),
        bytes: image.bytes,
        platforms: image.platforms.iter().cloned().collect(),
        bundle: bundle.folder.path().display().to_string(),
        state: state(problems.is_empty()),
        problem: all(&problems.into_values().collect::<Vec<_>>()),
    }
}

fn counted(bundle: &Bundle, problems: &[String]) -> (String, ImageBundle) {
    let layout = &bundle.layout;
    let bytes = layout.parts.values().map(|part| part.bytes);
    let row = ImageBundle {
        images: u32::try_from(layout.images.len()).unwrap_or(u32::MAX),
        bytes: bytes.fold(0, u64::saturating_add),
        state: state(bundle.fault.is_none()),
        problem: all(problems),
    };
    (bundle.folder.path().display().to_string(), row)
}

fn state(is_whole: bool) -> CacheState {
    if is_whole {
        CacheState::Whole
    } else {
        CacheState::Broken
    }
}

/// The first problem, and how many there are.
fn all(problems: &[String]) -> String {
    match problems {
        [] => String::new(),
        [only] => sentence(only),
        [first, others @ ..] => format!("{}; and {} more", sentence(first), others.len()),
    }
}
