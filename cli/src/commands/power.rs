//! `osctl reboot` and `osctl shutdown`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{RebootRequest, ShutdownRequest};
use cosi::wire::Client;
use resources::runtime::{MachineStatus, THIS};
use store::{Reference, Registry, Spec};
use tonic::transport::Channel;

use crate::explain;
use crate::fleet::Session;
use crate::output::{self, Format};
use crate::tries::{self, Pace};

/// How long a node may take to start again: firmware of a large server alone needs minutes.
const START: Duration = Duration::from_secs(15 * 60);

/// How it is looked after. A second is short for a person and nothing for a node; ten are enough for a try over the worst
/// of lines, and bound how many are under way at once.
const PACE: Pace = Pace {
    interval: Duration::from_secs(1),
    longest: Duration::from_secs(10),
};

/// Restarts nodes in order; on demand waits until they are back.
pub(crate) async fn reboot(session: &Session, wait: bool, format: Format) -> Result<()> {
    let answers = session
        .each_changed(|channel| async move {
            // Asked before, because afterwards it cannot be told any more whether this is a new start.
            let before = match wait {
                true => Some(boot(channel.clone()).await?),
                false => None,
            };
            MachineServiceClient::new(channel)
                .reboot(RebootRequest {})
                .await?;
            Ok(before)
        })
        .await?;
    if !wait {
        return answers.map(|_| "reboots").tell(format);
    }
    let back = answers.then(|node, before| async move {
        output::note(&format!("{node}: reboots"));
        comes_back(session, &node, before.as_deref()).await
    });
    back.await.tell(format)
}

/// Powers nodes off in order.
pub(crate) async fn shutdown(session: &Session, format: Format) -> Result<()> {
    let answers = session
        .each_changed(|channel| async move {
            MachineServiceClient::new(channel)
                .shutdown(ShutdownRequest {})
                .await?;
            Ok("shuts down")
        })
        .await?;
    answers.tell(format)
}

/// What the kernel calls the boot that a node is on.
pub(super) async fn boot(channel: Channel) -> Result<String> {
    let mut registry = Registry::new();
    registry
        .register::<MachineStatus>()
        .context("the type of machines")?;
    let types = MachineStatus::DEFINITION;
    let reference = Reference::new(types.namespace, types.ty, THIS);
    let machine = Client::new(channel, Arc::new(registry))
        .get(&reference)
        .await?;
    let status = machine.spec::<MachineStatus>();
    Ok(status
        .context("the node describes its machine in another way")?
        .boot_id
        .clone())
}

/// Waits until a node is on another boot than `before`, or waits for a config.
pub(super) async fn comes_back(
    session: &Session,
    node: &str,
    before: Option<&str>,
) -> Result<&'static str> {
    let mut last = None;
    let ask = || session.again(node, boot);
    let back = tries::until(PACE, ask, |heard| match Heard::of(heard, before) {
        Heard::Back(result) => Some(result),
        news => {
            last = Some(news);
            None
        }
    });
    let back = tokio::time::timeout(START, back).await;
    back.map_err(|_| too_late(last))
}

/// What one try tells of a node that is to start again.
#[derive(Debug)]
enum Heard {
    /// It has; this is what became of it.
    Back(&'static str),
    /// It is on the old boot still.
    Still,
    /// It cannot be asked.
    Nothing(anyhow::Error),
}

impl Heard {
    fn of(answer: Result<String>, before: Option<&str>) -> Self {
        match answer {
            Ok(now) if before != Some(now.as_str()) => Self::Back("rebooted"),
            Ok(_) => Self::Still,
            Err(error) if explain::is_stranger(&error) => {
                Self::Back("rebooted; waits in maintenance mode for a config")
            }
            Err(error) => Self::Nothing(error),
        }
    }
}

/// What to say of a node that is not back in time.
fn too_late(last: Option<Heard>) -> anyhow::Error {
    let minutes = START.as_secs() / 60;
    match last {
        Some(Heard::Nothing(error)) => {
            error.context(format!("it is not back after {minutes} minutes"))
        }
        _ => anyhow::anyhow!("it did not go down in {minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_back_when_it_is_on_another_boot() {
        let of = |answer: Result<&str>| Heard::of(answer.map(str::to_owned), Some("one"));
        assert!(matches!(of(Ok("one")), Heard::Still));
        assert!(matches!(of(Ok("two")), Heard::Back("rebooted")));
        let refused = rustls::Error::from(rustls::CertificateError::UnknownIssuer);
        let waits = matches!(of(Err(refused.into())), Heard::Back(result) if result.contains("maintenance"));
        assert!(waits);
        let gone = of(Err(anyhow::anyhow!("refused")));
        assert!(matches!(gone, Heard::Nothing(_)));
        let late = explain::sentence(&too_late(Some(gone)));
        assert_eq!(late, "it is not back after 15 minutes: refused");
        let late = too_late(Some(Heard::Still)).to_string();
        assert_eq!(late, "it did not go down in 15 minutes");
    }
}
