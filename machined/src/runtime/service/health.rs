//! Looking at services from outside: whether a file is there, a socket takes a connection, a request is answered.
//!
//! Nothing here runs a program or trusts what it is told further than its first line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cosi::Source;
use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use resources::runtime::{ServiceCheck, ServiceCheckKind};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::rules::Name;

/// Between two looks, unless a check says otherwise.
const INTERVAL: Duration = Duration::from_secs(10);
/// Between two looks at a service that nobody has found well yet.
const STARTING: Duration = Duration::from_secs(1);
/// For an answer, unless a check says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Looks in a row that must fail, unless a check says otherwise.
const FAILURES: u32 = 3;
/// What is read of an HTTP answer: `HTTP/1.1 200`.
const STATUS_LINE: usize = 12;

/// Why a check cannot be made.
#[derive(Debug, Error)]
pub(super) enum CheckError {
    #[error("{0:?} is no path from the root")]
    Path(String),
    #[error("{0:?} is no address with a port, such as 127.0.0.1:80")]
    Address(String),
    #[error("{0:?} is not http://ADDRESS:PORT/PATH; for TLS, check the TCP port")]
    Url(String),
    #[error("a time or a count of it is zero")]
    Zero,
}

/// A look that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    target: Target,
    interval: Duration,
    timeout: Duration,
    failures: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    File(PathBuf),
    Unix(PathBuf),
    Tcp(SocketAddr),
    Http(SocketAddr, String),
}

impl Check {
    pub(super) fn of(check: &ServiceCheck) -> Result<Self, CheckError> {
        let seconds = |told: Option<u32>, usual: Duration| {
            told.map_or(usual, |seconds| Duration::from_secs(seconds.into()))
        };
        let made = Self {
            target: target(check.kind, &check.target)?,
            interval: seconds(check.interval_seconds, INTERVAL),
            timeout: seconds(check.timeout_seconds, TIMEOUT),
            failures: check.failures.unwrap_or(FAILURES),
        };
        if made.interval.is_zero() || made.timeout.is_zero() || made.failures == 0 {
            return Err(CheckError::Zero);
        }
        Ok(made)
    }

    /// Takes a look. Cancel-safe: it changes nothing.
    async fn look(&self) -> bool {
        let passes = async {
            match &self.target {
                Target::File(path) => tokio::fs::try_exists(path).await.unwrap_or(false),
                Target::Unix(path) => UnixStream::connect(path).await.is_ok(),
                Target::Tcp(address) => TcpStream::connect(address).await.is_ok(),
                Target::Http(address, path) => http(*address, path).await.unwrap_or(false),
            }
        };
        timeout(self.timeout, passes).await.unwrap_or(false)
    }
}

fn target(kind: ServiceCheckKind, text: &str) -> Result<Target, CheckError> {
    let path = || match text.starts_with('/') && !text.contains('\0') {
        true => Ok(PathBuf::from(text)),
        false => Err(CheckError::Path(text.to_owned())),
    };
    Ok(match kind {
        ServiceCheckKind::File => Target::File(path()?),
        ServiceCheckKind::Unix => Target::Unix(path()?),
        ServiceCheckKind::Tcp => {
            let address = text.parse();
            Target::Tcp(address.map_err(|_| CheckError::Address(text.to_owned()))?)
        }
        ServiceCheckKind::Http => {
            let wrong = || CheckError::Url(text.to_owned());
            let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
            let (address, path) = rest.split_once('/').ok_or_else(wrong)?;
            if path.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(wrong());
            }
            let address = address.parse().map_err(|_| wrong())?;
            Target::Http(address, format!("/{path}"))
        }
    })
}

async fn http(address: SocketAddr, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; STATUS_LINE];
    stream.read_exact(&mut line).await?;
    Ok(line.starts_with(b"HTTP/1.") && line.get(8..10) == Some(b" 2"))
}

/// What is to be looked at: a process that runs, by number, and how.
pub(super) type Wanted = BTreeMap<Name, (u32, Check)>;

/// What the looks have come to: whether a process is well. None of it is here before that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<Mutex<BTreeMap<Name, (u32, bool)>>>);

