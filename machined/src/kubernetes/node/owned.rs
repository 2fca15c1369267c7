//! What the config says of the own node, put on its object, and taken off again. Pure.
//!
//! An annotation remembers what this node has put on, as `kubectl apply` does: what others put on stays theirs. It is written
//! with the very change it speaks of, so that the two are never apart. Labels and annotations are kept as the config has them; a taint
//! that somebody took off stays off until the config has another one, since taking taints off is how pods are let in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use resources::kubernetes::KubeletSpec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::known::Own;
use super::object::CONTROL_PLANE;

/// The annotation.
pub(super) const MEMORY: &str = "garboard/owned";

/// What keeps balancers outside of the cluster from sending a control plane what is for pods.
const NO_BALANCER: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// What was put on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    #[serde(default)]
    labels: BTreeSet<String>,
    #[serde(default)]
    annotations: BTreeSet<String>,
    #[serde(default)]
    taints: BTreeSet<String>,
}

/// A taint as far as it is told from others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// A merge patch of the object.
    pub(super) patch: Option<Value>,
    /// What is left for a person to do.
    pub(super) left: Option<String>,
}

/// What makes the own node what its config says. `name` is for the words. Who is of the control plane is labelled as such, and changes
/// its own taints; a worker may do neither, and leaves taints to a person.
#[must_use]
pub(super) fn plan(own: &Own, name: &str, node: &KubeletSpec, control_plane: bool) -> Plan {
    let before = memory(&own.object);
    let (mut labels, owned_labels) = pairs(own, "labels", &node.labels, before.as_ref());
    let (mut annotations, owned_annotations) =
        pairs(own, "annotations", &node.annotations, before.as_ref());
    if control_plane {
        labels.extend(role(own, &owned_labels));
    }
    let change = change(own, node, before.as_ref());
    let left = (!control_plane)
        .then(|| change.as_ref().map(|it| it.left(name)))
        .flatten();
    let wanted: BTreeSet<String> = node.taints.iter().cloned().collect();
    let after = Memory {
        labels: owned_labels,
        annotations: owned_annotations,
        taints: match (&left, &before) {
            (Some(_), Some(before)) => before.taints.clone(),
            _ => wanted,
        },
    };
    if before.as_ref() != Some(&after) {
        annotations.insert(MEMORY.to_owned(), json!(after).to_string().into());
    }
    let mut patch = Map::new();
    let mut metadata = Map::new();
    for (kind, changes) in [("labels", labels), ("annotations", annotations)] {
        if !changes.is_empty() {
            metadata.insert(kind.to_owned(), changes.into());
        }
    }
    if let Some(change) = change.filter(|_| control_plane) {
        // Others may have put on one in between, and a list is replaced whole.
        metadata.insert("resourceVersion".to_owned(), own.version.clone().into());
        patch.insert("spec".to_owned(), json!({"taints": change.taints}));
    }
    if !metadata.is_empty() {
        patch.insert("metadata".to_owned(), metadata.into());
    }
    Plan {
        patch: (!patch.is_empty()).then(|| patch.into()),
        left,
    }
}

/// The labels that make a node without them one of the control plane. They are in nobody's account: what the config does not say
/// cannot be missed in it. Somebody who takes the second one away means it, so that it is put on with the first one alone, and not
/// where the config or somebody else says something of it.
fn role(own: &Own, by_config: &BTreeSet<String>) -> Map<String, Value> {
    let labels = own.object.pointer("/metadata/labels");
    let has = |key| labels.and_then(|it| it.get(key)).is_some();
    if has(CONTROL_PLANE) {
        return Map::new();
    }
    let keys = [CONTROL_PLANE, NO_BALANCER].into_iter();
    let lacking = keys.filter(|key| !has(key) && !by_config.contains(*key));
    lacking.map(|key| (key.to_owned(), "".into())).collect()
}

