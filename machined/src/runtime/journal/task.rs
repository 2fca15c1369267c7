//! Keeps logs small in memory, and copies them to disk while there is one.
//!
//! One task looks every two seconds. The disk is worked on by a thread that may hang with it: then nothing more is copied,
//! and the logs in memory are cut all the same.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use resources::block::{VolumePhase, VolumeStatus};
use resources::runtime::Reboot;
use store::{Resource, Spec, Store, Transaction};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::boots::{Boot, Boots};
use super::copy::Copier;
use super::kernel::Kernel;
use super::{FOLDER, JournalError, Previous};
use crate::runtime::logs::Logs;

/// How often logs are looked at: a service that writes ten thousand lines a second has added a few megabytes by then,
/// which a node still bears.
const LOOK: Duration = Duration::from_secs(2);

/// How often the disk is made to keep what was copied: what a power cut may take is no more than this.
const SYNC: Duration = Duration::from_secs(15);

/// What the last words of a machine that goes down may take.
const LAST: Duration = Duration::from_secs(3);

/// Who writes how boots ended.
const WRITER: &str = "runtime.journal.status";

/// The volume that logs are on.
const VOLUME: &str = "EPHEMERAL";

/// Logs on disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    boot: Arc<Boot>,
    kernel: Arc<Path>,
    work: Arc<Mutex<Work>>,
    /// The folder of boots and the number of this one, while there is a disk. Apart, as the work may hang.
    shelf: Arc<Mutex<Option<(PathBuf, u64)>>>,
}

/// What works on the disk.
#[derive(Debug, Default)]
struct Work {
    place: Option<PathBuf>,
    copier: Option<Copier>,
    synced: Option<Instant>,
}

impl Journal {
    /// Of the boot that runs, with the kernel's log at `kernel`.
    #[must_use]
    pub fn new(boot: Boot, kernel: &Path) -> Self {
        Self {
            boot: Arc::new(boot),
            kernel: kernel.into(),
            work: Arc::default(),
            shelf: Arc::default(),
        }
    }

    /// Opens a log of the boot before this one.
    ///
    /// # Errors
    /// There is none, or nothing is known of it yet.
    pub fn previous(&self, name: &str) -> Result<Previous, JournalError> {
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, current) = shelf.clone().ok_or(JournalError::NoPlace)?;
        Previous::open(&folder, current, name)
    }

    /// Copies to the folder of boots, which may be another one than before, or gone; the boots, when it was opened anew.
    ///
    /// # Errors
    /// Something was not copied; the rest was.
    pub(super) fn tick(
        &self,
        place: Option<PathBuf>,
        logs: &Logs,
        now: (Timestamp, Instant),
    ) -> Result<Option<Vec<Reboot>>, JournalError> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if work.place != place {
            *work = Work::default();
            *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        let Some(folder) = place else { return Ok(None) };
        let mut opened = None;
        if work.copier.is_none() {
            let copier = self.open(&folder, now.0)?;
            let boots = copier.boots();
            let shelf = (folder.clone(), boots.current());
            *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = Some(shelf);
            opened = Some(boots.all()?);
            work.copier = Some(copier);
            work.place = Some(folder);
        }
        let due = work.synced.is_none_or(|synced| synced + SYNC <= now.1);
        if let Some(copier) = &mut work.copier {
            copier.copy(logs)?;
            if due {
                copier.sync()?;
                work.synced = Some(now.1);
            }
        }
        Ok(opened)
    }

    fn open(&self, folder: &Path, now: Timestamp) -> Result<Copier, JournalError> {
        let boots = Boots::open(folder, &self.boot, now)?;
        // Without the kernel's log the others are copied all the same.
        let kernel = Kernel::open(&self.kernel);
        if let Err(error) = &kernel {
            tracing::warn!("{}", cosi::report(error));
        }
        Copier::new(boots, kernel.ok())
    }

    /// Has the disk keep all that was said, and that this boot ends in order. Takes no longer than the machine can wait.
    pub async fn end(&self, reason: String, logs: Logs) {
        let journal = self.clone();
        let last = spawn_blocking(move || journal.last_words(&reason, &logs));
        match timeout(LAST, last).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!("{}", cosi::report(&error)),
            Ok(Err(error)) => tracing::warn!(%error, "the last words are not kept"),
            Err(_) => tracing::warn!("the disk is too slow for the last words"),
        }
    }

    fn last_words(&self, reason: &str, logs: &Logs) -> Result<(), JournalError> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(copier) = &mut work.copier else {
            return Ok(());
        };
        let copied = copier.copy(logs).and_then(|()| copier.sync());
        copier.boots().end(reason, Timestamp::now()).and(copied)
    }
}

/// Looks after logs for as long as the daemon lives. Cancel-safe: a copy that is under way goes on to its end.
pub async fn run(journal: Journal, logs: Logs, store: Store) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut working: Option<JoinHandle<_>> = None;
    let mut complaints = Complaints::default();
    loop {
        ticks.tick().await;
        let mut work = working.take().unwrap_or_else(|| {
            let (journal, logs, place) = (journal.clone(), logs.clone(), place(&store));
            let now = (Timestamp::now(), Instant::now());
            spawn_blocking(move || journal.tick(place, &logs, now))
        });
        match timeout(LOOK, &mut work).await {
            Ok(Ok(Ok(opened))) => {
                complaints.of_disk(None);
                tell(&store, opened.unwrap_or_default());
            }
            Ok(Ok(Err(error))) => complaints.of_disk(Some(cosi::report(&error))),
            Ok(Err(error)) => complaints.of_disk(Some(error.to_string())),
            // It hangs with its disk; it is asked again with the next look.
            Err(_) => working = Some(work),
        }
        complaints.of_memory(logs.cut().err().map(|error| cosi::report(&error)));
    }
}

/// Where logs are to be copied, while the volume is there.
fn place(store: &Store) -> Option<PathBuf> {
    let volume = store
        .snapshot()
        .get_as::<VolumeStatus>(VolumeStatus::DEFINITION.namespace, VOLUME)?;
    let ready = volume.spec.phase == VolumePhase::Ready && !volume.spec.mounted_at.is_empty();
    ready.then(|| Path::new(&volume.spec.mounted_at).join(FOLDER))
}

/// Said once each, or the complaints would fill the very logs that cannot be kept.
#[derive(Debug, Default)]
struct Complaints {
    disk: bool,
    memory: bool,
}

impl Complaints {
    fn of_disk(&mut self, error: Option<String>) {
        if let (Some(error), false) = (&error, self.disk) {
            tracing::warn!(error, "logs are not copied to disk");
        }
        self.disk = error.is_some();
    }

    fn of_memory(&mut self, error: Option<String>) {
        if let (Some(error), false) = (&error, self.memory) {
            tracing::warn!(error, "logs are not kept small");
        }
        self.memory = error.is_some();
    }
}

fn tell(store: &Store, boots: Vec<Reboot>) {
    let Some(last) = boots.last() else { return };
    let mut transaction =
        Transaction::owned(WRITER).caused_outside(format!("boot {}", last.number));
    for boot in boots {
        let resource = Resource::in_default(boot.number.to_string(), boot);
        transaction = transaction.put(resource);
    }
    if let Err(error) = store.commit(transaction, Timestamp::now()) {
        tracing::error!("telling of boots: {}", cosi::report(&error));
    }
}
