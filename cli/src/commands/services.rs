//! `osctl services start|stop|restart`.
//!
//! An order holds as soon as the node has answered it; what is waited for after that is only what becomes of it.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{OrderServiceRequest, ServiceOrder};
use clap::Subcommand;
use cosi::wire::{Client, Watch, WireEvent};
use resources::runtime::{Health, ServiceState, ServiceStatus};
use serde::Serialize;
use store::{Registry, Spec};
use tonic::transport::Channel;

use crate::fleet::Session;
use crate::output::{self, Format};

/// What there is to order.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a service, at once even if it waits for its next try, and wait until it runs
    ///
    /// One that is checked runs when it has been found well. How long that may take, --timeout says; the order holds longer.
    Start(Service),
    /// Stop a service until it is started by this command, or the node starts again, and wait until it has ended
    Stop(Service),
    /// Stop a service and start it again, and wait until it runs
    Restart(Service),
}

/// Which service.
#[derive(Debug, clap::Args)]
pub(crate) struct Service {
    /// Its id, as `osctl services` lists it
    #[arg(value_name = "SERVICE")]
    id: String,
    /// Give the order, and do not wait for what becomes of it
    #[arg(long)]
    no_wait: bool,
}

/// What became of an order.
#[derive(Serialize)]
struct Done<'a> {
    service: &'a str,
    result: &'static str,
}

/// Gives an order to nodes. It holds whatever becomes of this program.
pub(crate) async fn run(session: &Session, command: &Command, format: Format) -> Result<()> {
    let (service, order, begun) = match command {
        Command::Start(service) => (service, ServiceOrder::Start, "starts"),
        Command::Stop(service) => (service, ServiceOrder::Stop, "stops"),
        Command::Restart(service) => (service, ServiceOrder::Restart, "restarts"),
    };
    let Service { id, no_wait } = service;
    let answers = session
        .each_changed(|channel| async move {
            let request = OrderServiceRequest {
                service: id.clone(),
                order: order.into(),
            };
            MachineServiceClient::new(channel.clone())
                .order_service(request)
                .await?;
            Ok(channel)
        })
        .await?;
    let answers = if *no_wait {
        answers.map(|_| begun)
    } else {
        let end = answers
            .then(|node, channel| async move { settled(session, &node, channel, id, order).await });
        end.await
    };
    let answers = answers.map(|result| Done {
        service: id,
        result,
    });
    answers.show(format, |node, done| {
        output::line(&format!("{node}: {id} {}", done.result))
    })
}

/// Waits until a service is where it was ordered to, or will not get there, but not for ever.
async fn settled(
    session: &Session,
    node: &str,
    channel: Channel,
    id: &str,
    order: ServiceOrder,
) -> Result<&'static str> {
    let mut last = None;
    let settled = follow(channel, id, |status| {
        let end = end(node, id, order, &status);
        last = Some(status);
        end
    });
    match tokio::time::timeout(session.patience, settled).await {
        Ok(settled) => settled?,
        Err(_) => Err(too_late(id, last, session.patience.as_secs())),
    }
}

/// Follows the status of a service until `settles` makes something of it.
async fn follow<T>(
    channel: Channel,
    id: &str,
    mut settles: impl FnMut(ServiceStatus) -> Option<T>,
) -> Result<T> {
    let mut registry = Registry::new();
    registry.register::<ServiceStatus>()?;
    let types = ServiceStatus::DEFINITION;
    let request = Watch {
        id: Some(id.to_owned()),
        ..Watch::default()
    };
    let client = Client::new(channel, Arc::new(registry));
    let mut events = client.watch(types.namespace, types.ty, &request).await?;
    while let Some(told) = events.next().await? {
        let resource = match told.event {
            WireEvent::Created(resource) | WireEvent::Updated { new: resource, .. } => resource,
            WireEvent::Destroyed(_) => bail!("there is no service {id:?} any more"),
            WireEvent::Errored(reason) => bail!("the watch broke: {reason}"),
            WireEvent::Bootstrapped | WireEvent::Noop => continue,
        };
        let status = resource.spec::<ServiceStatus>();
        let status = status.context("the node describes its services in another way")?;
        if let Some(settled) = settles(status.clone()) {
            return Ok(settled);
        }
    }
    bail!("the node ended the watch")
}