/// What it has put on by its own account; nothing for a node that is new, or whose account somebody has spoilt.
fn memory(object: &Value) -> Option<Memory> {
    let annotations = object.pointer("/metadata/annotations")?;
    let text = annotations.get(MEMORY)?.as_str()?;
    serde_json::from_str(text).ok()
}

/// What of labels or annotations is to be changed, and the keys that are ours from then on.
fn pairs(
    own: &Own,
    kind: &str,
    wanted: &[String],
    before: Option<&Memory>,
) -> (Map<String, Value>, BTreeSet<String>) {
    let has = own.object.pointer(&format!("/metadata/{kind}"));
    let has = |key: &str| has.and_then(|it| it.get(key)).and_then(Value::as_str);
    let wanted = wanted.iter().filter_map(|it| it.split_once('='));
    let wanted: BTreeMap<&str, &str> = wanted.filter(|(key, _)| *key != MEMORY).collect();
    let lacking = wanted
        .iter()
        .filter(|(key, value)| has(key) != Some(**value))
        .map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
    let ours = before.map(|it| match kind {
        "labels" => &it.labels,
        _ => &it.annotations,
    });
    let surplus = ours
        .into_iter()
        .flatten()
        .filter(|key| !wanted.contains_key(key.as_str()) && has(key).is_some())
        .map(|key| (key.clone(), Value::Null));
    let changes = lacking.chain(surplus).collect();
    (
        changes,
        wanted.keys().map(|key| (*key).to_owned()).collect(),
    )
}

/// Taints that are to be others.
struct Change {
    /// All of the node's from then on, as Kubernetes has them; none is null.
    taints: Value,
    put: Vec<Taint>,
    taken: Vec<Taint>,
}

impl Change {
    fn left(&self, name: &str) -> String {
        let put = self.put.iter().map(Taint::to_string);
        let taken = self
            .taken
            .iter()
            .map(|it| format!("{}:{}-", it.key, it.effect));
        let words: Vec<_> = put.chain(taken).collect();
        format!(
            "a worker may not change its own taints; an administrator may: `kubectl taint node --overwrite {name} {}`",
            words.join(" ")
        )
    }
}

/// What of taints is to be changed. A node without an account has been made with those of its config.
fn change(own: &Own, node: &KubeletSpec, before: Option<&Memory>) -> Option<Change> {
    let before = &before?.taints;
    let new = node.taints.iter().filter(|it| !before.contains(*it));
    let new: Vec<Taint> = new.filter_map(|it| Taint::parse(it)).collect();
    let wanted: Vec<Taint> = node
        .taints
        .iter()
        .filter_map(|it| Taint::parse(it))
        .collect();
    let live = own.object.pointer("/spec/taints").and_then(Value::as_array);
    let live: Vec<&Value> = live.into_iter().flatten().collect();
    let put: Vec<Taint> = new
        .into_iter()
        .filter(|taint| !live.iter().any(|it| Taint::of(it) == *taint))
        .collect();
    let old = before.iter().filter_map(|it| Taint::parse(it));
    let taken: Vec<Taint> = old
        .filter(|taint| !wanted.iter().any(|it| it.is_same(taint)))
        .filter(|taint| live.iter().any(|it| Taint::of(it) == *taint))
        .collect();
    if put.is_empty() && taken.is_empty() {
        return None;
    }
    let stays = |it: &&Value| {
        let taint = Taint::of(it);
        !put.iter().chain(&taken).any(|other| other.is_same(&taint))
    };
    let kept = live.into_iter().filter(stays).cloned();
    let taints: Vec<Value> = kept.chain(put.iter().map(Taint::object)).collect();
    Some(Change {
        taints: if taints.is_empty() {
            Value::Null
        } else {
            taints.into()
        },
        put,
        taken,
    })
}

impl Taint {
    /// From `KEY=VALUE:EFFECT` or `KEY:EFFECT`.
    fn parse(text: &str) -> Option<Self> {
        let (rest, effect) = text.rsplit_once(':')?;
        let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
        Some(Self {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
        })
    }

