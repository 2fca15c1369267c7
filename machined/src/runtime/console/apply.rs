//! Draws the console when what it shows has changed.

use cosi::status::{ControllerStatus, RunState};
use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::StreamExt;
use pki::pairing::PairingString;
use resources::net::{AddressStatus, HOSTNAME, HostnameSpec, LinkStatus};
use resources::runtime::{Condition, MACHINED, Stage, StageStatus};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use super::{Consoles, LinkView, View};

/// What the console shows that is no resource.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The version of the system.
    pub version: String,
    /// The port the API listens on.
    pub api_port: u16,
    /// The fingerprint of the key that maintenance mode presents.
    pub fingerprint: String,
}

/// Draws the console.
#[derive(Debug)]
pub struct ConsoleController {
    consoles: Consoles,
    fixed: Fixed,
    pairing: watch::Receiver<PairingString>,
    drawn: View,
}

cosi::declare! {
    ConsoleController as "runtime.console.apply" {
        reads AddressStatus;
        reads Condition;
        reads ControllerStatus;
        reads HostnameSpec;
        reads LinkStatus;
        reads StageStatus;
    }
}

impl ConsoleController {
    /// Draws on `consoles`; `pairing` is shown in maintenance mode.
    #[must_use]
    pub fn new(consoles: Consoles, fixed: Fixed, pairing: watch::Receiver<PairingString>) -> Self {
        Self {
            consoles,
            fixed,
            pairing,
            drawn: View::default(),
        }
    }

    fn view(&self, cx: &Cx<'_, Self>) -> View {
        let stage = cx.get::<StageStatus>(MACHINED).map(|typed| typed.spec);
        let waits = stage
            .as_ref()
            .is_some_and(|status| status.stage == Stage::Maintenance);
        let addresses = cx.list::<AddressStatus>();
        let links = cx
            .list::<LinkStatus>()
            .into_iter()
            .filter(|link| link.spec.link_type != "loopback");
        let links = links.map(|link| LinkView {
            state: crate::word(&link.spec.operational_state),
            addresses: addresses
                .iter()
                .filter(|address| address.spec.link.as_str() == &*link.metadata.id)
                .map(|address| address.spec.address.to_string())
                .collect(),
            name: link.metadata.id.to_string(),
        });
        let unmet = cx
            .list::<Condition>()
            .into_iter()
            .filter(|condition| !condition.spec.met);
        let waiting = cx
            .list::<ControllerStatus>()
            .into_iter()
            .filter(|status| status.spec.state == RunState::Waiting);
        let failed = cx
            .list::<ControllerStatus>()
            .into_iter()
            .find(|status| status.spec.state == RunState::Failed);
        View {
            name: cx
                .get::<HostnameSpec>(HOSTNAME)
                .map(|typed| typed.spec.hostname.clone())
                .unwrap_or_default(),
            version: self.fixed.version.clone(),
            stage: stage
                .map(|status| crate::word(&status.stage))
                .unwrap_or_default(),
            links: links.collect(),
            api_port: Some(self.fixed.api_port),
            fingerprint: if waits {
                self.fixed.fingerprint.clone()
            } else {
                String::new()
            },
            pairing: waits.then(|| self.pairing.borrow().reveal()),
            waiting: unmet
                .map(|condition| format!("{}: {}", condition.metadata.id, condition.spec.message))
                .chain(waiting.map(|status| status.spec.waiting_on.clone()))
                .collect(),
            last_error: failed
                .map(|status| format!("{}: {}", status.metadata.id, status.spec.error)),
        }
    }
}

impl Controller for ConsoleController {
    fn sources(&mut self) -> Vec<Source> {
        vec![
            WatchStream::from_changes(self.pairing.clone())
                .map(drop)
                .boxed(),
        ]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let view = self.view(cx);
        if view != self.drawn {
            let (consoles, text) = (self.consoles.clone(), view.render());
            // A serial line is slow; waiting for it here also keeps two drawings from mixing.
            let drawn = tokio::task::spawn_blocking(move || consoles.draw(&text)).await?;
            // A console that is broken stays so: trying again would fill the others, and a failure of ours would keep
            // the whole runtime from rest.
            if let Err(error) = drawn {
                tracing::warn!(%error, "a console cannot be drawn");
            }
            self.drawn = view;
        }
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pki::pairing::{PairingSecret, Pin};
    use store::Store;

    use super::*;

    #[tokio::test]
    async fn a_console_that_is_broken_keeps_nothing_from_rest() {
        let own = pki::maintenance_identity().expect("an identity");
        let pairing = PairingString {
            pin: Pin::of(&own.certificate().fingerprint),
            secret: PairingSecret::from_bytes([0; 5]),
        };
        let (_tell, shown) = watch::channel(pairing);
        let fixed = Fixed {
            version: "0".into(),
            api_port: 1,
            fingerprint: String::new(),
        };
        let console = ConsoleController::new(Consoles::active("no-such-console"), fixed, shown);
        let mut runtime = cosi::Runtime::new("machined", Store::new(1));
        runtime.register(console).expect("the only one");
        let rest = runtime.rest();
        tokio::select! {
            _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
            reached = tokio::time::timeout(Duration::from_secs(20), rest.reached()) => {
                reached.expect("the controllers come to rest");
            }
        }
    }
}