/// What has become of an order, once that is sure.
fn end(
    node: &str,
    id: &str,
    order: ServiceOrder,
    status: &ServiceStatus,
) -> Option<Result<&'static str>> {
    use ServiceState::{Failed, Finished, Restarting, Running, Stopped};
    let failed = |how: &str| {
        let reason = &status.reason;
        let logs = format!("`osctl logs {id} -n {node}` shows what it wrote");
        Some(Err(anyhow!("{id} {how}: {reason} ({logs})")))
    };
    match (order, status.state) {
        (ServiceOrder::Stop, Stopped | Finished | Failed) => Some(Ok("has stopped")),
        (ServiceOrder::Stop, _) => None,
        (_, Running) if status.health != Health::Unhealthy => Some(Ok("runs")),
        (_, Finished) => Some(Ok("has run, and ended as it should")),
        (_, Failed) => failed("has failed"),
        (_, Restarting) => failed("ended, and is started again"),
        (_, Stopped) => failed("was stopped meanwhile"),
        _ => None,
    }
}

/// What to say of a service that is not where it was ordered to in time.
fn too_late(id: &str, last: Option<ServiceStatus>, seconds: u64) -> anyhow::Error {
    let longer = "the order holds, and --timeout waits longer";
    let Some(ServiceStatus { state, reason, .. }) = last else {
        return anyhow!("nothing was heard of {id} in {seconds} s ({longer})");
    };
    let reason = match reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let state = output::word(&state);
    anyhow!("{id} is still {state} after {seconds} s{reason} ({longer})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: ServiceState) -> ServiceStatus {
        ServiceStatus {
            state,
            reason: "because".to_owned(),
            ..ServiceStatus::default()
        }
    }

    #[test]
    fn an_order_has_ended_when_it_is_sure_what_becomes_of_it() {
        let end = |order, status: &ServiceStatus| {
            let end = super::end("node-1", "example", order, status)?;
            Some(end.map_err(|error| error.to_string()))
        };
        let of = |order, state| end(order, &status(state));
        for order in [ServiceOrder::Start, ServiceOrder::Restart] {
            assert_eq!(of(order, ServiceState::Running), Some(Ok("runs")));
            for on_the_way in [
                ServiceState::Waiting,
                ServiceState::Starting,
                ServiceState::Stopping,
            ] {
                assert_eq!(of(order, on_the_way), None, "{on_the_way:?}");
            }
            for failed in [
                ServiceState::Failed,
                ServiceState::Restarting,
                ServiceState::Stopped,
            ] {
                let said = of(order, failed).expect("sure").expect_err("failed");
                assert!(
                    said.contains(": because (`osctl logs example -n node-1`"),
                    "{said}"
                );
            }
        }
        let ill = ServiceStatus {
            health: Health::Unhealthy,
            ..status(ServiceState::Running)
        };
        assert_eq!(end(ServiceOrder::Start, &ill), None, "it may become well");
        assert_eq!(of(ServiceOrder::Stop, ServiceState::Stopping), None);
        assert_eq!(of(ServiceOrder::Stop, ServiceState::Running), None);
        let stopped = of(ServiceOrder::Stop, ServiceState::Stopped);
        assert_eq!(stopped, Some(Ok("has stopped")));
    }

    #[test]
    fn what_it_still_waits_for_is_told() {
        let said = too_late("example", Some(status(ServiceState::Waiting)), 30).to_string();
        assert_eq!(
            said,
            "example is still waiting after 30 s: because (the order holds, and --timeout waits longer)"
        );
        let said = too_late("example", None, 30).to_string();
        assert!(said.starts_with("nothing was heard of example"), "{said}");
    }
}
