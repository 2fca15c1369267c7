//! Whose a name is: what the cluster remembers of it, and what follows for somebody who asks for it. Pure.
//!
//! It is remembered in a ConfigMap for each name, since creating one is atomic for all control planes, and it is saved and restored with
//! the nodes themselves.

use jiff::{SignedDuration, Timestamp};
use pki::Fingerprint;
use serde_json::{Value, json};

use super::refusal::Refusal;

/// Where they are.
pub(super) const PATH: &str = "/api/v1/namespaces/kube-system/configmaps";

/// How long a machine that got its first certificates has to come into the cluster with them before another one can have its name:
/// pulling and starting a kubelet takes a few minutes on a slow machine.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// What is remembered of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    /// The key of the machine's API; none when what is written there is no key, so that it is nobody's.
    pub(super) key: Option<Fingerprint>,
    /// When it last got a certificate.
    pub(super) issued: Option<Timestamp>,
    /// What the cluster calls this state of it.
    pub(super) version: String,
}

/// The node of that name, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member {
    /// There is none.
    None,
    /// A worker.
    Worker,
    /// A node of the control plane.
    ControlPlane,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Something new, which fails when another one was faster.
    Create,
    /// Something else in the place of this state, which fails when it is no longer so.
    Replace {
        /// That state.
        version: String,
    },
}

/// The name of what remembers a name.
pub(super) fn id(name: &str) -> String {
    format!("garboard-node-{name}")
}

/// Reads what is remembered.
pub(super) fn read(object: &Value) -> Binding {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    Binding {
        key: text("/data/key").and_then(|it| it.parse().ok()),
        issued: text("/data/issued").and_then(|it| it.parse().ok()),
        version: text("/metadata/resourceVersion")
            .unwrap_or_default()
            .to_owned(),
    }
}

/// What is remembered from now on.
pub(super) fn write(name: &str, key: &Fingerprint, now: Timestamp, op: &Op) -> Value {
    let mut metadata = json!({
        "name": id(name),
        "namespace": "kube-system",
        "labels": {"app.kubernetes.io/managed-by": "garboard"},
    });
    if let (Op::Replace { version }, Some(metadata)) = (op, metadata.as_object_mut()) {
        metadata.insert("resourceVersion".to_owned(), json!(version));
    }
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"key": key.to_string(), "issued": now.to_string()},
    })
}

/// Decides whether the holder of `key` gets the name.
pub(super) fn plan(
    name: &str,
    key: &Fingerprint,
    binding: Option<&Binding>,
    member: Member,
    now: Timestamp,
) -> Result<Op, Refusal> {
    let of = |refusal: fn(String) -> Refusal| Err(refusal(name.to_owned()));
    let replace = |binding: &Binding| {
        let version = binding.version.clone();
        Ok(Op::Replace { version })
    };
    match (binding, member) {
        (_, Member::ControlPlane) => of(Refusal::ControlPlane),
        (None, Member::None) => Ok(Op::Create),
        (None, Member::Worker) => of(Refusal::Unknown),
        (Some(binding), _) if binding.key == Some(*key) => replace(binding),
        (Some(_), Member::Worker) => of(Refusal::Taken),
        (Some(binding), Member::None) if is_fresh(binding, now) => of(Refusal::Fresh),
        (Some(binding), Member::None) => replace(binding),
    }
}

/// A time to come is none: a clock was wrong then.
fn is_fresh(binding: &Binding, now: Timestamp) -> bool {
    let since = binding.issued.map(|issued| now.duration_since(issued));
    since.is_some_and(|since| since.abs() < GRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "worker-1";

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn key(number: u8) -> Fingerprint {
        Fingerprint::of_spki(&[number])
    }

    fn bound(to: u8, since: SignedDuration) -> Binding {
        let object = write(NAME, &key(to), now() - since, &Op::Create);
        Binding {
            version: "7".to_owned(),
            ..read(&object)
        }
    }

    fn planned(binding: Option<Binding>, member: Member) -> Result<Op, String> {
        let planned = plan(NAME, &key(1), binding.as_ref(), member, now());
        planned.map_err(|it| it.to_string())
    }

    #[test]
    fn a_name_is_whose_it_was_first() {
        let replace = Ok(Op::Replace {
            version: "7".to_owned(),
        });
        let (long, short) = (SignedDuration::from_hours(30), SignedDuration::from_mins(9));
        assert_eq!(planned(None, Member::None), Ok(Op::Create));
        for since in [long, short] {
            for member in [Member::None, Member::Worker] {
                assert_eq!(planned(Some(bound(1, since)), member), replace);
            }
        }
        assert_eq!(planned(Some(bound(2, long)), Member::None), replace);
        let nobodys = Binding {
            key: None,
            issued: None,
            ..bound(2, long)
        };
        assert_eq!(planned(Some(nobodys.clone()), Member::None), replace);
        for (binding, member, said) in [
            (Some(bound(2, long)), Member::Worker, "kubectl delete node"),
            (Some(nobodys), Member::Worker, "kubectl delete node"),
            (Some(bound(2, short)), Member::None, "ten minutes"),
            (Some(bound(2, -short)), Member::None, "ten minutes"),
            (None, Member::Worker, "nothing says which machine"),
            (None, Member::ControlPlane, "of the control plane"),
            (
                Some(bound(1, long)),
                Member::ControlPlane,
                "of the control plane",
            ),
        ] {
            let refused = planned(binding, member).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn what_is_replaced_is_what_was_seen() {
        let version = "7".to_owned();
        let object = write(NAME, &key(1), now(), &Op::Replace { version });
        assert_eq!(read(&object), bound(1, SignedDuration::ZERO));
        assert_eq!(object["metadata"]["name"], "garboard-node-worker-1");
        let new = write(NAME, &key(1), now(), &Op::Create);
        assert_eq!(new["metadata"].get("resourceVersion"), None);
    }
}
