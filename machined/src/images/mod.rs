//! The images that came with the node, and the registry on it that serves them.
//!
//! ```text
//! bundles (folders) -> cache/status -> catalog -> registry -> containerd
//!                         |    ^                     |
//!                     resources └──── damage ────────┘
//! ```
//!
//! A bundle is an OCI image layout. Where bundles are is given as a list of folders; who mounts what there is not of concern here,
//! only what he could not mount.
//! Reading ([`layout`], [`document`], [`reference`](mod@reference), [`catalog`]) and deciding what to answer are pure; [`folder`] opens files.

pub mod cache;
pub mod catalog;
pub mod damage;
pub mod digest;
pub mod document;
pub mod folder;
pub mod layout;
pub mod pin;
pub mod reference;
pub mod registries;
pub mod registry;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use self::cache::status::Status;
use self::catalog::Catalog;
use self::damage::Prover;
use self::registry::Registry;

/// The bundle in the root, where an image was built with one.
const IN_ROOT: &str = "/usr/share/garboard/bundle";

/// The folder whose folders are bundles, in what outlives this daemon: media are mounted there.
const MOUNTED: &str = "bundles";

/// Where bundles are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Bundles, those that count more first. One that is not there is none.
    pub bundles: Vec<PathBuf>,
    /// Folders whose folders are bundles; they count less, in the order of their names.
    pub shelves: Vec<PathBuf>,
}

impl Places {
    /// Where media are mounted, of a node that keeps what outlives this daemon in `run`.
    #[must_use]
    pub fn mounted(run: &Path) -> PathBuf {
        run.join(MOUNTED)
    }

    /// Those of a node that keeps what outlives this daemon in `run`.
    #[must_use]
    pub fn of_node(run: &Path) -> Self {
        Self {
            bundles: vec![IN_ROOT.into()],
            shelves: vec![Self::mounted(run)],
        }
    }
}

/// Folders in which bundles should be and are not, and why.
pub type Faults = BTreeMap<PathBuf, String>;

/// What looks for images in these places, and what serves them; `faults` are told with the bundles.
///
/// # Errors
/// The folder for what is mounted cannot be made, or the kernel cannot watch folders.
pub fn parts(places: Places, faults: watch::Receiver<Faults>) -> io::Result<(Status, Registry)> {
    for shelf in &places.shelves {
        std::fs::create_dir_all(shelf)?;
    }
    let (catalog, served) = watch::channel(Arc::new(Catalog::default()));
    let prover = Prover::default();
    let status = Status::new(places, catalog, prover.clone(), faults)?;
    Ok((status, Registry::new(served, prover)))
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
