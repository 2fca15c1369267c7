//! One round of questions to a node, and the next, for as long as somebody looks.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use api::v1alpha1 as v1;
use api::v1alpha1::inspect_service_client::InspectServiceClient;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use cosi::wire::Client;
use resources::net::{CURRENT, NodeAddress};
use resources::runtime::{Condition, Health, ServiceState, ServiceStatus};
use store::{Registry, Spec};
use tokio::sync::mpsc;
use tonic::transport::Channel;

use super::model::{Facts, Process, Service};
use crate::commands::stream::last_events;
use crate::connect::{self, Target};
use crate::explain::sentence;
use crate::fleet::{Session, within};
use crate::output::word;

/// How long a node is left alone between two rounds.
const PAUSE: Duration = Duration::from_secs(2);

/// What a picture has room for.
const EVENTS: u32 = 20;
const PROCESSES: usize = 10;

/// What a node said, or why nothing.
pub(super) struct Told {
    pub(super) node: usize,
    pub(super) said: Result<Facts, String>,
}

/// Asks until nobody listens any more.
pub(super) async fn ask_forever(
    session: &Session,
    target: &Target,
    node: usize,
    heard: &mpsc::Sender<Told>,
) {
    let mut channel = None;
    loop {
        let said = round(session, target, &mut channel).await;
        if said.is_err() {
            // The next round begins with a new connection: the node may have other keys by then.
            channel = None;
        }
        let said = said.map_err(|error| sentence(&error));
        if heard.send(Told { node, said }).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn round(session: &Session, target: &Target, channel: &mut Option<Channel>) -> Result<Facts> {
    let open = match channel {
        Some(open) => open.clone(),
        None => {
            let open = connect::connect(&session.context, target, session.patience).await?;
            channel.insert(open).clone()
        }
    };
    within(session.patience, facts(open)).await
}

async fn facts(channel: Channel) -> Result<Facts> {
    let mut machine = MachineServiceClient::new(channel.clone());
    let mut inspect =
        InspectServiceClient::new(channel.clone()).max_decoding_message_size(api::MAX_RESPONSE);
    let state = Client::new(channel, Arc::new(known()?));
    let version = machine.version(v1::VersionRequest {}).await?.into_inner();
    let memory = inspect.memory(v1::MemoryRequest {}).await?.into_inner();
    let processes = inspect.processes(v1::ProcessesRequest {}).await?;
    let processes: Vec<Process> = processes
        .into_inner()
        .processes
        .into_iter()
        .map(process)
        .collect();
    let services = state
        .list_as::<ServiceStatus>(namespace::<ServiceStatus>())
        .await?;
    let addresses = state
        .list_as::<NodeAddress>(namespace::<NodeAddress>())
        .await?;
    let conditions = state.list_as::<Condition>(namespace::<Condition>()).await?;
    let addresses = addresses.iter().filter(|it| it.id() == CURRENT);
    let unmet = conditions.iter().filter(|it| !it.spec.met);
    Ok(Facts {
        hostname: version.hostname,
        stage: version.stage,
        version: version.version,
        kernel: version.kernel,
        memory_bytes: memory.total_bytes,
        available_bytes: memory.available_bytes,
        cpu: processes.iter().map(|process| process.cpu).sum(),
        addresses: addresses
            .flat_map(|it| it.spec.addresses.iter().map(ToString::to_string))
            .collect(),
        services: services
            .iter()
            .map(|it| service(it.id(), &it.spec))
            .collect(),
        processes: largest(processes),
        events: last_events(machine, EVENTS).await?,
        waits_for: unmet
            .map(|it| format!("{}: {}", it.id(), it.spec.message))
            .collect(),
    })
}

/// The types that are asked for.
fn known() -> Result<Registry> {
    let mut registry = Registry::new();
    registry
        .register::<Condition>()?
        .register::<NodeAddress>()?
        .register::<ServiceStatus>()?;
    Ok(registry)
}

fn namespace<S: Spec>() -> &'static str {
    S::DEFINITION.namespace
}

fn process(said: v1::Process) -> Process {
    Process {
        pid: said.pid,
        command: said.command,
        resident_bytes: said.resident_bytes,
        cpu: Duration::from_micros(said.cpu_microseconds),
    }
}

fn largest(mut processes: Vec<Process>) -> Vec<Process> {
    processes.sort_by_key(|process| Reverse(process.resident_bytes));
    processes.truncate(PROCESSES);
    processes
}

fn service(id: &str, status: &ServiceStatus) -> Service {
    let ended = matches!(status.state, ServiceState::Finished | ServiceState::Stopped);
    let runs = status.state == ServiceState::Running && status.health != Health::Unhealthy;
    Service {
        id: id.to_owned(),
        state: word(&status.state),
        health: word(&status.health),
        restarts: status.restarts,
        well: runs || ended,
    }
}
