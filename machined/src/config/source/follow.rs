//! The task that asks the sources while the node has no config, for as long as that takes. It only orders; the head does.

use std::time::Duration;

use jiff::Timestamp;
use resources::block::Disk;
use resources::config::{ACTIVE, MachineConfig};
use resources::net::NodeAddress;
use resources::runtime::Condition;
use store::{Snapshot, Spec, Store, WatchRequest, Watcher};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::{Finding, Source, Sources};
use crate::api::Failure;
use crate::node::{Order, set_condition};
use crate::runtime::stage::status::{SOURCE, STORE};

/// How long a source that failed is left alone at first: a network that comes up takes about as long.
const FIRST: Duration = Duration::from_secs(1);
/// How long at most: a server that comes back is not kept waiting by the person who mended it.
const LAST: Duration = Duration::from_secs(60);

/// What the task looks at.
struct Watched {
    configs: Watcher,
    conditions: Watcher,
    disks: Watcher,
    addresses: Watcher,
}

impl Watched {
    /// `None` when the state refuses, which it has no reason to.
    fn new(store: &Store) -> Option<Self> {
        fn of<S: Spec>(store: &Store) -> Option<Watcher> {
            let definition = S::DEFINITION;
            let kind = WatchRequest::kind(definition.namespace, definition.ty);
            store.watch(kind).ok()
        }
        Some(Self {
            configs: of::<MachineConfig>(store)?,
            conditions: of::<Condition>(store)?,
            disks: of::<Disk>(store)?,
            addresses: of::<NodeAddress>(store)?,
        })
    }

    /// Waits for anything that may change whether a config is wanted.
    async fn whether(&self) {
        tokio::select! {
            _ = self.configs.next() => {}
            _ = self.conditions.next() => {}
        }
    }

    /// Waits for anything that may change what the sources give.
    async fn what(&self) {
        tokio::select! {
            _ = self.configs.next() => {}
            _ = self.disks.next() => {}
            _ = self.addresses.next() => {}
        }
    }
}

/// Asks the sources whenever the node has no config and it is known that it has none, and offers what they give; never
/// ends. In a life that is to wait for a person there is nothing to ask.
pub async fn follow(store: &Store, sources: Option<&(Sources, mpsc::Sender<Order>)>) {
    let Some((sources, orders)) = sources else {
        return;
    };
    let Some(watched) = Watched::new(store) else {
        tracing::error!("the sources of configs cannot be followed");
        return std::future::pending().await;
    };
    let mut pause = FIRST;
    loop {
        let snapshot = store.snapshot();
        if !is_wanted(&snapshot) {
            pause = FIRST;
            watched.whether().await;
            continue;
        }
        // What a person gives meanwhile is not waited for by anybody.
        let found = tokio::select! {
            found = sources.first(&snapshot) => found,
            _ = watched.configs.next() => continue,
        };
        let trouble = match found {
            None => {
                watched.what().await;
                continue;
            }
            Some((source, Finding::Documents(documents))) => {
                let offered = offer(orders, source, documents).await;
                offered.err().map(|error| (source, error.to_string()))
            }
            Some((source, Finding::Broken(reason))) => Some((source, reason)),
            Some((_, Finding::Nothing)) => None,
        };
        let Some((source, reason)) = trouble else {
            note(store, true, "the config is kept now");
            continue;
        };
        note(store, false, &sentence(source, &reason));
        tokio::select! {
            () = sleep(pause) => pause = LAST.min(pause * 2),
            () = watched.what() => pause = FIRST,
        }
    }
}

/// Whether it is known that the node has no config.
fn is_wanted(snapshot: &Snapshot) -> bool {
    let known = snapshot.get_as::<Condition>(Condition::DEFINITION.namespace, STORE);
    let config = snapshot.get_as::<MachineConfig>(MachineConfig::DEFINITION.namespace, ACTIVE);
    config.is_none() && known.is_some_and(|it| it.spec.met)
}

async fn offer(
    orders: &mpsc::Sender<Order>,
    source: Source,
    documents: Vec<u8>,
) -> Result<(), Failure> {
    let (answer, answered) = oneshot::channel();
    let order = Order::Offer {
        source: source.to_string(),
        documents,
        answer,
    };
    let gone = || Failure::unavailable("the node is going down");
    orders.send(order).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?
}

fn sentence(source: Source, reason: &str) -> String {
    format!(
        "{source}: {reason}; it is tried again until the node has a config, and no other source is asked"
    )
}

/// Says it, but not again and again: the log would be full of one sentence.
fn note(store: &Store, met: bool, message: &str) {
    let snapshot = store.snapshot();
    let said = snapshot.get_as::<Condition>(Condition::DEFINITION.namespace, SOURCE);
    if said.is_some_and(|it| it.spec.met == met && it.spec.message == message) {
        return;
    }
    if !met {
        tracing::warn!(reason = message, "no config from its source");
    }
    if let Err(error) = set_condition(store, SOURCE, met, message, Timestamp::now()) {
        tracing::error!("telling of the source: {}", cosi::report(&error));
    }
}

#[cfg(test)]
mod tests;
