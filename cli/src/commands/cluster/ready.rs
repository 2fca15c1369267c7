//! Waiting until a machine is a node: it answers by certificate, and what it is given stays over its power.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use api::v1alpha1::VersionRequest;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use cosi::wire::Client;
use resources::block::{VolumePhase, VolumeStatus};
use resources::runtime::Condition;
use store::Registry;
use tokio::time::timeout;

use super::fit::Patience;
use super::up::on_runtime;
use crate::commands::kubernetes::seen::all;
use crate::connect::{self, Target};
use crate::context::{Context, Node};
use crate::fleet::within;
use crate::output;
use crate::progress::Progress;
use crate::tries::{self, Pace};

/// A config to an answer over mutual TLS with hardware virtualisation; scaled where there is none.
const ANSWER: Duration = Duration::from_secs(30);

/// From there to volumes with new file systems and a config on them; scaled likewise.
const DISK: Duration = Duration::from_secs(30);

/// For a worker to get its certificate from a cluster that has begun; scaled likewise.
pub(super) const JOIN: Duration = Duration::from_secs(120);

/// How a node is asked; scaled likewise. It may be about to change its certificate, so that one try waits in vain.
const PACE: Pace = Pace {
    interval: Duration::from_secs(1),
    longest: Duration::from_secs(5),
};

/// The volumes of a node that have a file system.
const VOLUMES: [&str; 2] = ["STATE", "EPHEMERAL"];

/// The condition that says where a node keeps its configs.
const STORE: &str = "config-store";

/// How that condition names the disk.
const ON_DISK: &str = "on STATE";

/// What is waited for first.
const ANSWERING: &str = "waiting until it answers";

/// What a node says of itself.
#[derive(Debug, Default)]
struct Said {
    stage: String,
    volumes: BTreeMap<String, VolumeStatus>,
    conditions: BTreeMap<String, Condition>,
}

/// What a node lacks to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lack {
    /// It is at another stage than `running`.
    Stage(String),
    /// A volume is not mounted; what is known of it.
    Volume(String),
    /// Its config is not kept on its disk; what it says of that.
    Keeping(String),
}

impl Lack {
    /// What is waited for, in the words of progress.
    fn step(&self) -> &'static str {
        match self {
            Self::Stage(_) => ANSWERING,
            Self::Volume(_) => "waiting for its volumes STATE and EPHEMERAL",
            Self::Keeping(_) => "waiting until it keeps its config on STATE",
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(stage) => write!(f, "it is still {stage}"),
            Self::Volume(told) => f.write_str(told),
            Self::Keeping(told) => write!(f, "its config is not kept on its disk: {told}"),
        }
    }
}

impl Said {
    /// What it lacks, with a disk of its own or without one.
    fn lacks(&self, disk: bool) -> Option<Lack> {
        if self.stage != "running" {
            return Some(Lack::Stage(self.stage.clone()));
        }
        if !disk {
            return None;
        }
        let unready = VOLUMES.iter().find_map(|name| self.unready(name));
        unready.map(Lack::Volume).or_else(|| self.unkept())
    }

    fn unready(&self, name: &str) -> Option<String> {
        let Some(volume) = self.volumes.get(name) else {
            return Some(format!("its volume {name} is not there"));
        };
        let VolumeStatus {
            phase,
            mounted_at,
            reason,
            ..
        } = volume;
        let phase = match phase {
            VolumePhase::Ready if !mounted_at.is_empty() => return None,
            VolumePhase::Ready => "not mounted".to_owned(),
            other => output::word(other),
        };
        let is = format!("its volume {name} is {phase}");
        Some(output::with_reason(&is, reason))
    }

    fn unkept(&self) -> Option<Lack> {
        match self.conditions.get(STORE) {
            Some(it) if it.met && it.message.contains(ON_DISK) => None,
            Some(it) => Some(Lack::Keeping(it.message.clone())),
            None => Some(Lack::Keeping("it has not said where".to_owned())),
        }
    }
}

