//! Reads logs where they lie, from a place on.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

use super::cursor::Cursor;
use super::line::{KERNEL, Line};
use crate::runtime::clock::since_boot;
use crate::runtime::kmsg::{self, KmsgError, Record};
use crate::runtime::logs::{LogError, Logs};

/// How often services are looked at while they write: one that writes ten thousand lines a second would else be looked at for each.
const PACE: Duration = Duration::from_millis(50);

/// A longer line of a service is sent in parts: as JSON it may be six times as long, and has to fit into a packet of UDP.
const LONGEST: usize = 8 * 1024;

/// Lines, and how many are missing before the first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) lost: u64,
    pub(super) lines: Vec<Line>,
}

/// The logs of one destination.
#[derive(Debug)]
pub(super) struct Sources {
    kernel: Option<Kernel>,
    services: Option<Services>,
}

impl Sources {
    /// The kernel's log at this path, and those of services, each if it is wanted. What cannot be read is left out, and said.
    pub(super) fn open(kernel: Option<&Path>, services: Option<Logs>, cursor: &Cursor) -> Self {
        let kernel = kernel.map(|path| Kernel::open(path, cursor.place(KERNEL)));
        let services = services.map(|logs| Services::open(logs, cursor));
        let complain = |error: &(dyn std::error::Error + 'static)| {
            tracing::warn!("logs that are not sent: {}", cosi::report(error));
        };
        Self {
            kernel: kernel.and_then(|it| it.inspect_err(|it| complain(it)).ok()),
            services: services.and_then(|it| it.inspect_err(|it| complain(it)).ok()),
        }
    }

    /// What is to be sent next, waiting for it. Cancel-safe: the place moves only when lines are returned.
    pub(super) async fn next(&mut self) -> Batch {
        let kernel = async {
            match &mut self.kernel {
                Some(kernel) => kernel.next().await,
                None => std::future::pending().await,
            }
        };
        let services = async {
            match &mut self.services {
                Some(services) => services.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            batch = kernel => match batch {
                Ok(batch) => batch,
                Err(error) => {
                    tracing::warn!("the kernel's log is sent no more: {}", cosi::report(&error));
                    self.kernel = None;
                    Batch::default()
                }
            },
            batch = services => match batch {
                Ok(batch) => batch,
                Err(error) => {
                    tracing::warn!("logs of services are sent no more: {}", cosi::report(&error));
                    self.services = None;
                    Batch::default()
                }
            },
        }
    }
}

/// The kernel's log.
#[derive(Debug)]
struct Kernel {
    follower: kmsg::Follower,
    expected: Option<u64>,
}

impl Kernel {
    fn open(path: &Path, place: Option<u64>) -> Result<Self, KmsgError> {
        Ok(Self {
            follower: kmsg::Reader::open(path)?.follow()?,
            expected: place,
        })
    }

    async fn next(&mut self) -> Result<Batch, KmsgError> {
        loop {
            let record = self.follower.next().await?;
            let since = SignedDuration::try_from(since_boot()).unwrap_or_default();
            let now = Timestamp::now();
            let booted = now.checked_sub(since).unwrap_or(now);
            if let Some(batch) = take(&mut self.expected, record, booted) {
                return Ok(batch);
            }
        }
    }
}

/// A record, unless it was sent; with what is missing between it and the one before.
fn take(expected: &mut Option<u64>, record: Record, booted: Timestamp) -> Option<Batch> {
    let lost = match *expected {
        Some(expected) => record.sequence.checked_sub(expected)?,
        None => 0,
    };
    let line = Line::of_kernel(record, booted);
    *expected = Some(line.after);
    Some(Batch {
        lost,
        lines: vec![line],
    })
}

/// The logs of services.
#[derive(Debug)]
struct Services {
    logs: Logs,
    changes: AsyncFd<Changes>,
    /// Where each is to be read on.
    places: BTreeMap<String, Place>,
    /// Those that are still to be read in this round.
    round: Vec<String>,
    /// Whether one of them has more than was read.
    more: bool,
    /// The next round is not before.
    look: Instant,
}

#[derive(Clone, Debug)]
struct Place {
    source: Arc<str>,
    at: u64,
}

/// What the kernel tells of changes in a folder, in the form the runtime watches.
#[derive(Debug)]
struct Changes(Inotify);

impl AsRawFd for Changes {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Services {
    fn open(logs: Logs, cursor: &Cursor) -> Result<Self, LogError> {
        let changes = watch(&logs).map_err(|it| LogError::Watch(logs.folder().to_owned(), it))?;
        let mut services = Self {
            logs,
            changes,
            places: BTreeMap::new(),
            round: Vec::new(),
            more: false,
            look: Instant::now(),
        };
        for name in services.logs.services() {
            if let Some(at) = cursor.place(&name) {
                let source = name.as_str().into();
                services.places.insert(name, Place { source, at });
            }
        }
        Ok(services)
    }

