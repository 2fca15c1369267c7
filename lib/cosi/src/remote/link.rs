//! The connection to the other side: one session after another, for ever.
//!
//! A session reads upstream's own status first, then opens all watches and takes their contents, then lives from events
//! until something breaks or upstream's status changes. The order matters: contents read after a status that said
//! "settled" hold everything that was there at that moment, so what is not in them is proven absent. An event
//! "settled" on its own watch proves nothing, as other watches may lag behind it; it ends the session, and the next one
//! begins with that knowledge.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use store::Resource;
use tokio::sync::oneshot;

use super::batches::{Batches, End, in_batches};
use super::bridge::{Bridge, Upstream};
use super::session::Session;
use crate::backoff::Backoff;
use crate::error::report;
use crate::runtime::Stopped;
use crate::status::{self, RuntimeStatus};
use crate::wire::{ClientError, Watch, WireEvent};

/// The longest pause between two attempts to connect: upstream is on the same machine, and its return is awaited.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What an end is to whoever reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    /// A session that stood is over.
    Lost,
    /// Nobody answers: upstream is not up yet, or still away.
    Away,
    /// Somebody answers, but not as upstream should.
    Wrong,
}

/// What there was of upstream, for saying each thing once.
#[derive(Debug, Default)]
struct Contact {
    /// A session stood, and nothing but news has ended one since.
    stood: bool,
    /// The log says already that nobody answers.
    told: bool,
}

impl Contact {
    /// What to say of an end; nothing when it was said before.
    fn ended(&mut self, end: &End) -> Option<Notice> {
        let notice = match end {
            _ if std::mem::take(&mut self.stood) => Notice::Lost,
            End::Broken(error) if error.is_unreachable() => Notice::Away,
            _ => Notice::Wrong,
        };
        let told = std::mem::replace(&mut self.told, notice != Notice::Wrong);
        (notice != Notice::Away || !told).then_some(notice)
    }
}

pub(crate) struct Link {
    bridge: Bridge,
    /// Told once, when the controllers may run.
    first: Option<oneshot::Sender<()>>,
    contact: Contact,
}

impl Link {
    pub(crate) fn new(bridge: Bridge, first: oneshot::Sender<()>) -> Self {
        Self {
            bridge,
            first: Some(first),
            contact: Contact::default(),
        }
    }

    /// Never ends by itself.
    pub(crate) async fn run(mut self) -> Stopped {
        let mut backoff = Backoff::default();
        loop {
            let end = self.session(&mut backoff).await;
            self.bridge.shared.board.set_leave(false);
            if matches!(end, End::News) {
                tracing::debug!("upstream has another status, reading all of it again");
                continue;
            }
            let pause = backoff.fail().min(LONGEST_PAUSE);
            self.tell(&end, pause);
            tokio::time::sleep(pause).await;
        }
    }

    /// Says once that upstream is gone, or not there yet. It starts at the same time as we do, so waiting for it is no
    /// reason for a warning.
    fn tell(&mut self, end: &End, pause: Duration) {
        let (upstream, error) = (&*self.bridge.upstream, report(end));
        match self.contact.ended(end) {
            Some(Notice::Lost) => tracing::warn!(upstream, error, ?pause, "upstream lost"),
            Some(Notice::Wrong) => {
                tracing::warn!(upstream, error, ?pause, "no session with upstream");
            }
            Some(Notice::Away) => tracing::info!(upstream, error, "waiting for upstream"),
            None => tracing::debug!(upstream, error, ?pause, "still waiting for upstream"),
        }
    }

    /// One session, from the first call to its end.
    async fn session(&mut self, backoff: &mut Backoff) -> End {
        let opened = self.open().await;
        let (upstream, mut batches) = match opened {
            Ok(opened) => opened,
            Err(end) => return end,
        };
        backoff.reset();
        self.contact.stood = true;
        let settled = upstream.as_ref().is_some_and(|status| status.settled);
        tracing::info!(settled, "upstream connected");
        self.bridge.shared.board.set_leave(settled);
        if let Some(first) = self.first.take() {
            // Nobody listens only when the runtime is being dropped.
            first.send(()).ok();
        }
        Session::new(&mut self.bridge, upstream)
            .run(&mut batches)
            .await
    }