/// Waits until a node runs, and with a disk until that has what the node was given; says what is waited for. What comes before its
/// first answer may take `longer`.
pub(super) fn wait(
    context: &Context,
    node: &Node,
    disk: bool,
    longer: Duration,
    patience: Patience,
    progress: &Progress,
) -> Result<()> {
    let limit = longer + if disk { ANSWER + DISK } else { ANSWER };
    let say = |step: &str| progress.step(format!("{}: {step}", node.name));
    let mut step = ANSWERING;
    say(step);
    let mut last = anyhow!("it has not answered");
    let attempt = patience.scale(PACE.longest);
    let pace = PACE.with_tries_of(attempt);
    let ready = tries::until(
        pace,
        || ask(context, node, disk, attempt),
        |asked| {
            last = match asked.map(|said| said.lacks(disk)) {
                Ok(None) => return Some(()),
                Ok(Some(lack)) => {
                    if step != lack.step() {
                        step = lack.step();
                        say(step);
                    }
                    anyhow!("{lack}")
                }
                Err(error) => error,
            };
            None
        },
    );
    let limit = patience.scale(limit);
    let ready = on_runtime(async { Ok(timeout(limit, ready).await.is_ok()) })?;
    if ready {
        return Ok(());
    }
    Err(last.context(format!("{} did not become ready", node.name)))
}

async fn ask(context: &Context, node: &Node, disk: bool, patience: Duration) -> Result<Said> {
    let target = Target {
        name: node.name.clone(),
        server_name: node.name.clone(),
        address: node.address.clone(),
    };
    let channel = connect::connect(context, &target, patience).await?;
    let asked = async {
        let mut machine = MachineServiceClient::new(channel.clone());
        let version = machine.version(VersionRequest {}).await?.into_inner();
        let mut said = Said {
            stage: version.stage,
            ..Said::default()
        };
        if disk {
            let mut registry = Registry::new();
            registry
                .register::<VolumeStatus>()?
                .register::<Condition>()?;
            let state = Client::new(channel, Arc::new(registry));
            said.volumes = all(&state).await?;
            said.conditions = all(&state).await?;
        }
        Ok(said)
    };
    within(patience, asked).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Said {
        Said {
            stage: "running".to_owned(),
            ..Said::default()
        }
    }

    fn volume(phase: VolumePhase, mounted_at: &str) -> VolumeStatus {
        VolumeStatus {
            phase,
            mounted_at: mounted_at.to_owned(),
            ..VolumeStatus::default()
        }
    }

    #[test]
    fn a_machine_without_a_disk_is_ready_when_it_runs() {
        assert_eq!(running().lacks(false), None);
        let booting = Said {
            stage: "booting".to_owned(),
            ..Said::default()
        };
        for disk in [false, true] {
            let lack = booting.lacks(disk).expect("it does not run");
            assert_eq!(lack.to_string(), "it is still booting");
            assert_eq!(lack.step(), ANSWERING);
        }
    }

    #[test]
    fn a_machine_with_a_disk_is_ready_when_that_has_its_config() {
        let mut said = running();
        let lack = |said: &Said| said.lacks(true).map(|it| it.to_string());
        assert_eq!(
            lack(&said).as_deref(),
            Some("its volume STATE is not there")
        );
        for (name, path) in [("STATE", "/run/garboard/state"), ("EPHEMERAL", "/var")] {
            let preparing = VolumeStatus {
                reason: "making its file system".to_owned(),
                ..volume(VolumePhase::Preparing, "")
            };
            said.volumes.insert(name.to_owned(), preparing);
            let told = format!("its volume {name} is preparing: making its file system");
            assert_eq!(lack(&said), Some(told));
            said.volumes
                .insert(name.to_owned(), volume(VolumePhase::Ready, ""));
            assert_eq!(
                lack(&said),
                Some(format!("its volume {name} is not mounted"))
            );
            said.volumes
                .insert(name.to_owned(), volume(VolumePhase::Ready, path));
        }
        let kept = |met: bool, message: &str| Condition {
            met,
            message: message.to_owned(),
        };
        let told = said.lacks(true).expect("it is not kept");
        assert_eq!(told.step(), "waiting until it keeps its config on STATE");
        for (met, message) in [
            (false, "looking for the node's disk"),
            (
                true,
                "configs are kept in memory until the machine restarts: no disk",
            ),
        ] {
            said.conditions.insert(STORE.to_owned(), kept(met, message));
            let told = lack(&said).expect("it is not kept");
            assert!(told.ends_with(message), "{told}");
        }
        let message = "configs are kept on STATE at /run/garboard/state";
        said.conditions
            .insert(STORE.to_owned(), kept(true, message));
        assert_eq!(said.lacks(true), None);
    }
}