    /// What any of them has written. Each is read a piece of in turn, so whoever writes most is heard no more than the others, and
    /// no more than a piece is in memory.
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            if self.round.is_empty() {
                if !self.more {
                    sleep_until(self.look).await;
                }
                self.more = false;
                // What is said of changes from here on is about lines that this round may not see.
                while self.changes.get_ref().0.read_events().is_ok() {}
                self.round = self.logs.services();
                self.look = Instant::now() + PACE;
            }
            while let Some(name) = self.round.pop() {
                if let Some(batch) = self.read(&name)? {
                    return Ok(batch);
                }
            }
            if self.more {
                continue;
            }
            let failed = |error| LogError::Watch(self.logs.folder().to_owned(), error);
            loop {
                let mut ready = self.changes.readable().await.map_err(failed)?;
                if self.changes.get_ref().0.read_events().is_ok() {
                    break;
                }
                ready.clear_ready();
            }
        }
    }

    /// A piece of a log, if it has gone on.
    fn read(&mut self, name: &str) -> Result<Option<Batch>, LogError> {
        let place = self.places.entry(name.to_owned());
        let place = place.or_insert_with(|| Place {
            source: name.into(),
            at: 0,
        });
        let mut reader = match self.logs.open_at(name, place.at) {
            // It has just gone.
            Err(LogError::Unknown { .. }) => return Ok(None),
            reader => reader?,
        };
        let Some((begin, bytes)) = reader.next_piece()? else {
            return Ok(None);
        };
        self.more |= bytes.len() >= ::api::MAX_CHUNK;
        // Who reads a log for the first time asked for what there is.
        let cut = begin > place.at;
        let piece = Piece {
            source: &place.source,
            begin,
            bytes: &bytes,
            cut,
        };
        let (lines, end) = piece.lines(Timestamp::now());
        let batch = Batch {
            lost: u64::from(cut && place.at > 0),
            lines,
        };
        place.at = end;
        Ok((batch != Batch::default()).then_some(batch))
    }
}

fn watch(logs: &Logs) -> std::io::Result<AsyncFd<Changes>> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let news = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE;
    inotify.add_watch(logs.folder(), news)?;
    crate::runtime::readable(Changes(inotify))
}

/// A part of a log.
#[derive(Debug)]
struct Piece<'a> {
    source: &'a Arc<str>,
    /// The place of the first byte.
    begin: u64,
    bytes: &'a [u8],
    /// Whether what comes before is gone: then the line that it begins in is no whole one.
    cut: bool,
}

impl Piece<'_> {
    /// The whole lines in it, and where to read on: at the beginning of the one that is not.
    fn lines(&self, now: Timestamp) -> (Vec<Line>, u64) {
        let mut lines = Vec::new();
        let mut end = self.begin;
        let mut rest = self.bytes;
        let mut cut = self.cut;
        while !rest.is_empty() {
            let line_end = rest.iter().position(|it| *it == b'\n').map(|it| it + 1);
            let length = match line_end {
                Some(length) if cut || length <= LONGEST => length,
                // No longer than what is read at once, so it would never be whole.
                None if cut => rest.len(),
                _ if rest.len() >= LONGEST => LONGEST,
                _ => break,
            };
            let (text, after) = rest.split_at(length);
            end += length as u64;
            rest = after;
            if !cut {
                lines.push(Line::of_service(self.source.clone(), end, text, now));
            }
            cut = false;
        }
        (lines, end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(bytes: &[u8], cut: bool) -> (Vec<String>, u64) {
        let (lines, end) = Piece {
            source: &"a".into(),
            begin: 100,
            bytes,
            cut,
        }
        .lines(Timestamp::UNIX_EPOCH);
        let lines = lines.into_iter().map(|it| it.message).collect();
        (lines, end - 100)
    }

    #[test]
    fn only_whole_lines_are_taken() {
        assert_eq!(piece(b"a\nb\nc", false), (vec!["a".into(), "b".into()], 4));
        assert_eq!(piece(b"a\nb\nc", true), (vec!["b".into()], 4));
        assert_eq!(piece(b"abc", true), (vec![], 3));
        assert_eq!(piece(b"abc", false), (vec![], 0));
        let long = vec![b'x'; LONGEST + 5];
        let (lines, end) = piece(&long, false);
        assert_eq!((lines.len(), end), (1, LONGEST as u64));
    }

    proptest! {
        /// However a log is read in pieces, its lines come out once each and in order.
        #[test]
        fn pieces_make_the_whole(lines in proptest::collection::vec("[a-z ]{0,40}", 1..30), size in 50_usize..200) {
            let text: String = lines.iter().map(|it| format!("{it}\n")).collect();
            let bytes = text.as_bytes();
            let (mut read, mut at) = (Vec::new(), 0);
            while at < bytes.len() {
                let end = (at + size).min(bytes.len());
                let (some, taken) = piece(&bytes[at..end], false);
                prop_assert!(taken > 0);
                at += usize::try_from(taken).unwrap();
                read.extend(some);
            }
            prop_assert_eq!(read, lines);
        }
    }

    #[test]
    fn records_are_taken_once_and_gaps_are_counted() {
        let record = |sequence| Record {
            level: 6,
            facility: 0,
            sequence,
            micros: 1,
            text: String::new(),
        };
        let mut expected = None;
        let mut lost = |sequence| {
            take(&mut expected, record(sequence), Timestamp::UNIX_EPOCH).map(|it| it.lost)
        };
        assert_eq!(lost(5), Some(0), "what came before nobody asked for");
        assert_eq!(lost(6), Some(0));
        assert_eq!(lost(6), None);
        assert_eq!(lost(9), Some(2));
    }
}