    fn of(object: &Value) -> Self {
        let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
        Self {
            key: text("key").to_owned(),
            value: text("value").to_owned(),
            effect: text("effect").to_owned(),
        }
    }

    /// Whether Kubernetes takes the two for one.
    fn is_same(&self, other: &Self) -> bool {
        self.key == other.key && self.effect == other.effect
    }

    fn object(&self) -> Value {
        let mut object = json!({"key": self.key, "effect": self.effect});
        if let (Some(object), false) = (object.as_object_mut(), self.value.is_empty()) {
            object.insert("value".to_owned(), self.value.clone().into());
        }
        object
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if !self.value.is_empty() {
            write!(f, "={}", self.value)?;
        }
        write!(f, ":{}", self.effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|it| (*it).to_owned()).collect()
    }

    fn node(labels: &[&str], annotations: &[&str], taints: &[&str]) -> KubeletSpec {
        KubeletSpec {
            labels: texts(labels),
            annotations: texts(annotations),
            taints: texts(taints),
            ..KubeletSpec::default()
        }
    }

    /// An API server, as far as merge patches go.
    fn merge(object: &mut Value, patch: &Value) {
        let Some(patch) = patch.as_object() else {
            *object = patch.clone();
            return;
        };
        if !object.is_object() {
            *object = json!({});
        }
        let object = object.as_object_mut().unwrap();
        for (key, value) in patch {
            if value.is_null() {
                object.remove(key);
            } else {
                merge(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }

    /// Does what is planned, and sees that nothing is left to plan.
    fn settle(object: &mut Value, node: &KubeletSpec) {
        let own = |object: &Value| Own {
            object: object.clone(),
            version: "7".to_owned(),
        };
        let planned = plan(&own(object), "n", node, true);
        if let Some(patch) = &planned.patch {
            merge(object, patch);
        }
        assert_eq!(plan(&own(object), "n", node, true), Plan::default());
    }

    #[test]
    fn what_the_config_has_no_longer_goes_and_what_others_gave_stays() {
        let mut object =
            json!({"metadata": {"labels": {"theirs": "1", "b": "0", CONTROL_PLANE: ""}}});
        settle(&mut object, &node(&["a=1", "b=2"], &["contact=x=y"], &[]));
        let labels = json!({"theirs": "1", "a": "1", "b": "2", CONTROL_PLANE: ""});
        assert_eq!(object["metadata"]["labels"], labels);
        assert_eq!(object["metadata"]["annotations"]["contact"], "x=y");
        settle(&mut object, &node(&["b=3"], &[], &[]));
        assert_eq!(
            object["metadata"]["labels"],
            json!({"theirs": "1", "b": "3", CONTROL_PLANE: ""})
        );
        let annotations = object["metadata"]["annotations"].as_object().unwrap();
        assert_eq!(Vec::from_iter(annotations.keys()), [MEMORY]);
    }

    #[test]
    fn a_control_plane_is_labelled_as_such_once() {
        let mut object = json!({"metadata": {"labels": {"theirs": "1"}}});
        settle(&mut object, &node(&[], &[], &[]));
        let both = json!({"theirs": "1", CONTROL_PLANE: "", NO_BALANCER: ""});
        assert_eq!(object["metadata"]["labels"], both);
        // Balancers are let in, and that stays so.
        merge(
            &mut object,
            &json!({"metadata": {"labels": {NO_BALANCER: null}}}),
        );
        settle(&mut object, &node(&["a=1"], &[], &[]));
        let one = json!({"theirs": "1", "a": "1", CONTROL_PLANE: ""});
        assert_eq!(object["metadata"]["labels"], one);
        // What the config says of it counts, and goes with the config.
        let mut object = json!({});
        let label = format!("{NO_BALANCER}=x");
        settle(&mut object, &node(&[&label], &[], &[]));
        assert_eq!(object["metadata"]["labels"][NO_BALANCER], "x");
        settle(&mut object, &node(&[], &[], &[]));
        let role = json!({CONTROL_PLANE: ""});
        assert_eq!(object["metadata"]["labels"], role);
        // A worker may not say it of itself.
        let own = Own {
            object: json!({}),
            version: "7".to_owned(),
        };
        let planned = plan(&own, "w-1", &node(&["a=1"], &[], &[]), false);
        let labels = planned.patch.unwrap()["metadata"]["labels"].clone();
        assert_eq!(labels, json!({"a": "1"}));
    }

    #[test]
    fn taints_follow_the_config_and_those_of_others_stay() {
        let theirs = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
        let joined = json!({"key": "a", "value": "1", "effect": "NoSchedule"});
        let mut object = json!({"spec": {"taints": [theirs, joined]}});
        settle(&mut object, &node(&[], &[], &["a=1:NoSchedule"]));
        assert_eq!(object["spec"]["taints"], json!([theirs, joined]));
        settle(
            &mut object,
            &node(&[], &[], &["a=2:NoSchedule", "b:NoExecute"]),
        );
        let wanted = json!([
            theirs,
            {"key": "a", "value": "2", "effect": "NoSchedule"},
            {"key": "b", "effect": "NoExecute"},
        ]);
        assert_eq!(object["spec"]["taints"], wanted);
        settle(&mut object, &node(&[], &[], &[]));
        assert_eq!(object["spec"]["taints"], json!([theirs]));
    }

    #[test]
    fn a_taint_that_somebody_took_off_stays_off() {
        let node = node(&[], &[], &["a:NoSchedule"]);
        let mut object = json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}});
        settle(&mut object, &node);
        merge(&mut object, &json!({"spec": {"taints": null}}));
        settle(&mut object, &node);
        assert!(object["spec"].get("taints").is_none(), "{object}");
        // Nor is one of the same name that somebody else put on taken off.
        merge(
            &mut object,
            &json!({"spec": {"taints": [{"key": "a", "value": "x", "effect": "NoSchedule"}]}}),
        );
        settle(&mut object, &super::tests::node(&[], &[], &[]));
        assert_eq!(object["spec"]["taints"][0]["value"], "x");
    }

