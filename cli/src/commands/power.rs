//! `osctl reboot` and `osctl shutdown`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{RebootRequest, ShutdownRequest};
use clap::Args;
use cosi::wire::Client;
use resources::runtime::{MachineStatus, THIS};
use store::{Reference, Registry, Spec};
use tonic::transport::Channel;

use super::departure::{self, Drain};
use crate::explain;
use crate::fleet::{Answers, Session};
use crate::output::Format;
use crate::progress::Progress;
use crate::tries::{self, Pace};

/// How long a node may take to start again: firmware of a large server alone needs minutes.
const START: Duration = Duration::from_secs(15 * 60);

/// How it is looked after. A second is short for a person and nothing for a node; ten are enough for a try over the worst
/// of lines, and bound how many are under way at once.
const PACE: Pace = Pace {
    interval: Duration::from_secs(1),
    longest: Duration::from_secs(10),
};

/// How to restart nodes.
#[derive(Debug, Args)]
pub(crate) struct Reboot {
    /// Wait until each has started again and answers, or waits in maintenance mode for a config
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    drain: Drain,
}

/// How to power nodes off.
#[derive(Debug, Args)]
pub(crate) struct Shutdown {
    #[command(flatten)]
    drain: Drain,
}

/// Restarts nodes, one after the other; waits until they are back: for the last one on demand, for those before it always, as the
/// others do their work meanwhile.
pub(crate) async fn reboot(session: &Session, reboot: &Reboot, format: Format) -> Result<()> {
    let count = session.all_changed()?.len();
    let one = |number: usize, node: String, progress: Progress| async move {
        let wait = reboot.wait || number + 1 < count;
        restart(session, &node, &reboot.drain, wait, &progress).await
    };
    one_by_one(session, one).await?.tell(format)
}

/// Powers nodes off, one after the other.
pub(crate) async fn shutdown(session: &Session, command: &Shutdown, format: Format) -> Result<()> {
    let drain = Some(command.drain.request());
    let one = |_, node: String, progress: Progress| async move {
        let order = |channel| async move {
            let request = ShutdownRequest { drain };
            MachineServiceClient::new(channel).shutdown(request).await?;
            Ok(())
        };
        departure::order(session, &node, &progress, order).await?;
        Ok("shuts down")
    };
    one_by_one(session, one).await?.tell(format)
}

/// Does something about each node, unless it went wrong with one before.
async fn one_by_one<F>(
    session: &Session,
    end: impl Fn(usize, String, Progress) -> F,
) -> Result<Answers<&'static str>>
where
    F: Future<Output = Result<&'static str>>,
{
    let targets = session.all_changed()?;
    let count = targets.len();
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for (number, target) in targets.into_iter().enumerate() {
        match end(number, target.name.clone(), Progress::new()).await {
            Ok(result) => good.push((target.name, result)),
            Err(error) if number + 1 == count => failed.push((target.name, error)),
            Err(error) => {
                let left = error.context("the nodes after it are left as they are");
                failed.push((target.name, left));
                break;
            }
        }
    }
    Ok(Answers::new(good, failed))
}

async fn restart(
    session: &Session,
    node: &str,
    drain: &Drain,
    wait: bool,
    progress: &Progress,
) -> Result<&'static str> {
    // Asked before, because afterwards it cannot be told any more whether this is a new start.
    let before = match wait {
        true => Some(session.again(node, boot).await?),
        false => None,
    };
    let drain = Some(drain.request());
    let order = |channel| async move {
        let request = RebootRequest { drain };
        MachineServiceClient::new(channel).reboot(request).await?;
        Ok(())
    };
    let ((), departed) = departure::order(session, node, progress, order).await?;
    if !wait {
        return Ok("reboots");
    }
    progress.step(format!("{node}: reboots"));
    let back = comes_back(session, node, before.as_deref()).await?;
    if departed.cordoned {
        departure::takes_pods(session, node, progress).await?;
    }
    Ok(back)
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
