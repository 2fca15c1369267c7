//! `Join`: how a worker gets its certificates of the control planes.

use derive::Schema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::document::{Kind, kind};
use crate::types::{Host, SharedKey};

/// The most control planes that are named; etcd has seven members at most.
const MOST: usize = 8;

/// The most former tokens: a change that is under way, and some that were given up halfway.
const MOST_FORMER: usize = 4;

/// How a worker becomes a node of its cluster: with a token that it shares with the control planes. Those of them that have this
/// document issue certificates to whoever shows the token, and others to nobody.
///
/// The worker makes its keys itself and keeps them. What it gets holds for 24 hours, for its name and for the addresses it calls
/// from, and it asks again at half of that. A name is the node's that had it first, until `kubectl delete node NAME`. Whoever has the
/// token can add a machine to the cluster, and nothing else: it is no key, and no other node is in danger of it. `osctl gen secrets`
/// makes it, `osctl gen config` writes it into the configs of nodes with Kubernetes. A new one is applied to the control planes first, with
/// the one before among `formerTokens`; then to the workers; then `formerTokens` goes.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Join
/// token: ExampleExampleExampleExampleExampleExampleA=
/// ```
///
/// A worker whose endpoint is a load balancer names the control planes: `controlPlanes: [10.5.0.2, cp-2.example.org]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinConfig {
    /// What the worker and the control planes know in common.
    pub token: SharedKey,
    /// What was the token before, up to four of them: a control plane takes them as well. Only for as long as workers still have them.
    #[serde(
        default,
        deserialize_with = "former",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schema(most = MOST_FORMER)]
    pub former_tokens: Vec<SharedKey>,
    /// Whom a worker asks, one after the other: names or addresses of control planes as their nodes know them, up to eight. None: the
    /// host of the endpoint of `Kubernetes`, which control planes answer for as well.
    #[serde(
        default,
        deserialize_with = "hosts",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schema(most = MOST)]
    pub control_planes: Vec<Host>,
}

fn hosts<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Host>, D::Error> {
    let hosts = Vec::<Host>::deserialize(reader)?;
    if hosts.len() > MOST {
        let count = hosts.len();
        return Err(de::Error::custom(format!(
            "{count} control planes; up to {MOST} are asked"
        )));
    }
    Ok(hosts)
}

fn former<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<SharedKey>, D::Error> {
    let tokens = Vec::<SharedKey>::deserialize(reader)?;
    if tokens.len() > MOST_FORMER {
        let count = tokens.len();
        return Err(de::Error::custom(format!(
            "{count} former tokens; up to {MOST_FORMER} are taken, and none once every worker has the new one"
        )));
    }
    Ok(tokens)
}

impl Kind for JoinConfig {
    kind!(Join);
}
