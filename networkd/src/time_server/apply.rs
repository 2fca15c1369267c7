//! Keeps one client per wanted address, and shows what they hear.
//!
//! A client is only stopped when absence is proof (D13). Nothing of an earlier life is remembered: a server is asked again at once.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use resources::net::{NodeAddress, TimeServerSpec, TimeServerStatus};
use sys::clock::{Moment, SetWatch};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::Client;
use super::task;

/// Where NTP servers listen.
const PORT: u16 = 123;

/// A client that runs. Dropping it ends its task.
#[derive(Debug)]
struct Running {
    wakes: watch::Sender<u64>,
    reports: watch::Receiver<TimeServerStatus>,
}

/// The controller.
#[derive(Debug)]
pub struct TimeServerApply {
    port: u16,
    running: BTreeMap<IpAddr, Running>,
    /// Every client's task; dropped with the controller.
    tasks: JoinSet<()>,
    /// Counts reports of all clients.
    news: watch::Sender<u64>,
    /// Counts how often the clock was set, and how much of that the clients know.
    sets: watch::Sender<u64>,
    told: u64,
}

cosi::declare! {
    TimeServerApply as "network.time-server.apply" {
        reads TimeServerSpec;
        reads NodeAddress;
        writes TimeServerStatus;
    }
}

impl Default for TimeServerApply {
    fn default() -> Self {
        Self::with_port(PORT)
    }
}

impl TimeServerApply {
    /// One that asks at this port.
    #[must_use]
    pub fn with_port(port: u16) -> Self {
        Self {
            port,
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            news: watch::Sender::new(0),
            sets: watch::Sender::new(0),
            told: 0,
        }
    }

    fn start(&mut self, address: IpAddr) -> Running {
        let client = Client::new(Moment::now().boot);
        let (reporter, reports) = watch::channel(client.status());
        let (wakes, woken) = watch::channel(0);
        let server = SocketAddr::new(address, self.port);
        self.tasks.spawn(task::run(server, client, woken, reporter));
        self.tasks
            .spawn(forward(reports.clone(), self.news.clone()));
        Running { wakes, reports }
    }

    /// Whether what is known of the time, or of the way to the servers, may be out of date.
    fn moved(&mut self, dirty: &Dirty) -> bool {
        let sets = *self.sets.borrow();
        let set = std::mem::replace(&mut self.told, sets) != sets;
        set || dirty.ids::<NodeAddress>().next().is_some()
    }
}

async fn forward(mut reports: watch::Receiver<TimeServerStatus>, news: watch::Sender<u64>) {
    while reports.changed().await.is_ok() {
        news.send_modify(|it| *it = it.wrapping_add(1));
    }
}

/// Wakes when the clock is set. Without a watch nobody says so, and the next answers show it.
fn clock_sets(count: watch::Sender<u64>) -> io::Result<Source> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for types whose descriptor changes; ours owns one for its whole life"
    )]
    let watch = AsyncFd::with_interest(SetWatch::new()?, Interest::READABLE)?;
    Ok(Box::pin(stream::unfold(
        (watch, count),
        |(watch, count)| async move {
            let mut ready = watch.readable().await.ok()?;
            ready.clear_ready();
            drop(ready);
            watch.get_ref().acknowledge().ok()?;
            count.send_modify(|it| *it = it.wrapping_add(1));
            Some(((), (watch, count)))
        },
    )))
}

impl Controller for TimeServerApply {
    fn sources(&mut self) -> Vec<Source> {
        let news = stream::unfold(self.news.subscribe(), |mut news| async move {
            news.changed().await.ok()?;
            Some(((), news))
        });
        let mut sources: Vec<Source> = vec![Box::pin(news)];
        match clock_sets(self.sets.clone()) {
            Ok(sets) => sources.push(sets),
            Err(error) => tracing::warn!(%error, "the clock is not watched"),
        }
        sources
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        let wanted: Vec<IpAddr> = cx
            .list::<TimeServerSpec>()
            .iter()
            .map(|it| it.spec.address)
            .collect();
        let proof = cx.deletions_allowed();
        let moved = self.moved(dirty);
        self.running.retain(|address, running| {
            if moved {
                running.wakes.send_modify(|it| *it = it.wrapping_add(1));
            }
            wanted.contains(address) || !proof
        });
        for address in wanted {
            if !self.running.contains_key(&address) {
                let running = self.start(address);
                self.running.insert(address, running);
            }
        }
        // Ended tasks are only counted out here.
        while self.tasks.try_join_next().is_some() {}
        for old in cx.mine::<TimeServerStatus>() {
            let held = |it: &IpAddr| self.running.contains_key(it);
            if proof && !old.id().parse().is_ok_and(|it| held(&it)) {
                cx.remove::<TimeServerStatus>(old.id());
            }
        }
        for (address, running) in &self.running {
            cx.put(address.to_string(), running.reports.borrow().clone());
        }
        Ok(Outcome::Done)
    }
}
