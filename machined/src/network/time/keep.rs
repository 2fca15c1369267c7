//! The last time that was right, kept on the node's disk: a machine without a clock of its own begins there and not years before.
//!
//! Only a time is kept that somebody vouched for, or that the config leaves to the machine: what an empty battery made up would
//! otherwise come back at every start. Read back it moves the clock forward alone, and not one that is known to be right.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::block::{VolumePhase, VolumeStatus};
use resources::net::{TIME, TimeSpec};
use store::{Spec, Store};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use super::kernel::{Kernel, Now};
use crate::config::{Disk, DiskError, Files};

/// The volume that it is kept on.
const VOLUME: &str = "STATE";
/// The file: seconds since 1970, as a line of text.
const FILE: &str = "time";
/// What it is called until it is whole.
const UNFINISHED: &str = "time.unfinished";
/// How often it is kept. After a power cut the clock begins this much too early at most, which certificates bear: they are
/// back-dated an hour.
const EVERY: Duration = Duration::from_secs(5 * 60);
/// How long the end of the machine waits for its disk.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The first second of 2104, where NTP's count of seconds ends: no clock of ours is ever later.
const LAST: i64 = 4_228_675_200;

/// Why the time could not be kept or read.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("the folder of the kept time")]
    Folder(#[source] DiskError),
    #[error("keeping the time in {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
    #[error("reading the clocks")]
    Clock(#[source] io::Error),
    #[error("moving the clock to the time kept")]
    Set(#[source] io::Error),
    #[error("the thread that keeps the time")]
    Thread(#[source] JoinError),
}

/// The controller. Its disk may be slow or broken, so it is worked on by a thread of its own.
#[derive(Debug)]
pub struct Keep {
    keeper: Arc<Mutex<Keeper>>,
    /// Where it was kept last.
    folder: Option<PathBuf>,
}

/// What keeps the time.
#[derive(Debug)]
struct Keeper {
    kernel: Box<dyn Kernel>,
    /// The folder that has been read.
    read: Option<PathBuf>,
}

cosi::declare! {
    Keep as "network.time.keep" {
        reads VolumeStatus;
        reads TimeSpec;
    }
}

impl Keep {
    /// Keeps the time of these clocks.
    #[must_use]
    pub fn new(kernel: impl Kernel) -> Self {
        let keeper = Keeper {
            kernel: Box::new(kernel),
            read: None,
        };
        Self {
            keeper: Arc::new(Mutex::new(keeper)),
            folder: None,
        }
    }
}

impl Keeper {
    /// Begins with the time kept in a folder if that was not done before, then keeps the time there. `left` says that the config
    /// leaves the clock to the machine.
    fn look(&mut self, folder: &Path, left: bool) -> Result<(), Error> {
        let mut files = Disk::open(folder).map_err(KeepError::Folder)?;
        if self.read.as_deref() != Some(folder) {
            let now = self.kernel.now().map_err(KeepError::Clock)?;
            if let Some(by) = ahead(read(&files), now) {
                self.kernel.advance(by).map_err(KeepError::Set)?;
                tracing::info!(seconds = by.as_secs(), "the clock begins at the time kept");
            }
            self.read = Some(folder.to_owned());
        }
        let now = self.kernel.now().map_err(KeepError::Clock)?;
        if now.trusted || left {
            let written = write(&mut files, now);
            written.map_err(|source| KeepError::Write(folder.to_owned(), source))?;
        }
        Ok(())
    }
}

/// Keeps the time a last time, for the end of the machine, if its disk is there. A disk that does not answer holds nothing up.
pub async fn last(store: &Store, kernel: impl Kernel) {
    let volumes: Vec<_> = store
        .snapshot()
        .list_as::<VolumeStatus>(VolumeStatus::DEFINITION.namespace)
        .collect();
    let Some(folder) = folder(volumes.iter().map(|it| (it.id(), &*it.spec))) else {
        return;
    };
    let mut keeper = Keeper {
        kernel: Box::new(kernel),
        // What is kept there is older than this life of the machine.
        read: Some(folder.clone()),
    };
    let kept = spawn_blocking(move || keeper.look(&folder, false));
    match timeout(LAST_WORDS, kept).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "the time is not kept"),
        Ok(Err(error)) => tracing::warn!(%error, "the time is not kept"),
        Err(_) => tracing::warn!("the disk does not answer, and the time is not kept"),
    }
}

/// Where the volume of the node's state is, while it is there.
#[must_use]
pub fn folder<'a>(
    volumes: impl IntoIterator<Item = (&'a str, &'a VolumeStatus)>,
) -> Option<PathBuf> {
    let mut volumes = volumes.into_iter();
    let (_, state) = volumes.find(|(id, _)| *id == VOLUME)?;
    let ready = state.phase == VolumePhase::Ready && !state.mounted_at.is_empty();
    ready.then(|| PathBuf::from(&state.mounted_at))
}

