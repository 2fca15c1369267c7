//! The node's own cordon: that no new pods come to it while it is about to end by order. Pure.
//!
//! An annotation says that a cordon is ours, and is written and taken off with it in one change. So a person's cordon stays, and ours is
//! taken back by whichever life of the node comes to it, whatever became of the one that put it on.

use serde_json::{Map, Value, json};

/// The annotation; it says who ordered the node to end.
pub(super) const CORDONED: &str = "garboard/cordoned";

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cordon {
    /// Pods come to it.
    None,
    /// None do, by our doing.
    Ours,
    /// None do, as somebody else wants it.
    Others,
    /// Ours, which somebody has taken off by hand.
    Lifted,
}

fn cordon(node: &Value) -> Cordon {
    let unschedulable = node.pointer("/spec/unschedulable").and_then(Value::as_bool);
    let annotations = node.pointer("/metadata/annotations");
    let ours = annotations.is_some_and(|it| it.get(CORDONED).is_some());
    match (unschedulable == Some(true), ours) {
        (false, false) => Cordon::None,
        (true, true) => Cordon::Ours,
        (true, false) => Cordon::Others,
        (false, true) => Cordon::Lifted,
    }
}

/// Whether the cordon that is there is ours.
#[must_use]
pub(super) fn is_ours(node: &Value) -> bool {
    cordon(node) == Cordon::Ours
}

/// A merge patch that puts one on, for a node as it is in this version. None where there is one, or was until somebody took it off.
#[must_use]
pub(super) fn put(node: &Value, version: &str, by: &str) -> Option<Value> {
    (cordon(node) == Cordon::None).then(|| {
        json!({
            "metadata": {"resourceVersion": version, "annotations": {CORDONED: by}},
            "spec": {"unschedulable": true},
        })
    })
}

/// A merge patch that takes ours back, or what is left of it.
#[must_use]
pub(super) fn take_back(node: &Value, version: &str) -> Option<Value> {
    let mut patch = Map::new();
    let metadata = json!({"resourceVersion": version, "annotations": {CORDONED: null}});
    match cordon(node) {
        Cordon::None | Cordon::Others => return None,
        Cordon::Ours => drop(patch.insert("spec".to_owned(), json!({"unschedulable": null}))),
        Cordon::Lifted => {}
    }
    patch.insert("metadata".to_owned(), metadata);
    Some(patch.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(unschedulable: bool, ours: bool) -> Value {
        let annotations = if ours {
            json!({CORDONED: "me"})
        } else {
            json!({})
        };
        let spec = if unschedulable {
            json!({"unschedulable": true})
        } else {
            json!({})
        };
        json!({"metadata": {"annotations": annotations}, "spec": spec})
    }

    #[test]
    fn ours_is_put_on_a_node_without_one_and_taken_back() {
        let patch = put(&node(false, false), "7", "me").unwrap();
        assert_eq!(patch["spec"]["unschedulable"], true);
        assert_eq!(patch["metadata"]["annotations"][CORDONED], "me");
        // Whatever somebody did since is seen before it is changed.
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        let ours = node(true, true);
        assert!(is_ours(&ours) && put(&ours, "8", "me").is_none());
        let patch = take_back(&ours, "8").unwrap();
        assert_eq!(patch["metadata"]["resourceVersion"], "8");
        assert!(patch["metadata"]["annotations"][CORDONED].is_null());
        assert!(patch["spec"]["unschedulable"].is_null());
        assert!(take_back(&node(false, false), "9").is_none());
        assert!(put(&json!({}), "1", "me").is_some());
    }

    #[test]
    fn a_persons_cordon_stays_and_a_person_may_take_ours_off() {
        let theirs = node(true, false);
        assert!(put(&theirs, "7", "me").is_none() && take_back(&theirs, "7").is_none());
        assert!(!is_ours(&theirs));
        let lifted = node(false, true);
        assert!(put(&lifted, "7", "me").is_none() && !is_ours(&lifted));
        let patch = take_back(&lifted, "7").unwrap();
        assert!(patch.get("spec").is_none(), "{patch}");
        assert!(patch["metadata"]["annotations"][CORDONED].is_null());
    }
}