    #[test]
    fn a_worker_leaves_taints_to_a_person_until_they_are_there() {
        let mut object = json!({});
        settle(&mut object, &node(&[], &[], &["a:NoSchedule"]));
        let wanted = node(&["l=1"], &[], &["b=1:NoSchedule"]);
        let own = |object: &Value| Own {
            object: object.clone(),
            version: "7".to_owned(),
        };
        merge(
            &mut object,
            &json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}),
        );
        let planned = plan(&own(&object), "w-1", &wanted, false);
        let left = planned.left.unwrap();
        assert!(
            left.ends_with("`kubectl taint node --overwrite w-1 b=1:NoSchedule a:NoSchedule-`"),
            "{left}"
        );
        let patch = planned.patch.unwrap();
        assert!(
            patch.get("spec").is_none() && patch["metadata"]["labels"]["l"] == "1",
            "{patch}"
        );
        merge(&mut object, &patch);
        assert!(plan(&own(&object), "w-1", &wanted, false).patch.is_none());
        merge(
            &mut object,
            &json!({"spec": {"taints": [{"key": "b", "value": "1", "effect": "NoSchedule"}]}}),
        );
        let planned = plan(&own(&object), "w-1", &wanted, false);
        assert_eq!(planned.left, None);
        merge(&mut object, &planned.patch.unwrap());
        assert_eq!(plan(&own(&object), "w-1", &wanted, false), Plan::default());
    }

    #[test]
    fn a_change_of_taints_counts_for_the_object_it_was_made_for() {
        let mut object = json!({});
        settle(&mut object, &node(&[], &[], &[]));
        let own = Own {
            object,
            version: "7".to_owned(),
        };
        let planned = plan(&own, "n", &node(&[], &[], &["a:NoSchedule"]), true);
        assert_eq!(planned.patch.unwrap()["metadata"]["resourceVersion"], "7");
    }
}