/// By how much the clock is to be moved forward.
fn ahead(kept: Option<i64>, now: Now) -> Option<Duration> {
    let ahead = i128::from(kept?) * 1_000_000_000 - i128::from(now.real);
    let ahead = u64::try_from(ahead).ok().filter(|it| *it > 0)?;
    (!now.trusted).then(|| Duration::from_nanos(ahead))
}

/// The time kept, in seconds; one that is none is passed over.
fn read(files: &Disk) -> Option<i64> {
    let bytes = match files.read(FILE) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(%error, "the time kept cannot be read");
            return None;
        }
    };
    let text = str::from_utf8(&bytes).ok();
    let seconds = text.and_then(|it| it.strip_suffix('\n')?.parse().ok());
    let seconds = seconds.filter(|it| (0..LAST).contains(it));
    if seconds.is_none() {
        tracing::warn!("the time kept is none, and passed over");
    }
    seconds
}

fn write(files: &mut Disk, now: Now) -> io::Result<()> {
    let text = format!("{}\n", now.real / 1_000_000_000);
    files.write(UNFINISHED, text.as_bytes())?;
    files.rename(UNFINISHED, FILE)?;
    files.sync()
}

impl Controller for Keep {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        let volumes = cx.list::<VolumeStatus>();
        let Some(folder) = folder(volumes.iter().map(|it| (it.id(), &*it.spec))) else {
            self.folder = None;
            return Ok(Outcome::Done);
        };
        // A change of other volumes is no reason to write.
        if dirty.is_all() || dirty.is_requeued() || self.folder.as_ref() != Some(&folder) {
            let spec = cx.get::<TimeSpec>(TIME);
            let left = spec.is_some_and(|it| !it.spec.enabled);
            let (keeper, place) = (Arc::clone(&self.keeper), folder.clone());
            let kept = spawn_blocking(move || {
                let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
                keeper.look(&place, left)
            });
            kept.await.map_err(KeepError::Thread)??;
            self.folder = Some(folder);
        }
        Ok(Outcome::Requeue(EVERY))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use jiff::Timestamp;
    use store::{Resource, Transaction};
    use sys::clock::{Correction, Leap};

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct FakeKernel(Arc<Mutex<Now>>);

    impl FakeKernel {
        fn at(second: i64, trusted: bool) -> Self {
            let kernel = Self::default();
            kernel.set(second, trusted);
            kernel
        }

        fn set(&self, second: i64, trusted: bool) {
            let mut now = self.0.lock().unwrap();
            (now.real, now.trusted) = (second * 1_000_000_000, trusted);
        }

        fn second(&self) -> i64 {
            self.0.lock().unwrap().real / 1_000_000_000
        }
    }

    impl Kernel for FakeKernel {
        fn now(&self) -> io::Result<Now> {
            Ok(*self.0.lock().unwrap())
        }

        fn slew(&mut self, _: &Correction) -> io::Result<()> {
            unreachable!("keeping moves no clock like that")
        }

        fn step(&mut self, _: i64, _: Duration, _: Leap) -> io::Result<()> {
            unreachable!("keeping vouches for no clock")
        }

        fn advance(&mut self, by: Duration) -> io::Result<()> {
            self.0.lock().unwrap().real += i64::try_from(by.as_nanos()).unwrap();
            Ok(())
        }
    }

    fn keeper(clock: &FakeKernel) -> Keeper {
        Keeper {
            kernel: Box::new(clock.clone()),
            read: None,
        }
    }

