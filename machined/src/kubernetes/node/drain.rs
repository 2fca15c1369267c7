//! Has the pods of the own node go elsewhere before it ends: no new ones come, and those that somebody makes again are evicted.
//!
//! The node does so as its kubelet, on any node of the cluster: Kubernetes lets a kubelet change its own node but for taints and some
//! labels, read the pods on it, and evict them. What keeps a pod, a budget above all, is told and tried again until the time that
//! whoever ordered it gave is up. A cluster that cannot be asked holds up no end of a node: that is when nodes are restarted.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::ask::{AskError, Asker};
use super::objects::Objects;
use super::pods::PODS;
use super::{cordon, evict};
use crate::kubernetes::client::Client;

/// Between two rounds. An eviction that was refused is tried again in each, as often as `kubectl drain` does at least.
const ROUND: Duration = Duration::from_secs(2);

/// How long an answer, or a list of all pods, may take: one that is longer on its way than this would hold up all others.
const ANSWER: Duration = Duration::from_secs(20);

/// For how long a cluster is asked that has not answered yet: the balancer has found an API server that is well by then, if there is one.
const FIRST: Duration = Duration::from_secs(10);

/// For how long one is asked that has answered before: an API server that is restarted is there again, or another one is.
const LATER: Duration = Duration::from_secs(60);

/// What became of the pods that could be elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    /// None is left.
    All,
    /// The cluster does not know the node, so it has given it no pods.
    Unknown,
    /// The cluster does not do it; why.
    Not(String),
    /// Time was up before.
    Late,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether a cordon of ours is on the node.
    pub cordoned: bool,
    /// Pods that are still there, with what keeps one from going.
    pub waits: Vec<String>,
}

/// How patient it is.
#[derive(Clone, Copy, Debug)]
struct Pace {
    round: Duration,
    first: Duration,
    later: Duration,
}

/// Who has pods go.
#[derive(Clone, Debug)]
pub struct Drainer {
    asker: Asker,
    pace: Pace,
}

/// The node as one that is drained.
#[derive(Clone, Copy, Debug)]
pub struct Leaving<'a> {
    /// Its name.
    pub node: &'a str,
    /// Who ordered it, for the annotation.
    pub by: &'a str,
}

impl Drainer {
    /// Asks as the kubelet, whose files are in this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            asker: Asker::new(folder),
            pace: Pace {
                round: ROUND,
                first: FIRST,
                later: LATER,
            },
        }
    }

    /// Has all pods go that can, until `over` has come. It may be dropped at any await: what is left is a cordon that says whose it is.
    pub async fn drain(
        &self,
        leaving: Leaving<'_>,
        over: impl Future<Output = ()>,
        tell: impl Fn(&Progress),
    ) -> Drained {
        tokio::select! {
            drained = self.rounds(leaving, tell) => drained,
            () = over => Drained::Late,
        }
    }

    async fn rounds(&self, leaving: Leaving<'_>, tell: impl Fn(&Progress)) -> Drained {
        let mut round = Round::default();
        let (mut heard, mut patience) = (Instant::now(), self.pace.first);
        loop {
            match self.round(leaving, &mut round).await {
                Ok(()) => {
                    tell(&round.progress);
                    if round.progress.waits.is_empty() {
                        return Drained::All;
                    }
                    (heard, patience) = (Instant::now(), self.pace.later);
                }
                Err(error) if error.is_not_of_the_cluster() => return Drained::Unknown,
                Err(error) if heard.elapsed() >= patience => {
                    return Drained::Not(cosi::report(&error));
                }
                Err(error) => tracing::info!(error = cosi::report(&error), "draining"),
            }
            sleep(self.pace.round).await;
        }
    }

    /// Cordons the node unless that was done, and asks all pods to go that are there.
    async fn round(&self, leaving: Leaving<'_>, round: &mut Round) -> Result<(), AskError> {
        let client = self.asker.kubelet().await?;
        if !round.cordoned {
            round.progress.cordoned = put_cordon(&client, leaving).await?;
            round.cordoned = true;
        }
        let (mut pods, mut waits) = (Vec::new(), Vec::new());
        let all = Objects {
            asker: self.asker.clone(),
            kind: PODS,
        };
        let selection = format!("&fieldSelector=spec.nodeName%3D{}", leaving.node);
        within(all.list(&selection, |pod| pods.extend(evict::going(&pod)))).await?;
        for pod in pods {
            let why = match pod.ends {
                true => Some("ends".to_owned()),
                false => ask_to_go(&client, &pod).await?,
            };
            waits.extend(why.map(|why| format!("{}: {why}", pod.id())));
        }
        round.progress.waits = waits;
        Ok(())
    }
}

/// What the rounds have come to.
#[derive(Debug, Default)]
struct Round {
    /// Whether the cordon has been seen to: it is done once, so that somebody may take it off.
    cordoned: bool,
    progress: Progress,
}

async fn within<T, E: Into<AskError>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, AskError> {
    let answer = timeout(ANSWER, answer).await;
    answer.map_err(|_| AskError::Slow(ANSWER))?.map_err(E::into)
}

/// Cordons the node; whether the cordon that it has then is ours.
async fn put_cordon(client: &Client, leaving: Leaving<'_>) -> Result<bool, AskError> {
    let Leaving { node, by } = leaving;
    let path = format!("/api/v1/nodes/{node}");
    let object = match within(client.get(&path)).await {
        Err(AskError::Client(error)) if error.is_not_found() => return Err(AskError::NoNode),
        object => object?,
    };
    let version = object.pointer("/metadata/resourceVersion");
    let version = version.and_then(Value::as_str).unwrap_or_default();
    let Some(patch) = cordon::put(&object, version, by) else {
        return Ok(cordon::is_ours(&object));
    };
    let merge = "application/merge-patch+json";
    within(client.send(Method::PATCH, &path, merge, Some(&patch))).await?;
    tracing::info!(node, by, "cordoned");
    Ok(true)
}

/// Evicts a pod; what there is to wait for then, nothing when it is gone already.
async fn ask_to_go(client: &Client, pod: &evict::Pod) -> Result<Option<String>, AskError> {
    let (path, eviction) = (pod.path(), pod.eviction());
    let sent = client.send(Method::POST, &path, "application/json", Some(&eviction));
    match within(sent).await {
        Ok(_) => Ok(Some("ends".to_owned())),
        Err(AskError::Client(error)) => match error.refusal() {
            Some((StatusCode::NOT_FOUND, _)) => Ok(None),
            Some((_, message)) => Ok(Some(message.to_owned())),
            None => Err(error.into()),
        },
        Err(error) => Err(error),
    }
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("no pod is left that could be elsewhere"),
            Self::Unknown => f.write_str("the cluster does not know the node"),
            Self::Not(why) => write!(f, "not drained: {why}"),
            Self::Late => f.write_str("not drained in time"),
        }
    }
}

#[cfg(test)]
mod tests;
