//! Following an end of a node that was ordered: what its pods do before, and whether it comes to that.
//!
//! The order is the node's from the moment it was answered: who is interrupted here has changed nothing about it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use api::v1alpha1 as v1;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use clap::Args;
use cosi::wire::{Client, Query, Watch, WatchStream, WireEvent};
use resources::kubernetes::NodeStatus;
use resources::runtime::{Departure, DepartureState, LAST};
use store::{Registry, Spec};
use tonic::transport::Channel;

use crate::connect;
use crate::fleet::{Session, within};
use crate::output;
use crate::progress::Progress;
use crate::tries::{self, Pace};

/// How often the node is connected to anew when a connection breaks before its end: its daemon may have been started again.
const TRIES: usize = 3;

/// How long each of them may take, and how long is waited before the next.
const TRY: Duration = Duration::from_secs(5);

/// How long a node that is back may take until pods come to it: images of its kubelet may have to be fetched first.
const READY: Duration = Duration::from_secs(15 * 60);

/// How it is asked for that. A second is short for a person and nothing for a node.
const PACE: Pace = Pace {
    interval: Duration::from_secs(2),
    longest: Duration::from_secs(10),
};

/// Pods that are named of many.
const NAMED: usize = 3;

/// What becomes of the pods of a node of a Kubernetes cluster before it ends.
#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Leave its pods: they end with it. Otherwise, on a node of a Kubernetes cluster, those that can be on others go there first
    #[arg(long, conflicts_with = "drain_timeout")]
    no_drain: bool,
    /// How many seconds pods may take to go to other nodes; then it ends all the same
    #[arg(long, value_name = "SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    drain_timeout: u32,
}

impl Drain {
    /// As the node takes it.
    pub(crate) fn request(&self) -> v1::Drain {
        v1::Drain {
            skip: self.no_drain,
            seconds: self.drain_timeout,
        }
    }
}

/// What is worth knowing of a node that ends.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    /// Whether it takes its cordon back after its start.
    pub(crate) cordoned: bool,
}

/// Gives a node an order to end and follows it until the node does, showing how far it is. What is followed is watched from before the
/// order: a node that ends at once takes no connection after that.
pub(crate) async fn order<T, F>(
    session: &Session,
    node: &str,
    progress: &Progress,
    give: impl FnOnce(Channel) -> F,
) -> Result<(T, Departed)>
where
    F: Future<Output = Result<T>>,
{
    let target = connect::target(&session.context, node)?;
    let channel = connect::connect(&session.context, &target, session.patience).await?;
    let mut events = within(session.patience, watch(channel.clone())).await?;
    let given = within(session.patience, give(channel)).await?;
    let mut last = Last::default();
    let mut outcome = follow(node, &mut events, &mut last, progress).await;
    for _ in 0..TRIES {
        if outcome.is_ok() {
            break;
        }
        // It has gone, or its daemon was started again and goes on.
        tokio::time::sleep(TRY).await;
        outcome = again(session, node, &mut last, progress).await;
    }
    if let Ok(Outcome::Stays(reason)) = outcome {
        bail!("the node stays: {reason}");
    }
    let Departure {
        cordoned, reason, ..
    } = last.departure;
    if !reason.is_empty() {
        progress.done(&format!("{node}: {}", output::printable(&reason)));
    }
    Ok((given, Departed { cordoned }))
}

/// What comes of an order.
enum Outcome {
    /// What was ordered.
    Ends,
    /// Nothing, for this reason.
    Stays(String),
}

/// What was heard last, and shown.
#[derive(Default)]
struct Last {
    departure: Departure,
    shown: Option<String>,
}

/// What a node tells of its orders from now on, after the first, which is from before.
async fn watch(channel: Channel) -> Result<WatchStream> {
    let mut registry = Registry::new();
    registry.register::<Departure>()?;
    let types = Departure::DEFINITION;
    let request = Watch {
        id: Some(LAST.to_owned()),
        ..Watch::default()
    };
    let client = Client::new(channel, Arc::new(registry));
    let mut events = client.watch(types.namespace, types.ty, &request).await?;
    events.next().await?.context("the node ended the watch")?;
    Ok(events)
}

/// Follows a node by another connection; one that knows of no order has started again since.
async fn again(
    session: &Session,
    node: &str,
    last: &mut Last,
    progress: &Progress,
) -> Result<Outcome> {
    let target = connect::target(&session.context, node)?;
    let patience = TRY.min(session.patience);
    let channel = connect::connect(&session.context, &target, patience).await?;
    let mut events = within(patience, watch(channel.clone())).await?;
    let Some(departure) = within(patience, now(channel)).await? else {
        return Ok(Outcome::Ends);
    };
    match heard(node, departure, last, progress) {
        Some(outcome) => Ok(outcome),
        None => follow(node, &mut events, last, progress).await,
    }
}

/// The order that a node has now.
async fn now(channel: Channel) -> Result<Option<Departure>> {
    let mut registry = Registry::new();
    registry.register::<Departure>()?;
    let types = Departure::DEFINITION;
    let client = Client::new(channel, Arc::new(registry));
    let all = Query::default();
    let all = client.list(types.namespace, types.ty, &all).await?;
    let mut departures = all.iter().filter_map(|it| it.spec::<Departure>());
    Ok(departures.next().cloned())
}

/// Follows until it is known what comes of the order; an error is that nothing more is heard.
async fn follow(
    node: &str,
    events: &mut WatchStream,
    last: &mut Last,
    progress: &Progress,
) -> Result<Outcome> {
    while let Some(told) = events.next().await? {
        let resource = match told.event {
            WireEvent::Created(resource) | WireEvent::Updated { new: resource, .. } => resource,
            WireEvent::Destroyed(_) => bail!("the node has forgotten the order"),
            WireEvent::Errored(reason) => bail!("the watch broke: {reason}"),
            WireEvent::Bootstrapped | WireEvent::Noop => continue,
        };
        let departure = resource.spec::<Departure>();
        let departure = departure.context("the node describes its end in another way")?;
        if let Some(outcome) = heard(node, departure.clone(), last, progress) {
            return Ok(outcome);
        }
    }
    bail!("the node ended the watch")
}

