//! How many answers go on at once: watches, followed logs and events, files that are read.
//!
//! An answer of one message is over in a moment, and is never refused here. One that goes on costs memory for as long as
//! the caller likes, so all together have a limit, and each source has a part of it: whoever opens more is refused and told
//! so, and others still get theirs. Who has one keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tonic::Status;

use super::admission::{Limit, Source};

/// What goes on, by source.
#[derive(Debug, Default)]
struct Table {
    total: usize,
    by_source: BTreeMap<Source, usize>,
}

/// All answers of the port that go on.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    limit: Limit,
    /// The methods whose answers may go on.
    methods: Arc<BTreeSet<String>>,
    table: Arc<Mutex<Table>>,
}

/// Why an answer cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// This source has its part.
    #[error(
        "{0} watches and other streams to your address are open, which is the most for one; end some and try again"
    )]
    Source(usize),
    /// All together are too many.
    #[error(
        "{0} watches and other streams are open on this node, which is the most there may be; try again when others have ended"
    )]
    Total(usize),
}

impl From<Full> for Status {
    fn from(full: Full) -> Self {
        Self::resource_exhausted(full.to_string())
    }
}

impl Streams {
    /// None yet. `methods` are the paths of those that are counted.
    pub(super) fn new(limit: Limit, methods: BTreeSet<String>) -> Self {
        Self {
            limit,
            methods: Arc::new(methods),
            table: Arc::default(),
        }
    }

    /// Counts the answer to a call, if it may go on, until what is given is dropped.
    pub(super) fn begin(&self, method: &str, address: IpAddr) -> Result<Option<Stream>, Full> {
        if !self.methods.contains(method) {
            return Ok(None);
        }
        let source = Source::of(address);
        self.with(|table| {
            let of_source = table.by_source.get(&source).copied().unwrap_or_default();
            if of_source >= self.limit.per_source {
                return Err(Full::Source(of_source));
            }
            if table.total >= self.limit.total {
                return Err(Full::Total(table.total));
            }
            table.total += 1;
            table.by_source.insert(source, of_source + 1);
            Ok(())
        })?;
        Ok(Some(Stream {
            source,
            streams: self.clone(),
        }))
    }

    fn end(&self, source: Source) {
        self.with(|table| {
            table.total -= 1;
            if let Some(left) = table.by_source.get_mut(&source) {
                *left -= 1;
                if *left == 0 {
                    table.by_source.remove(&source);
                }
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        // The table is whole between any two statements that can panic, which none can.
        work(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An answer's place among those that go on, given back on drop.
#[derive(Debug)]
pub(super) struct Stream {
    source: Source,
    streams: Streams,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.end(self.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATCH: &str = "/state/Watch";

    fn streams() -> Streams {
        let limit = Limit {
            total: 3,
            per_source: 2,
        };
        Streams::new(limit, BTreeSet::from([WATCH.to_owned()]))
    }

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_greedy_source_leaves_room_for_others() {
        let streams = streams();
        let mut held: Vec<_> = (0..2).map(|_| streams.begin(WATCH, from(1))).collect();
        assert_eq!(streams.begin(WATCH, from(1)).unwrap_err(), Full::Source(2));
        let other = streams.begin(WATCH, from(2)).unwrap();
        assert_eq!(streams.begin(WATCH, from(3)).unwrap_err(), Full::Total(3));
        held.pop();
        let third = streams.begin(WATCH, from(3)).unwrap();
        assert!(other.is_some() && third.is_some());
        assert_eq!(streams.begin(WATCH, from(1)).unwrap_err(), Full::Total(3));
    }

    #[test]
    fn what_ended_leaves_nothing() {
        let streams = streams();
        for last in 0..=255 {
            drop(streams.begin(WATCH, from(last)).unwrap());
        }
        let left = streams.with(|table| (table.total, table.by_source.len()));
        assert_eq!(left, (0, 0));
    }

    #[test]
    fn one_message_is_never_refused() {
        let streams = streams();
        let _held: Vec<_> = (1..=3).map(|it| streams.begin(WATCH, from(it))).collect();
        assert!(streams.begin("/state/Get", from(4)).unwrap().is_none());
    }
}