    /// Reads upstream's status, opens all watches and takes their contents.
    async fn open(&mut self) -> Result<(Upstream, SelectAll<Batches>), End> {
        let status = self
            .bridge
            .client
            .get_as(status::NAMESPACE, &self.bridge.upstream)
            .await;
        let upstream: Upstream = match status {
            Ok(typed) => Some(RuntimeStatus::clone(&typed.spec)),
            Err(ClientError::NotFound(_)) => None,
            Err(error) => return Err(End::Broken(error)),
        };
        let watch = Watch {
            contents: true,
            aggregated: true,
            ..Watch::default()
        };
        let mut batches = SelectAll::new();
        for kind in &self.bridge.kinds {
            let opened = self
                .bridge
                .client
                .watch(kind.namespace, kind.ty, &watch)
                .await;
            batches.push(in_batches(opened.map_err(End::Broken)?));
        }
        let contents = self.contents(&mut batches).await?;
        if contents
            .iter()
            .any(|found| self.bridge.is_news(found, &upstream))
        {
            return Err(End::News);
        }
        let now = self.bridge.shared.clock.now();
        let settled = upstream.as_ref().is_some_and(|status| status.settled);
        self.bridge.mirror.begin(contents, settled, now);
        if self.first.is_some() {
            self.bridge.mirror.adopt(&self.bridge.shared.name, now);
        }
        self.bridge.outbox.add(self.bridge.everything());
        Ok((upstream, batches))
    }

    /// Reads until every watch has said that its contents are complete. A watch that was first may go on telling
    /// changes meanwhile; they are taken in.
    async fn contents(&self, batches: &mut SelectAll<Batches>) -> Result<Vec<Resource>, End> {
        let mut contents = BTreeMap::new();
        let mut open = self.bridge.kinds.len();
        while open > 0 {
            for event in batches.next().await.ok_or(End::Ended)?? {
                match event {
                    WireEvent::Bootstrapped => open -= 1,
                    WireEvent::Created(resource) | WireEvent::Updated { new: resource, .. } => {
                        contents.insert(resource.reference(), resource);
                    }
                    WireEvent::Destroyed(resource) => {
                        contents.remove(&resource.reference());
                    }
                    WireEvent::Errored(_) | WireEvent::Noop => {}
                }
            }
        }
        Ok(contents.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use store::Registry;
    use tonic::Status;

    use super::*;
    use crate::wire::{Client, unix};

    fn broken(status: Status) -> End {
        End::Broken(ClientError::Call {
            method: "get",
            status: Box::new(status),
        })
    }

    /// How a call over the socket ends.
    async fn end(socket: &std::path::Path) -> End {
        let client = Client::new(unix(socket), Arc::new(Registry::new()));
        let answer = client
            .get_as::<RuntimeStatus>(status::NAMESPACE, "upstream")
            .await;
        End::Broken(answer.expect_err("nobody is there"))
    }

    #[tokio::test]
    async fn a_socket_that_nobody_serves_yet_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = end(&folder.path().join("missing.sock")).await;
        let mut contact = Contact::default();
        assert_eq!(contact.ended(&missing), Some(Notice::Away));
        assert_eq!(contact.ended(&missing), None, "it was said");
        // Left by an upstream that is gone.
        let left = folder.path().join("left.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).expect("bound"));
        let left = end(&left).await;
        assert_eq!(Contact::default().ended(&left), Some(Notice::Away));
    }

    #[test]
    fn a_loss_and_a_refusal_are_told_apart_from_waiting() {
        let gone = broken(Status::unavailable("gone"));
        let mut contact = Contact::default();
        assert_eq!(contact.ended(&gone), Some(Notice::Away));
        contact.stood = true;
        // Also when the session ended for news, and it is the next one that cannot begin.
        assert_eq!(contact.ended(&gone), Some(Notice::Lost));
        assert_eq!(contact.ended(&gone), None);
        contact.stood = true;
        assert_eq!(contact.ended(&End::Ended), Some(Notice::Lost));

        let refused = broken(Status::permission_denied("not you"));
        assert_eq!(contact.ended(&refused), Some(Notice::Wrong));
        assert_eq!(contact.ended(&refused), Some(Notice::Wrong));
        assert_eq!(contact.ended(&gone), Some(Notice::Away));
    }
}
