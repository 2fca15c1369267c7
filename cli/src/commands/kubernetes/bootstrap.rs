//! `osctl bootstrap`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use api::v1alpha1::BootstrapRequest;
use api::v1alpha1::cluster_service_client::ClusterServiceClient;
use cosi::wire::Client;
use resources::kubernetes::NodeStatus;
use resources::net::HostnameSpec;
use resources::runtime::{Health, ServiceState, ServiceStatus};
use serde::Serialize;
use store::{Registry, Spec};
use tonic::transport::Channel;

use crate::explain::sentence;
use crate::fleet::Session;
use crate::output::{self, Format};
use crate::progress::Progress;
use crate::tries::{self, Pace};

/// How long it may take by itself: images are pulled, and every program starts for the first time.
const BEGIN: Duration = Duration::from_secs(20 * 60);

/// How it is looked after.
const PACE: Pace = Pace {
    interval: Duration::from_secs(2),
    longest: Duration::from_secs(10),
};

/// What to wait for.
#[derive(Debug, clap::Args)]
pub(crate) struct Bootstrap {
    /// Give the order, and do not wait for what becomes of it
    #[arg(long)]
    no_wait: bool,
}

/// What became of it.
#[derive(Serialize)]
struct Begun {
    node: String,
    result: &'static str,
}

/// Has it begin, and waits.
pub(super) async fn run(session: &Session, command: &Bootstrap, format: Format) -> Result<()> {
    let node = session.one_changed()?;
    let order = |channel: Channel| async move {
        let request = BootstrapRequest {};
        let answer = ClusterServiceClient::new(channel)
            .bootstrap(request)
            .await?;
        Ok(answer.into_inner().before)
    };
    let before = session.again(&node, order).await?;
    let result = match (before, command.no_wait) {
        (true, true) => "the cluster had begun before",
        (false, true) => "the cluster begins",
        (_, false) => {
            wait(session, &node).await?;
            if before {
                "the cluster had begun before"
            } else {
                "the cluster has begun"
            }
        }
    };
    if format != Format::Table {
        return output::value(format, &Begun { node, result });
    }
    output::line(&format!("{node}: {result}"))
}

/// Waits until the API server answers and knows the node.
async fn wait(session: &Session, node: &str) -> Result<()> {
    let progress = Progress::new();
    let mut last = String::new();
    let ask = || session.again(node, look);
    let known = tries::until(PACE, ask, |seen| match seen {
        Ok(Seen::Known) => Some(()),
        Ok(Seen::Not(what)) => {
            if what != last {
                progress.step(format!("{node}: {what}"));
                last = what;
            }
            None
        }
        // Nodes under load answer late; what is wrong is told if it stays so.
        Err(error) => {
            last = sentence(&error);
            None
        }
    });
    let known = tokio::time::timeout(BEGIN, known).await;
    known.map_err(|_| {
        let minutes = BEGIN.as_secs() / 60;
        anyhow!("{node}: the cluster has not begun after {minutes} minutes: {last} (`osctl services` and `osctl logs etcd` tell more; the order holds)")
    })
}

/// How far a node is.
enum Seen {
    /// The API server knows it.
    Known,
    /// It waits for something.
    Not(String),
}

async fn look(channel: Channel) -> Result<Seen> {
    let mut registry = Registry::new();
    registry
        .register::<ServiceStatus>()?
        .register::<HostnameSpec>()?
        .register::<NodeStatus>()?;
    let client = Client::new(channel, Arc::new(registry));
    let names = client.list_as::<HostnameSpec>(HostnameSpec::DEFINITION.namespace);
    let names = names.await?;
    let nodes = client.list_as::<NodeStatus>(NodeStatus::DEFINITION.namespace);
    let nodes = nodes.await?;
    if names
        .iter()
        .any(|name| nodes.iter().any(|it| it.id() == name.spec.hostname))
    {
        return Ok(Seen::Known);
    }
    let types = ServiceStatus::DEFINITION;
    let services = client.list_as::<ServiceStatus>(types.namespace).await?;
    for name in ["containerd", "etcd", "kubelet"] {
        let Some(status) = services.iter().find(|it| it.id() == name) else {
            return Ok(Seen::Not(format!("waits for {name}")));
        };
        let status = &status.spec;
        if status.state != ServiceState::Running || status.health != Health::Healthy {
            let state = output::word(&status.state);
            let reason = if status.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", status.reason)
            };
            return Ok(Seen::Not(format!("{name} is {state}{reason}")));
        }
    }
    Ok(Seen::Not("waits for the API server".to_owned()))
}
