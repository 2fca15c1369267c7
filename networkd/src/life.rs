//! Signs of life to init, and the two ways this process is asked to end.

use std::time::Duration;

use sys::link::{DaemonEnd, LinkError, ToInit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// How often init hears from us; it restarts a daemon that is silent for six times as long.
const PING: Duration = Duration::from_secs(5);

/// Says that the daemon does its work.
pub fn ready(link: &DaemonEnd) {
    if let Err(error) = link.send(&ToInit::Ready, None) {
        tracing::warn!(
            error = cosi::report(&error),
            "init was not told that we are ready"
        );
    }
}

/// Gives signs of life until init is gone, which a machine does not survive, or SIGTERM says that it goes down.
///
/// It runs in the same thread as everything else, so a stuck controller is silent too.
pub async fn lived(link: &DaemonEnd) {
    let mut term = match signal(SignalKind::terminate()) {
        Ok(term) => term,
        Err(error) => {
            tracing::error!(%error, "no signal handler");
            return;
        }
    };
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = term.recv() => {
                tracing::info!("terminated");
                return;
            }
            _ = ping.tick() => match link.send(&ToInit::Ping, None) {
                // A full queue of pings says that we live.
                Ok(()) | Err(LinkError::Full) => {}
                Err(error) => {
                    tracing::error!(error = cosi::report(&error), "init is gone");
                    return;
                }
            },
        }
    }
}
