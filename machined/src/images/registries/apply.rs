//! Writes what containerd is told of registries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::images::{CachedImage, RegistryEndpoint, RegistrySpec, RegistryStatus};
use resources::runtime::TrustedRootsSpec;

use super::judge::judge;
use super::render::{Own, render};
use super::tree;
use crate::images::reference::Reference;
use crate::runtime::trusted_roots;

/// The controller.
#[derive(Debug)]
pub struct Apply {
    place: PathBuf,
    /// Whether what is there was written by a daemon before this one.
    inherited: bool,
}

cosi::declare! {
    Apply as "images.registries.apply" {
        reads RegistrySpec;
        reads TrustedRootsSpec;
        reads CachedImage;
        writes RegistryStatus;
    }
}

impl Apply {
    /// Keeps a folder for each registry at this place, which is read by containerd.
    #[must_use]
    pub fn new(place: PathBuf) -> Self {
        Self {
            inherited: place.exists(),
            place,
        }
    }
}

/// What the node has images of.
fn own<'a>(ids: impl IntoIterator<Item = &'a str>) -> Own {
    let mut own = Own::default();
    for id in ids {
        match id.parse::<Reference>() {
            Ok(reference) => drop(own.registries.insert(reference.registry.to_string())),
            Err(_) => own.unnamed = true,
        }
    }
    own
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let specs = cx.list::<RegistrySpec>();
        let mut asked: BTreeMap<String, Vec<RegistryEndpoint>> = BTreeMap::new();
        let mut statuses = Vec::new();
        for it in &specs {
            let (endpoints, status) = judge(it.id(), &it.spec);
            asked.insert(it.id().to_owned(), endpoints);
            statuses.push((it.id().to_owned(), status));
        }
        let roots = cx.list::<TrustedRootsSpec>();
        let roots = trusted_roots::apply::believed(roots.iter().map(|it| &*it.spec));
        let images = cx.list::<CachedImage>();
        let own = own(images.iter().map(|it| it.id()));
        // What is missing may only mean that the config has not been read yet; then what is there is right for longer.
        if !self.inherited || cx.deletions_allowed() {
            let roots = Some(roots.as_str()).filter(|it| !it.is_empty());
            let tree = render(&asked, &own, roots);
            if tree::replace(&self.place, &tree)? {
                tracing::info!(registries = asked.len(), "containerd is told of registries");
            }
            self.inherited = false;
        }
        cx.replace::<RegistryStatus>();
        for (id, status) in statuses {
            cx.put(id, status);
        }
        Ok(Outcome::Done)
    }
}
