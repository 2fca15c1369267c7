//! `osctl reboot` and `osctl shutdown`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{RebootRequest, ShutdownRequest};
use cosi::wire::Client;
use resources::runtime::{MachineStatus, THIS};
use serde::Serialize;
use store::{Reference, Registry, Spec};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use crate::explain;
use crate::fleet::{Answers, Session};
use crate::output::{self, Format};

/// How long a node may take to start again: firmware of a large server alone needs minutes.
const START: Duration = Duration::from_secs(15 * 60);

/// How long it is left alone between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// What became of a node.
#[derive(Serialize)]
struct Done {
    result: &'static str,
}

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
        return show(answers.map(|_| "reboots"), format);
    }
    let back = answers.then(|node, before| async move {
        output::note(&format!("{node}: reboots"));
        comes_back(session, &node, before.as_deref()).await
    });
    show(back.await, format)
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
    show(answers, format)
}

fn show(answers: Answers<&'static str>, format: Format) -> Result<()> {
    let answers = answers.map(|result| Done { result });
    if format == Format::Table {
        for (node, done) in &answers.good {
            output::line(&format!("{node}: {}", done.result))?;
        }
    } else {
        output::values_per_node(format, &answers.good)?;
    }
    answers.finish()
}

/// What the kernel calls the boot that a node is on.
async fn boot(channel: Channel) -> Result<String> {
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
async fn comes_back(session: &Session, node: &str, before: Option<&str>) -> Result<&'static str> {
    let deadline = Instant::now() + START;
    loop {
        let error = match session.again(node, boot).await {
            Ok(now) if before != Some(now.as_str()) => return Ok("rebooted"),
            Ok(_) => None,
            Err(error) if explain::is_stranger(&error) => {
                return Ok("rebooted; waits in maintenance mode for a config");
            }
            Err(error) => Some(error),
        };
        if Instant::now() >= deadline {
            let minutes = START.as_secs() / 60;
            return Err(match error {
                Some(error) => error.context(format!("it is not back after {minutes} minutes")),
                None => anyhow::anyhow!("it did not go down in {minutes} minutes"),
            });
        }
        sleep(LOOK).await;
    }
}