impl Known {
    /// What is known of a service's process.
    pub(super) fn of(&self, name: &Name, pid: u32) -> Option<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(name).filter(|(of, _)| *of == pid);
        known.map(|(_, well)| *well)
    }

    /// Notes it; whether that is news.
    fn note(&self, name: &Name, pid: u32, well: bool) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.clone(), (pid, well)) != Some((pid, well))
    }

    fn keep(&self, wanted: &Wanted) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|name, (pid, _)| wanted.get(name).is_some_and(|(of, _)| of == pid));
    }
}

/// One service that is looked at.
#[derive(Debug)]
struct Watched {
    pid: u32,
    check: Check,
    due: Instant,
    failures: u32,
    well: Option<bool>,
    looking: bool,
}

impl Watched {
    fn new(pid: u32, check: Check) -> Self {
        Self {
            pid,
            check,
            due: Instant::now(),
            failures: 0,
            well: None,
            looking: false,
        }
    }

    /// A look has been taken. One that passes makes it well; so many that fail in a row unwell.
    fn looked(&mut self, passed: bool) {
        self.looking = false;
        self.failures = if passed {
            0
        } else {
            self.failures.saturating_add(1)
        };
        match passed {
            true => self.well = Some(true),
            // One that was never well is still starting, for however long.
            false if self.failures >= self.check.failures && self.well.is_some() => {
                self.well = Some(false);
            }
            false => {}
        }
        let interval = match self.well {
            None => self.check.interval.min(STARTING),
            Some(_) => self.check.interval,
        };
        self.due = Instant::now() + interval;
    }
}

/// Looks at what is wanted, each in its own time, and wakes when something is known that was not.
pub(super) fn source(wanted: watch::Receiver<Wanted>, known: Known) -> Source {
    let watcher = Watcher {
        wanted,
        known,
        watched: BTreeMap::new(),
    };
    // A look that is under way goes on over the wakings.
    let state = (watcher, FuturesUnordered::new());
    Box::pin(stream::unfold(
        state,
        |(mut watcher, mut looks)| async move {
            loop {
                watcher.take_wanted();
                let due = watcher.begin(&mut looks);
                tokio::select! {
                    changed = watcher.wanted.changed() => changed.ok()?,
                    Some((name, pid, passed)) = looks.next(), if !looks.is_empty() => {
                        if watcher.looked(&name, pid, passed) {
                            return Some(((), (watcher, looks)));
                        }
                    }
                    () = sleep(due) => {}
                }
            }
        },
    ))
}

async fn sleep(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

struct Watcher {
    wanted: watch::Receiver<Wanted>,
    known: Known,
    watched: BTreeMap<Name, Watched>,
}

type Look = futures_util::future::BoxFuture<'static, (Name, u32, bool)>;

impl Watcher {
    fn take_wanted(&mut self) {
        let wanted = self.wanted.borrow_and_update();
        self.known.keep(&wanted);
        self.watched.retain(|name, watched| {
            wanted
                .get(name)
                .is_some_and(|(pid, check)| *pid == watched.pid && *check == watched.check)
        });
        for (name, (pid, check)) in wanted.iter() {
            let fresh = || Watched::new(*pid, check.clone());
            self.watched.entry(name.clone()).or_insert_with(fresh);
        }
    }

    /// Begins the looks that are due; when the next one is.
    fn begin(&mut self, looks: &mut FuturesUnordered<Look>) -> Option<Instant> {
        let now = Instant::now();
        let idle = self.watched.iter_mut().filter(|(_, it)| !it.looking);
        let mut next: Option<Instant> = None;
        for (name, watched) in idle {
            if watched.due > now {
                next = Some(next.map_or(watched.due, |next| next.min(watched.due)));
                continue;
            }
            watched.looking = true;
            let (name, pid, check) = (name.clone(), watched.pid, watched.check.clone());
            looks.push(Box::pin(async move { (name, pid, check.look().await) }));
        }
        next
    }

    /// Whether a look has brought news.
    fn looked(&mut self, name: &Name, pid: u32, passed: bool) -> bool {
        let Some(watched) = self.watched.get_mut(name).filter(|it| it.pid == pid) else {
            return false;
        };
        watched.looked(passed);
        let well = watched.well;
        well.is_some_and(|well| self.known.note(name, pid, well))
    }
}

#[cfg(test)]
mod tests;
