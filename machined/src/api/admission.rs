//! How many connections there may be, and which one goes when there are too many.
//!
//! A connection rises through stages: it is open, it talks, its handshake is done, it has proven who it is. Each stage has a limit
//! overall and per source. In the lower stages the *oldest* connection gives way to a new one, so a flood of idle or anonymous
//! connections cannot keep anybody out: whoever goes on to prove himself leaves the crowded stage at once. Those who have proven
//! themselves are never given up; beyond their limit newcomers are turned away.
//!
//! The decisions are a plain table behind a lock that is held for one look-up; sockets and tasks are `accept`'s. IPv6 sources count
//! by /64, since that is what one host can have of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Open, nothing said yet. Leaves with the first byte.
    Silent,
    /// In the TLS handshake. Leaves at its end.
    Talking,
    /// Encrypted, but anybody: maintenance mode. Leaves by pairing.
    Anonymous,
    /// Has proven a certificate or the pairing secret. Stays until it ends.
    Proven,
}

/// The most connections of one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// From all sources together.
    pub total: usize,
    /// From one source.
    pub per_source: usize,
}

/// The limits of all stages, and of what goes on. A silent connection costs a descriptor, a talking one some 20 KiB, a proven one
/// 30 KiB and 2.5 KiB for each call it had at once, up to 110 KiB; a watch is 10 KiB (measured with 1,000 callers of `tests/api/load.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open, nothing said yet.
    pub silent: Limit,
    /// In the handshake.
    pub talking: Limit,
    /// Encrypted, but anybody.
    pub anonymous: Limit,
    /// Known.
    pub proven: Limit,
    /// Answers that go on, of all connections.
    pub streams: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            silent: Limit {
                total: 512,
                per_source: 256,
            },
            talking: Limit {
                total: 256,
                per_source: 128,
            },
            anonymous: Limit {
                total: 64,
                per_source: 32,
            },
            proven: Limit {
                total: 1024,
                per_source: 256,
            },
            streams: Limit {
                total: 4096,
                per_source: 512,
            },
        }
    }
}

impl Limits {
    fn of(&self, stage: Stage) -> Limit {
        match stage {
            Stage::Silent => self.silent,
            Stage::Talking => self.talking,
            Stage::Anonymous => self.anonymous,
            Stage::Proven => self.proven,
        }
    }
}

/// What counts as one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl Source {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

#[derive(Debug)]
struct Entry {
    source: Source,
    stage: Stage,
    /// Dropping it tells the connection to end.
    _end: oneshot::Sender<()>,
}

/// Grows with every connection, so the smallest of a stage is the oldest.
type Id = u64;

#[derive(Debug)]
struct Table {
    limits: Limits,
    next: Id,
    entries: BTreeMap<Id, Entry>,
}

impl Table {
    /// Makes room in `stage` for one more of `source`; whether that was possible.
    fn make_room(&mut self, stage: Stage, source: Source) -> bool {
        let limit = self.limits.of(stage);
        let of_stage = |entry: &&Entry| entry.stage == stage;
        let of_source = |entry: &&Entry| entry.stage == stage && entry.source == source;
        let crowded_source = self.entries.values().filter(of_source).count() >= limit.per_source;
        let crowded = self.entries.values().filter(of_stage).count() >= limit.total;
        if !crowded && !crowded_source {
            return true;
        }
        if stage == Stage::Proven {
            return false;
        }
        let oldest = self
            .entries
            .iter()
            .find(|(_, entry)| entry.stage == stage && (!crowded_source || entry.source == source))
            .map(|(id, _)| *id);
        oldest.and_then(|id| self.entries.remove(&id)).is_some()
    }
}

/// All connections of the port.
#[derive(Clone, Debug)]
pub(super) struct Admission(Arc<Mutex<Table>>);

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Table {
            limits,
            next: 0,
            entries: BTreeMap::new(),
        })))
    }

    /// Admits a new connection; the receiver resolves when it must end.
    pub(super) fn admit(&self, address: IpAddr) -> Option<(Pass, oneshot::Receiver<()>)> {
        let source = Source::of(address);
        let (sender, receiver) = oneshot::channel();
        let id = self.with(|table| {
            table.make_room(Stage::Silent, source).then(|| {
                let id = table.next;
                table.next += 1;
                let entry = Entry {
                    source,
                    stage: Stage::Silent,
                    _end: sender,
                };
                table.entries.insert(id, entry);
                id
            })
        })?;
        Some((
            Pass {
                id,
                admission: self.clone(),
            },
            receiver,
        ))
    }

    /// Ends the oldest connection that has not proven itself, to win a descriptor back.
    pub(super) fn give_up_oldest(&self) {
        self.with(|table| {
            let oldest = table
                .entries
                .iter()
                .find(|(_, entry)| entry.stage < Stage::Proven);
            if let Some(id) = oldest.map(|(id, _)| *id) {
                table.entries.remove(&id);
            }
        });
    }

    /// Ends every connection.
    pub(super) fn end_all(&self) {
        self.with(|table| table.entries.clear());
    }

    fn with<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        // The table is whole between any two statements, so a panic elsewhere leaves nothing half done.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    fn count(&self, stage: Stage) -> usize {
        self.with(|table| {
            table
                .entries
                .values()
                .filter(|entry| entry.stage == stage)
                .count()
        })
    }
}

/// A connection's place in the table, given back on drop.
#[derive(Debug)]
pub(super) struct Pass {
    id: Id,
    admission: Admission,
}

impl Pass {
    /// Rises to `stage`; false when there is no room, or the connection was given up meanwhile.
    pub(super) fn rise(&self, stage: Stage) -> bool {
        self.admission.with(|table| {
            let Some(source) = table.entries.get(&self.id).map(|entry| entry.source) else {
                return false;
            };
            let room = table.make_room(stage, source);
            match table.entries.get_mut(&self.id) {
                Some(entry) if room => {
                    entry.stage = stage;
                    true
                }
                _ => false,
            }
        })
    }

    /// What keeps it from `stage`, in words for its peer.
    pub(super) fn crowd(&self, stage: Stage) -> String {
        self.admission.with(|table| {
            let limit = table.limits.of(stage);
            let source = table.entries.get(&self.id).map(|entry| entry.source);
            let of = |entry: &&Entry| entry.stage == stage && Some(entry.source) == source;
            let of_source = table.entries.values().filter(of).count();
            if of_source >= limit.per_source {
                format!(
                    "there are {of_source} connections from your address, which is the most for one"
                )
            } else {
                let all = limit.total;
                format!("there are {all} connections to this node, which is the most there may be")
            }
        })
    }

    /// Rises to the last stage. Without room the connection stays where it is and may be given up for a newer one.
    pub(super) fn prove(&self) {
        if !self.rise(Stage::Proven) {
            tracing::debug!("no room among the proven connections");
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.admission.with(|table| table.entries.remove(&self.id));
    }
}

#[cfg(test)]
mod tests;
