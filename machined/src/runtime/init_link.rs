//! The link to init: signs of life, descriptors kept across our death, the state of both daemons, the way down.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use sys::link::{ChildStatus, DaemonEnd, FromInit, LinkError, Received, StoreName, ToInit};
use thiserror::Error;
use tokio::io::unix::AsyncFd;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often init hears from us; it restarts a daemon that is silent for six times as long.
const PING: Duration = Duration::from_secs(5);

/// Why the link cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InitLinkError {
    /// The runtime does not take the descriptor.
    #[error("watching the link to init")]
    Watch(#[source] std::io::Error),
    /// The link itself failed.
    #[error("link to init")]
    Link(#[source] LinkError),
    /// A name cannot be used for a descriptor.
    #[error("{0:?} is no name for a descriptor")]
    Name(&'static str),
}

/// What init told.
#[derive(Debug)]
pub enum Told {
    /// A daemon's state.
    Child(ChildStatus),
    /// The machine is asked to go down.
    Shutdown,
}

/// The link, once a runtime runs.
#[derive(Debug)]
pub struct InitLink {
    end: AsyncFd<DaemonEnd>,
    ping: Interval,
}

/// How the machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// It starts again.
    Reboot,
    /// It is switched off.
    Poweroff,
}

impl InitLink {
    /// Takes the link over into the runtime.
    ///
    /// # Errors
    /// The descriptor cannot be watched.
    pub fn new(end: DaemonEnd) -> Result<Self, InitLinkError> {
        let end = super::readable(end).map_err(InitLinkError::Watch)?;
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { end, ping })
    }

    /// Has init keep a descriptor for our next life.
    ///
    /// # Errors
    /// The link is broken or the name is none.
    pub fn keep(&self, name: &'static str, descriptor: &impl AsFd) -> Result<(), InitLinkError> {
        let name = StoreName::new(name).ok_or(InitLinkError::Name(name))?;
        self.send(&ToInit::Store { name }, Some(descriptor))
    }

    /// Says that we do our work.
    ///
    /// # Errors
    /// The link is broken.
    pub fn ready(&self) -> Result<(), InitLinkError> {
        self.send(&ToInit::Ready, None::<&OwnedFd>)
    }

    /// Asks for the end of the machine.
    ///
    /// # Errors
    /// The link is broken.
    pub fn go_down(&self, down: Down) -> Result<(), InitLinkError> {
        let frame = match down {
            Down::Reboot => ToInit::Reboot,
            Down::Poweroff => ToInit::Poweroff,
        };
        self.send(&frame, None::<&OwnedFd>)
    }

    /// Waits for what init tells, giving signs of life meanwhile. Cancel-safe.
    ///
    /// # Errors
    /// The link is broken; init is gone, and with it the machine.
    pub async fn next(&mut self) -> Result<Told, InitLinkError> {
        loop {
            tokio::select! {
                _ = self.ping.tick() => self.ping_now(),
                ready = self.end.readable() => {
                    let mut ready = ready.map_err(InitLinkError::Watch)?;
                    match self.end.get_ref().recv() {
                        Ok(Received::Frame(FromInit::Child(status), _)) => return Ok(Told::Child(status)),
                        Ok(Received::Frame(FromInit::Shutdown, _)) => return Ok(Told::Shutdown),
                        Ok(Received::Frame(..)) => {}
                        Ok(Received::Nothing) => ready.clear_ready(),
                        Ok(Received::Closed) => return Err(InitLinkError::Link(LinkError::Closed)),
                        // A frame from a newer init is passed over.
                        Err(LinkError::Frame(error)) => tracing::warn!(%error, "init said something unknown"),
                        Err(error) => return Err(InitLinkError::Link(error)),
                    }
                }
            }
        }
    }

    fn ping_now(&self) {
        match self.send(&ToInit::Ping, None::<&OwnedFd>) {
            // Init is busy; a full queue of pings says that we live.
            Ok(()) | Err(InitLinkError::Link(LinkError::Full)) => {}
            // That it is gone is learned by listening, after all that it said before.
            Err(error) => tracing::debug!("a ping: {}", cosi::report(&error)),
        }
    }

    fn send(&self, frame: &ToInit, descriptor: Option<&impl AsFd>) -> Result<(), InitLinkError> {
        let descriptor = descriptor.map(AsFd::as_fd);
        self.end
            .get_ref()
            .send(frame, descriptor)
            .map_err(InitLinkError::Link)
    }
}
