//! Keeps the catalog, and says which images and bundles there are.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use resources::block::Mount;
use resources::images::{CacheState, CachedImage, ImageBundle};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::super::catalog::{Bundle, Catalog};
use super::super::damage::Prover;
use super::super::{Faults, Places};
use super::look::{Shelf, folders};
use super::rows::{Rows, rows};
use crate::runtime::readable;

/// How soon a bundle that something is wrong with is looked at again: a medium may answer by then, or somebody has mended it.
const AGAIN: Duration = Duration::from_secs(60);

/// The controller.
#[derive(Debug)]
pub struct Status {
    places: Arc<Places>,
    shelf: Arc<Mutex<Shelf>>,
    catalog: watch::Sender<Arc<Catalog>>,
    prover: Prover,
    faults: watch::Receiver<Faults>,
    inotify: Arc<Inotify>,
    /// What the log has been told of.
    told: BTreeMap<String, ImageBundle>,
}

cosi::declare! {
    Status as "images.cache.status" {
        // What is mounted over a folder makes no other noise.
        reads Mount;
        writes CachedImage;
        writes ImageBundle;
    }
}

impl Status {
    /// Looks in these places, publishes what it finds, and tells of the damage that was found on it, and of those that could
    /// not be mounted.
    ///
    /// # Errors
    /// The kernel cannot watch folders.
    pub fn new(
        places: Places,
        catalog: watch::Sender<Arc<Catalog>>,
        prover: Prover,
        faults: watch::Receiver<Faults>,
    ) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Self {
            places: Arc::new(places),
            shelf: Arc::default(),
            catalog,
            prover,
            faults,
            inotify: Arc::new(inotify),
            told: BTreeMap::new(),
        })
    }

    /// Reads the bundles on a thread that may hang with a medium, without anything else.
    async fn look(&self) -> Result<Vec<Arc<Bundle>>, Error> {
        let (places, shelf) = (Arc::clone(&self.places), Arc::clone(&self.shelf));
        let inotify = Arc::clone(&self.inotify);
        let look = move || {
            // Before it is looked: what changes in between wakes us again.
            watch_folders(&inotify, &places);
            let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.look(&places)
        };
        Ok(spawn_blocking(look).await?)
    }

    /// Says once what has become of each bundle.
    fn log(&mut self, bundles: BTreeMap<String, ImageBundle>) {
        for (folder, row) in &bundles {
            if self.told.get(folder) == Some(row) {
                continue;
            }
            let (images, problem) = (row.images, &row.problem);
            if problem.is_empty() {
                tracing::info!(folder, images, "images are here");
            } else {
                tracing::warn!(folder, images, problem, "images are here, not all of them");
            }
        }
        for folder in self.told.keys().filter(|it| !bundles.contains_key(*it)) {
            tracing::info!(folder, "images are gone");
        }
        self.told = bundles;
    }
}

impl Controller for Status {
    fn sources(&mut self) -> Vec<Source> {
        let mut sources = vec![news(self.prover.damage()), news(self.faults.clone())];
        match readable(Changes(Arc::clone(&self.inotify))) {
            Ok(changes) => sources.push(changed(changes)),
            Err(error) => tracing::error!(%error, "images that come and go are not noticed"),
        }
        sources
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let bundles = self.look().await?;
        let there = bundles.iter().map(|it| Arc::clone(it.folder.path()));
        let there: Vec<Arc<Path>> = there.collect();
        let catalog = Arc::new(Catalog::new(bundles));
        self.catalog.send_replace(Arc::clone(&catalog));
        self.prover.keep_only(&there);
        let damage = self.prover.damage().borrow().clone();
        let Rows { images, bundles } = rows(&catalog, &damage, &self.faults.borrow());
        let broken = images.values().any(|it| it.state == CacheState::Broken)
            || bundles.values().any(|it| it.state == CacheState::Broken);
        cx.replace::<CachedImage>();
        cx.replace::<ImageBundle>();
        for (id, row) in images {
            cx.put(id, row);
        }
        for (id, row) in &bundles {
            cx.put(id.as_str(), row.clone());
        }
        self.log(bundles);
        Ok(if broken {
            Outcome::Requeue(AGAIN)
        } else {
            Outcome::Done
        })
    }
}

/// Watches all folders that a bundle may be in, or come into.
fn watch_folders(inotify: &Inotify, places: &Places) {
    let what = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_ONLYDIR;
    for folder in places.shelves.iter().chain(&folders(places)) {
        // What is no folder, or none any more, has nothing to watch.
        if let Err(error) = inotify.add_watch(folder, what) {
            tracing::debug!(folder = %folder.display(), %error, "not watched");
        }
    }
}

/// What the kernel tells of folders, in the form the runtime watches.
#[derive(Debug)]
struct Changes(Arc<Inotify>);

impl AsRawFd for Changes {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Wakes when something in a folder has changed.
fn changed(changes: AsyncFd<Changes>) -> Source {
    Box::pin(stream::unfold(changes, |changes| async {
        match changes.readable().await {
            Ok(mut ready) => {
                // What the events say does not matter, only that there were some.
                while changes.get_ref().0.read_events().is_ok() {}
                ready.clear_ready();
            }
            Err(error) => {
                tracing::error!(%error, "images that come and go are not noticed any more");
                return None;
            }
        }
        Some(((), changes))
    }))
}

/// Wakes when something has been found damaged, or mended; when something could not be mounted, or could.
fn news<T: Send + Sync + 'static>(told: watch::Receiver<T>) -> Source {
    Box::pin(stream::unfold(told, |mut told| async {
        told.changed().await.ok()?;
        Some(((), told))
    }))
}
