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

use super::cordon::CORDONED;
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
    let accounts = [MEMORY, CORDONED];
    let wanted: BTreeMap<&str, &str> = wanted.filter(|it| !accounts.contains(&it.0)).collect();
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
mod tests;
