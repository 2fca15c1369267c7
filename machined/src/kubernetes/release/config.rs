//! Says what of Kubernetes is run, and remembers it.

use std::path::PathBuf;

use ::config::skew::Release;
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::kubernetes::{ApiServerEndpoint, KUBERNETES, KubernetesRelease, KubernetesSpec};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::Condition;

use super::plan::{Facts, Plan, Record, Server, plan, told};
use super::record;
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::balancer::apply::UNASKED;

/// The controller.
#[derive(Debug)]
pub struct Config {
    folder: PathBuf,
}

cosi::declare! {
    Config as "kubernetes.release.config" {
        reads KubernetesSpec;
        reads ApiServerEndpoint;
        reads HostnameSpec;
        reads Condition;
        writes KubernetesRelease;
    }
}

impl Config {
    /// Remembers in this folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

/// The API servers that count.
pub(in crate::kubernetes) fn servers<'a>(
    known: impl IntoIterator<Item = (&'a str, &'a ApiServerEndpoint)>,
    own: &str,
) -> Vec<Server> {
    let server = |(place, it): (&str, &ApiServerEndpoint)| Server {
        place: place.to_owned(),
        own: it.node == own,
        release: it.version.parse().ok(),
    };
    known
        .into_iter()
        .filter(|(_, it)| counts(it))
        .map(server)
        .collect()
}

/// Whether programs of this node may come to it, as far as anybody knows: it answers, was not asked yet, or is that of a node that
/// comes back as what it was.
fn counts(it: &ApiServerEndpoint) -> bool {
    it.well || it.reason == UNASKED || !(it.node.is_empty() || it.version.is_empty())
}

/// What has run, with what the own API server says that it is.
fn heard(before: Record, servers: &[Server]) -> Record {
    let own = servers.iter().filter(|it| it.own);
    let served = own.filter_map(|it| it.release).max();
    Record {
        served: before.served.max(served),
        ..before
    }
}

/// The resource.
fn release(wanted: Release, record: Record, plan: &Plan) -> KubernetesRelease {
    KubernetesRelease {
        wanted: wanted.to_string(),
        api_server: told(plan.api_server),
        clients: told(plan.clients),
        served: told(record.served),
        held: plan
            .held
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

impl Controller for Config {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let Some(cluster) = cx.get::<KubernetesSpec>(KUBERNETES) else {
            cx.replace::<KubernetesRelease>();
            return Ok(Outcome::Done);
        };
        let mounted = cx.get::<Condition>(EPHEMERAL);
        let (true, Some(name)) = (
            mounted.is_some_and(|it| it.spec.met),
            cx.get::<HostnameSpec>(HOSTNAME),
        ) else {
            return Ok(Outcome::WaitingOn(
                "the node's disk and its name".to_owned(),
            ));
        };
        let known = cx.list::<ApiServerEndpoint>();
        let known = known.iter().map(|it| (it.id(), &*it.spec));
        let servers = servers(known, &name.spec.hostname);
        let before = record::read(&self.folder)?;
        let heard = heard(before, &servers);
        let wanted = cluster.spec.version.parse()?;
        let plan = plan(&Facts {
            wanted,
            control_plane: cluster.spec.control_plane,
            record: heard,
            servers: &servers,
        });
        let record = Record {
            clients: plan.clients,
            ..heard
        };
        // First, so that whoever dies in between finds what it may have begun with.
        if record != before {
            record::write(&self.folder, record)?;
        }
        cx.put(KUBERNETES, release(wanted, record, &plan));
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(node: &str, well: bool, version: &str, reason: &str) -> ApiServerEndpoint {
        ApiServerEndpoint {
            node: node.to_owned(),
            well,
            place: 0,
            reason: reason.to_owned(),
            version: version.to_owned(),
        }
    }

    #[test]
    fn a_server_counts_when_somebody_may_come_to_it() {
        let counted = |it: &ApiServerEndpoint| servers([("a:6443", it)], "cp-1").len();
        for (counts, it) in [
            (1, endpoint("cp-2", true, "", "")),
            (1, endpoint("", true, "1.37.1", "")),
            (1, endpoint("cp-2", false, "", UNASKED)),
            // It comes back as what it was.
            (1, endpoint("cp-2", false, "1.36.3", "refused")),
            // Nobody knows what it is, and nobody comes to it.
            (0, endpoint("cp-2", false, "", "refused")),
            // What is behind it is known by itself.
            (0, endpoint("", false, "1.36.3", "refused")),
        ] {
            assert_eq!(counted(&it), counts, "{it:?}");
        }
    }

    #[test]
    fn what_the_own_server_says_is_remembered_and_nothing_older() {
        let record = |served: &str| Record {
            served: served.parse().ok(),
            clients: None,
        };
        let (own, other) = (
            endpoint("cp-1", true, "1.37.1", ""),
            endpoint("cp-2", true, "1.38.0", ""),
        );
        let servers = servers([("a:6443", &own), ("b:6443", &other)], "cp-1");
        assert_eq!(heard(record(""), &servers), record("1.37.1"));
        assert_eq!(heard(record("1.36.3"), &servers), record("1.37.1"));
        assert_eq!(heard(record("1.38.0"), &servers), record("1.38.0"));
        assert_eq!(heard(record("1.36.3"), &[]), record("1.36.3"));
    }
}