    #[test]
    fn a_machine_without_a_clock_begins_where_it_was_right_last() {
        let disk = tempfile::tempdir().unwrap();
        let kept = || fs::read_to_string(disk.path().join(FILE)).ok();
        let clock = FakeKernel::at(100, false);
        let mut keep = keeper(&clock);
        keep.look(disk.path(), false).unwrap();
        assert_eq!(kept(), None, "nobody vouched for it");
        clock.set(5000, true);
        keep.look(disk.path(), false).unwrap();
        assert_eq!(kept().as_deref(), Some("5000\n"));
        clock.set(6000, true);
        keep.look(disk.path(), false).unwrap();
        assert_eq!(kept().as_deref(), Some("6000\n"));

        // The next start, on an empty battery, then on one that runs ahead: nobody goes back by what is kept.
        let clock = FakeKernel::at(100, false);
        keeper(&clock).look(disk.path(), false).unwrap();
        assert_eq!(clock.second(), 6000);
        let clock = FakeKernel::at(9000, false);
        keeper(&clock).look(disk.path(), false).unwrap();
        assert_eq!(clock.second(), 9000);
        assert_eq!(kept().as_deref(), Some("6000\n"));
        // A clock that time servers have set knows better, back or forth.
        let clock = FakeKernel::at(200, true);
        keeper(&clock).look(disk.path(), false).unwrap();
        assert_eq!(clock.second(), 200);
        assert_eq!(kept().as_deref(), Some("200\n"));
    }

    #[test]
    fn once_begun_the_file_moves_nothing() {
        let disk = tempfile::tempdir().unwrap();
        let clock = FakeKernel::at(100, false);
        let mut keep = keeper(&clock);
        keep.look(disk.path(), true).unwrap();
        fs::write(disk.path().join(FILE), "9000\n").unwrap();
        keep.look(disk.path(), true).unwrap();
        assert_eq!(clock.second(), 100);
    }

    #[test]
    fn what_is_no_time_is_passed_over_and_replaced() {
        for text in ["", "6000", "x\n", "-1\n", "99999999999999\n", "60\n00\n"] {
            let disk = tempfile::tempdir().unwrap();
            fs::write(disk.path().join(FILE), text).unwrap();
            // A power cut left an unfinished one.
            fs::write(disk.path().join(UNFINISHED), "9").unwrap();
            let clock = FakeKernel::at(100, false);
            keeper(&clock).look(disk.path(), true).unwrap();
            assert_eq!(clock.second(), 100, "{text:?}");
            let now = fs::read_to_string(disk.path().join(FILE)).unwrap();
            assert_eq!(now, "100\n");
            assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1);
        }
    }

    #[tokio::test]
    async fn the_end_keeps_it_if_there_is_a_disk() {
        let disk = tempfile::tempdir().unwrap();
        fs::write(disk.path().join(FILE), "9000\n").unwrap();
        let (store, clock) = (Store::new(1), FakeKernel::at(5000, true));
        last(&store, clock.clone()).await;
        let kept = || fs::read_to_string(disk.path().join(FILE)).unwrap();
        assert_eq!(kept(), "9000\n");
        let status = VolumeStatus {
            phase: VolumePhase::Ready,
            mounted_at: disk.path().to_str().unwrap().to_owned(),
            ..VolumeStatus::default()
        };
        let transaction = Transaction::owned("test").put(Resource::in_default(VOLUME, status));
        store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
        last(&store, clock.clone()).await;
        assert_eq!((kept().as_str(), clock.second()), ("5000\n", 5000));
    }

    #[test]
    fn the_disk_is_used_while_it_is_there() {
        let status = |phase, at: &str| VolumeStatus {
            phase,
            mounted_at: at.to_owned(),
            ..VolumeStatus::default()
        };
        let ready = status(VolumePhase::Ready, "/run/garboard/state");
        let waiting = status(VolumePhase::Waiting, "");
        let at = |volumes: &[(&str, &VolumeStatus)]| folder(volumes.iter().copied());
        assert_eq!(
            at(&[("EPHEMERAL", &ready), ("STATE", &ready)]),
            Some("/run/garboard/state".into())
        );
        assert_eq!(at(&[("EPHEMERAL", &ready), ("STATE", &waiting)]), None);
        assert_eq!(at(&[]), None);
    }
}
