//! The kernel's tables as controllers see them: a handle to change them, and a stream per table that says when to look again.
//!
//! One task (`watch`, run by the daemon for as long as it lives) reads the notifications; cancelling it is safe, as it holds nothing but
//! counters. It waits a little between two wake-ups, so that a storm of changes costs a bounded number of readings; the first change
//! of a quiet time is passed on at once.

mod failures;

use std::time::Duration;

use cosi::Source;
use futures_util::stream;
use netlink::{Changes, Dirty, Netlink};
use tokio::sync::watch;

pub use failures::Failures;

/// The least time between two wake-ups: a hundred links changed one by one make a handful of readings, and nobody waits noticeably.
const HOLD: Duration = Duration::from_millis(20);

/// How often each table has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    links: u64,
    addresses: u64,
    routes: u64,
}

/// A handle to the kernel; clones share one socket.
#[derive(Debug, Clone)]
pub struct Kernel {
    netlink: Netlink,
    counts: watch::Receiver<Counts>,
}

/// Splits an opened netlink into the handle and the task that must run for its streams to say anything.
///
/// The task ends when the notifications do.
pub fn watch(netlink: Netlink, changes: Changes) -> (Kernel, impl Future<Output = ()> + Send) {
    let (sender, counts) = watch::channel(Counts::default());
    (Kernel { netlink, counts }, pump(changes, sender))
}

async fn pump(mut changes: Changes, counts: watch::Sender<Counts>) {
    while let Some(dirty) = changes.next().await {
        counts.send_modify(|c| c.add(dirty));
        tokio::time::sleep(HOLD).await;
    }
}

impl Counts {
    fn add(&mut self, dirty: Dirty) {
        self.links += u64::from(dirty.links);
        self.addresses += u64::from(dirty.addresses);
        self.routes += u64::from(dirty.routes);
    }
}

impl Kernel {
    /// The verbs.
    #[must_use]
    pub fn netlink(&self) -> &Netlink {
        &self.netlink
    }

    /// Wakes when links may have changed.
    #[must_use]
    pub fn links(&self) -> Source {
        self.source(|c| c.links)
    }

    /// Wakes when addresses, or the links under them, may have changed.
    #[must_use]
    pub fn addresses(&self) -> Source {
        self.source(|c| c.addresses)
    }

    /// Wakes when routes, or what they stand on, may have changed.
    #[must_use]
    pub fn routes(&self) -> Source {
        self.source(|c| c.routes)
    }

    fn source(&self, of: fn(&Counts) -> u64) -> Source {
        let counts = self.counts.clone();
        let seen = of(&self.counts.borrow());
        Box::pin(stream::unfold(
            (counts, seen),
            move |(mut counts, seen)| async move {
                let now = of(&*counts.wait_for(|c| of(c) != seen).await.ok()?);
                Some(((), (counts, now)))
            },
        ))
    }
}