/// Takes in how far an order is; what comes of it, once that is known.
fn heard(
    node: &str,
    departure: Departure,
    last: &mut Last,
    progress: &Progress,
) -> Option<Outcome> {
    last.departure = departure;
    match last.departure.state {
        DepartureState::Ending => Some(Outcome::Ends),
        DepartureState::Failed => Some(Outcome::Stays(output::printable(&last.departure.reason))),
        _ => {
            show(node, last, progress);
            None
        }
    }
}

/// Shows how far it is: every step to people, and elsewhere what is new in it.
fn show(node: &str, last: &mut Last, progress: &Progress) {
    let Some((text, news)) = said(&last.departure) else {
        return;
    };
    let text = format!("{node}: {text}");
    if last.shown.as_ref() == Some(&news) {
        progress.tell(text);
    } else {
        progress.step(text);
        last.shown = Some(news);
    }
}

/// How far it is, and what of that is new to somebody who reads it later: pods that go as they should are not.
fn said(departure: &Departure) -> Option<(String, String)> {
    let state = match departure.state {
        DepartureState::Draining if departure.until.is_none() => return None,
        DepartureState::Draining => "has its pods go to other nodes",
        DepartureState::LeavingEtcd => "leaves etcd",
        DepartureState::EndingPods => "ends its pods",
        DepartureState::Ending | DepartureState::Failed => return None,
    };
    let waits = &departure.waits;
    let kept = waits.iter().filter(|it| !it.ends_with(": ends"));
    let news: Vec<&str> = kept.map(String::as_str).collect();
    let news = format!("{state} {}", news.join("; "));
    // Those that do not go first.
    let (kept, ends): (Vec<_>, Vec<_>) = waits.iter().partition(|it| !it.ends_with(": ends"));
    let named: Vec<_> = kept.into_iter().chain(ends).take(NAMED).collect();
    let named: Vec<_> = named.into_iter().map(|it| output::printable(it)).collect();
    let mut text = state.to_owned();
    if !waits.is_empty() {
        let count = output::counted(waits.len(), "pod");
        text = format!("{state}, waits for {count}: {}", named.join("; "));
    }
    if waits.len() > named.len() {
        text.push_str("; ...");
    }
    Some((text, news))
}

/// Waits until new pods come to a node that is back.
pub(crate) async fn takes_pods(session: &Session, node: &str, progress: &Progress) -> Result<()> {
    progress.step(format!(
        "{node}: is back; waits until pods come to it again"
    ));
    let mut last = None;
    let ask = || session.again(node, own_node);
    let ready = tries::until(PACE, ask, |heard| match heard {
        Ok(None) => Some(()),
        Ok(Some(reason)) => {
            last = Some(reason);
            None
        }
        Err(_) => None,
    });
    match tokio::time::timeout(READY, ready).await {
        Ok(()) => Ok(()),
        Err(_) => {
            let last = last.unwrap_or_else(|| "its cluster has not told of it".to_owned());
            bail!(
                "it is back, but no pods come to it after {} minutes: {last}",
                READY.as_secs() / 60
            )
        }
    }
}

/// Why no pods come to a node; none when they do.
async fn own_node(channel: Channel) -> Result<Option<String>> {
    let version = MachineServiceClient::new(channel.clone())
        .version(v1::VersionRequest {})
        .await?
        .into_inner();
    let mut registry = Registry::new();
    registry.register::<NodeStatus>()?;
    let types = NodeStatus::DEFINITION;
    let reference = store::Reference::new(types.namespace, types.ty, version.hostname);
    let node = Client::new(channel, Arc::new(registry))
        .get(&reference)
        .await?;
    let status = node.spec::<NodeStatus>();
    let status = status.context("the node describes its cluster in another way")?;
    Ok(match (status.ready, status.schedulable) {
        (true, true) => None,
        (true, false) => Some("it is cordoned".to_owned()),
        (false, _) => Some(output::printable(&status.reason)),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn drains(waits: &[&str]) -> Departure {
        Departure {
            waits: waits.iter().map(|it| (*it).to_owned()).collect(),
            until: Some(Timestamp::UNIX_EPOCH),
            ..Departure::default()
        }
    }

    #[test]
    fn what_keeps_a_node_is_named_and_told_once() {
        let text = |departure: &Departure| said(departure).map(|it| it.0);
        let news = |departure: &Departure| said(departure).map(|it| it.1);
        // Nothing is waited for: there are no pods to go, or nowhere to go to.
        assert_eq!(text(&Departure::default()), None);
        let begins = "has its pods go to other nodes";
        assert_eq!(text(&drains(&[])).as_deref(), Some(begins));
        let many = drains(&["a: ends", "b: ends", "c: ends", "d: the budget x needs 2"]);
        let told = "has its pods go to other nodes, waits for 4 pods: d: the budget x needs 2; a: ends; b: ends; ...";
        assert_eq!(text(&many).as_deref(), Some(told));
        let fewer = drains(&["c: ends", "d: the budget x needs 2"]);
        assert_eq!(news(&many), news(&fewer));
        assert_ne!(news(&many), news(&drains(&["d: the budget x needs 1"])));
        let etcd = Departure {
            state: DepartureState::LeavingEtcd,
            ..Departure::default()
        };
        assert_eq!(text(&etcd).as_deref(), Some("leaves etcd"));
    }
}
