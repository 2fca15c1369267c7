//! Draws the console when what it shows has changed.

use cosi::status::{ControllerStatus, RunState};
use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::StreamExt;
use pki::pairing::PairingString;
use resources::net::{AddressStatus, HOSTNAME, HostnameSpec, LinkStatus};
use resources::runtime::{
    CLUSTER, CONSOLE, ClusterInfo, Condition, ConsoleSpec, MACHINED, Stage, StageStatus,
};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use super::level::Level;
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
    level: Level,
    fixed: Fixed,
    pairing: watch::Receiver<PairingString>,
    /// What was drawn last, and where.
    drawn: (View, Consoles),
}

cosi::declare! {
    ConsoleController as "runtime.console.apply" {
        reads AddressStatus;
        reads ClusterInfo;
        reads Condition;
        reads ConsoleSpec;
        reads ControllerStatus;
        reads HostnameSpec;
        reads LinkStatus;
        reads StageStatus;
    }
}

impl ConsoleController {
    /// Draws on `consoles`, whose messages of the kernel have this level; `pairing` is shown in maintenance mode.
    #[must_use]
    pub fn new(
        consoles: Consoles,
        level: Level,
        fixed: Fixed,
        pairing: watch::Receiver<PairingString>,
    ) -> Self {
        Self {
            drawn: (View::default(), consoles.clone()),
            consoles,
            level,
            fixed,
            pairing,
        }
    }

    /// Where the config wants it; everywhere, when the node cannot be reached without somebody who reads it.
    fn place(&self, view: &View, spec: Option<&ConsoleSpec>) -> Consoles {
        match spec {
            Some(spec) if !spec.everywhere && view.pairing.is_none() => {
                self.consoles.named(&spec.devices)
            }
            _ => self.consoles.clone(),
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
            cluster: cx
                .get::<ClusterInfo>(CLUSTER)
                .map(|typed| typed.spec.cluster.clone())
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
        let spec = cx.get::<ConsoleSpec>(CONSOLE).map(|it| it.spec);
        if let Some(spec) = &spec
            && let Err(error) = self.level.set(spec.kernel_level)
        {
            tracing::warn!(%error, "the kernel does not take the level of its messages");
        }
        let consoles = self.place(&view, spec.as_deref());
        let shall = (view, consoles);
        if shall != self.drawn {
            let (consoles, text) = (shall.1.clone(), shall.0.render());
            // A serial line is slow; waiting for it here also keeps two drawings from mixing.
            let drawn = tokio::task::spawn_blocking(move || consoles.draw(&text)).await?;
            // A console that is broken stays so: trying again would fill the others, and a failure of ours would keep
            // the whole runtime from rest.
            if let Err(error) = drawn {
                tracing::warn!(%error, "a console cannot be drawn");
            }
            self.drawn = shall;
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
        let consoles = Consoles::active("no-such-console");
        let level = Level::new("/no/such/setting".into(), "/no/such/file".into());
        let console = ConsoleController::new(consoles, level, fixed, shown);
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

    #[tokio::test]
    async fn the_config_says_where_unless_the_node_waits_for_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, there) = (folder.path().join("tty0"), folder.path().join("ttyS0"));
        for path in [&here, &there] {
            std::fs::write(path, "").expect("written");
        }
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
        let active = format!("{} {}", here.display(), there.display());
        let level = Level::new(folder.path().join("printk"), folder.path().join("kept"));
        let console = ConsoleController::new(Consoles::active(&active), level, fixed, shown);
        let spec = ConsoleSpec {
            devices: vec!["ttyS0".to_owned()],
            ..ConsoleSpec::default()
        };
        let view = |pairing: Option<&str>| View {
            pairing: pairing.map(str::to_owned),
            ..View::default()
        };
        let place = |pairing, spec| console.place(&view(pairing), spec);
        assert_eq!(
            place(None, Some(&spec)),
            Consoles::active(&there.display().to_string())
        );
        assert_eq!(place(Some("A"), Some(&spec)), Consoles::active(&active));
        assert_eq!(place(None, None), Consoles::active(&active));
        let nowhere = place(None, Some(&ConsoleSpec::default()));
        nowhere.draw("text").expect("nothing to draw on");
        assert_eq!(std::fs::read_to_string(&here).expect("read"), "");
    }
}
