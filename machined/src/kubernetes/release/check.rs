//! What is to be said of a config that may become the node's: whether Kubernetes' rules let its version be run here.

use ::config::skew::Skew;
use ::config::{Documents, Role};
use resources::kubernetes::{ApiServerEndpoint, KUBERNETES, KubernetesRelease};
use resources::net::{HOSTNAME, HostnameSpec};
use store::{Snapshot, Spec as _};

use super::config::servers;
use super::plan::{Facts, Held, Record, plan};

/// Refuses a config whose API server may not run here; what its sender should know of what waits. A node that runs nothing of Kubernetes
/// may begin with any version.
///
/// # Errors
/// The rule that it would break, whatever happens elsewhere.
pub fn check(wanted: &Documents, snapshot: &Snapshot) -> Result<Option<String>, Skew> {
    let namespace = KubernetesRelease::DEFINITION.namespace;
    let runs = snapshot.get_as::<KubernetesRelease>(namespace, KUBERNETES);
    let (Some(config), Some(runs)) = (wanted.kubernetes(), runs) else {
        return Ok(None);
    };
    let name = snapshot.get_as::<HostnameSpec>(HostnameSpec::DEFINITION.namespace, HOSTNAME);
    let name = name.map(|it| it.spec.hostname.clone()).unwrap_or_default();
    let known: Vec<_> = snapshot.list_as::<ApiServerEndpoint>(namespace).collect();
    let known = known.iter().map(|it| (it.id(), &*it.spec));
    let mut servers = servers(known, &name);
    // That one goes along, and the others wait for it.
    servers.retain(|it| !it.own);
    let role = wanted.machine().map(|it| it.role);
    let plan = plan(&Facts {
        wanted: config.version.into(),
        control_plane: role == Some(Role::ControlPlane),
        record: Record {
            served: runs.spec.served.parse().ok(),
            clients: runs.spec.clients.parse().ok(),
        },
        servers: &servers,
    });
    match plan.held {
        Some(Held::Refused(skew)) => Err(skew),
        Some(Held::Waits(skew)) => Ok(Some(format!(
            "{skew}; until that is another one this node goes on with {}",
            runs.spec.clients
        ))),
        Some(Held::Unknown(_)) | None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use store::{Resource, Store, Transaction};

    use super::*;

    fn put<S: store::Spec>(store: &Store, id: &str, spec: S) {
        let transaction = Transaction::owned("test").put(Resource::in_default(id, spec));
        store.commit(transaction, Timestamp::now()).unwrap();
    }

    fn of(version: &str) -> Result<Option<String>, String> {
        let store = Store::new(1);
        let release = KubernetesRelease {
            wanted: "1.37.1".to_owned(),
            api_server: "1.37.1".to_owned(),
            clients: "1.36.3".to_owned(),
            served: "1.37.1".to_owned(),
            held: String::new(),
        };
        let other = ApiServerEndpoint {
            node: "cp-2".to_owned(),
            well: true,
            version: "1.36.3".to_owned(),
            ..ApiServerEndpoint::default()
        };
        let text = format!(
            "apiVersion: garboard/v1alpha1\nkind: Machine\nrole: control-plane\n---\n\
             apiVersion: garboard/v1alpha1\nkind: Kubernetes\nversion: {version}\nendpoint: https://10.5.0.2:6443\n"
        );
        let documents = ::config::parse("test", text.as_bytes()).unwrap();
        let before = check(&documents, &store.snapshot());
        assert_eq!(
            before,
            Ok(None),
            "a node that runs nothing begins with anything"
        );
        put(&store, KUBERNETES, release);
        put(&store, "10.5.0.3:6443", other);
        check(&documents, &store.snapshot()).map_err(|it| it.to_string())
    }

    #[test]
    fn what_never_may_run_is_refused_and_what_waits_is_told() {
        let down = of("1.36.3").unwrap_err();
        assert!(down.contains("may not go down a minor"), "{down}");
        let waits = of("1.37.1").unwrap().unwrap();
        assert!(waits.contains("kubelet may not be newer"), "{waits}");
        assert!(waits.ends_with("goes on with 1.36.3"), "{waits}");
    }
}
