//! Says whether the API server of this node can be asked: others wait for it. Pure.
//!
//! The balancer asks every API server how it is, the node's own one among them, and needs nobody's certificate for that.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::kubernetes::{ApiServerEndpoint, KUBERNETES, KubernetesSpec};
use resources::runtime::Condition;

use crate::kubernetes::balancer::backends::beside;

/// The condition that it can.
pub const API_SERVER: &str = "kube-apiserver";

/// The controller.
#[derive(Debug, Default)]
pub struct Ready;

cosi::declare! {
    Ready as "kubernetes.static-pod.ready" {
        reads KubernetesSpec;
        reads ApiServerEndpoint;
        shares Condition;
    }
}

impl Transform for Ready {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let cluster = view.get::<KubernetesSpec>(KUBERNETES);
        if cluster.is_some_and(|it| it.spec.control_plane) {
            let own = view.get::<ApiServerEndpoint>(&beside().to_string());
            let (met, message) = match own.as_ref().map(|it| &it.spec) {
                Some(own) if own.well => (true, "it answers"),
                Some(own) => (false, own.reason.as_str()),
                None => (false, "nobody has asked it yet"),
            };
            let message = message.to_owned();
            out.put(API_SERVER, Condition { met, message });
        }
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use store::{Resource, Spec, Store, Transaction};

    use super::*;

    fn put<S: Spec>(store: &Store, id: &str, spec: S) {
        let transaction = Transaction::owned("test").put(Resource::in_default(id, spec));
        store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
    }

    /// What the condition says, if there is one.
    fn said(store: &Store) -> Option<Condition> {
        let (view, mut out) = (View::new(store.snapshot()), Outputs::default());
        Ready.transform(&view, &mut out).unwrap();
        out.staged::<Condition>().next().map(|(_, it)| it.clone())
    }

    #[test]
    fn another_server_of_the_cluster_is_not_the_node_s_own() {
        let store = Store::new(1);
        assert_eq!(said(&store), None);
        let control_plane = KubernetesSpec {
            control_plane: true,
            ..KubernetesSpec::default()
        };
        put(&store, KUBERNETES, control_plane);
        let server = |well, reason: &str| ApiServerEndpoint {
            well,
            reason: reason.to_owned(),
            ..ApiServerEndpoint::default()
        };
        put(&store, "10.0.0.2:6443", server(true, ""));
        assert!(!said(&store).unwrap().met);
        put(
            &store,
            "127.0.0.1:6443",
            server(false, "it is not ready: etcd"),
        );
        let unmet = said(&store).unwrap();
        assert_eq!(
            (unmet.met, unmet.message.as_str()),
            (false, "it is not ready: etcd")
        );
        put(&store, "127.0.0.1:6443", server(true, ""));
        assert!(said(&store).unwrap().met);
        put(&store, KUBERNETES, KubernetesSpec::default());
        assert_eq!(said(&store), None, "a worker has none");
    }
}
