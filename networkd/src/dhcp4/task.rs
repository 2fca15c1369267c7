//! One client's life between its sockets and its deadline.
//!
//! The task belongs to the controller that started it and ends when told to, or when that controller is dropped. It may be
//! cancelled at any time: what counts (lease and status) has left it through its channel by then. Dropping the orders without
//! `Stop` gives nothing back: that is how the daemon ends, and the lease must outlive it.

use std::io;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use resources::net::{Dhcp4Lease, LinkName};
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::{Client, Event};
use super::lease::Lease;
use super::port::Port;
use crate::chance::Dice;

/// How long a packet socket that failed is left alone, so that a broken link costs no processor.
const PAUSE: Duration = Duration::from_secs(1);

/// What the controller wants of a client. The latest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on, with or without a carrier.
    Run {
        /// Whether the link passes packets.
        carrier: bool,
    },
    /// Give the lease back and end.
    Stop,
}

/// What a client has come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    /// What the node shows and remembers.
    pub status: Dhcp4Lease,
    /// The lease, if it holds one.
    pub lease: Option<Lease>,
}

impl Report {
    /// What a client is now.
    #[must_use]
    pub(super) fn of(client: &Client) -> Self {
        Self {
            status: client.status(),
            lease: client.lease().cloned(),
        }
    }
}

/// The time since boot, which counts sleep and cannot be set.
#[must_use]
pub(super) fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(Duration::from)
        .unwrap_or_default()
}

/// Runs a client until it is told to stop or its controller is gone.
pub(super) async fn run(
    link: LinkName,
    mut client: Client,
    mut port: Port,
    mut orders: watch::Receiver<Order>,
    reports: watch::Sender<Report>,
) {
    let mut dice = Dice::new();
    let mut deaf_until = Instant::now();
    loop {
        let hear = async {
            tokio::time::sleep_until(deaf_until).await;
            port.receive().await
        };
        let event = tokio::select! {
            biased;
            order = next(&mut orders) => match order {
                Some(Order::Run { carrier: true }) => Event::CarrierUp,
                Some(Order::Run { carrier: false }) => Event::CarrierDown,
                Some(Order::Stop) => Event::Stop,
                None => return,
            },
            // Before listening, so that a flood of packets cannot hold up the end of a lease.
            () = until(client.deadline()) => Event::Tick,
            reply = hear => match reply {
                Ok(reply) => Event::Reply(Box::new(reply)),
                Err(error) => {
                    deaf_until = Instant::now() + pause(&link, &error);
                    continue;
                }
            },
        };
        let stop = event == Event::Stop;
        for send in client.step(since_boot(), event, &mut || dice.roll()) {
            tracing::debug!(%link, kind = ?send.request.kind, to = ?send.to, "dhcp message sent");
            if let Err(error) = port.send(&send) {
                tracing::warn!(%link, error = cosi::report(&error), "dhcp message not sent");
            }
        }
        announce(&link, &client, &reports);
        if stop {
            return;
        }
    }
}

async fn next(orders: &mut watch::Receiver<Order>) -> Option<Order> {
    orders.changed().await.ok()?;
    Some(*orders.borrow_and_update())
}

/// A packet socket says once that its link is down, and is as good as before when the link comes up.
fn pause(link: &LinkName, error: &io::Error) -> Duration {
    if error.kind() == io::ErrorKind::NetworkDown {
        return Duration::ZERO;
    }
    tracing::warn!(%link, %error, "no dhcp messages heard");
    PAUSE
}

async fn until(deadline: Option<Duration>) {
    match deadline {
        Some(at) => tokio::time::sleep(at.saturating_sub(since_boot())).await,
        None => std::future::pending().await,
    }
}

/// Passes on what changed, and says in the log what a person would want to know.
fn announce(link: &LinkName, client: &Client, reports: &watch::Sender<Report>) {
    let new = Report::of(client);
    reports.send_if_modified(|old| {
        if *old == new {
            return false;
        }
        match (&old.lease, &new.lease) {
            (None, Some(l)) => tracing::info!(%link, address = %l.terms.address, server = %l.server, seconds = l.terms.seconds, "lease obtained"),
            (Some(a), Some(b)) if a.acquired != b.acquired => tracing::info!(%link, address = %b.terms.address, server = %b.server, "lease renewed"),
            (Some(_), None) => tracing::warn!(%link, reason = new.status.error, "lease lost"),
            _ => {}
        }
        *old = new;
        true
    });
}
