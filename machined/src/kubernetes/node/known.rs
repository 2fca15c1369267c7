//! What is known of the cluster's nodes, from what an API server says of them. Pure.

use std::collections::BTreeMap;

use resources::kubernetes::NodeStatus;
use serde_json::{Value, json};
use thiserror::Error;

use super::object;

/// The own node as it is there, as far as this node has a say in it: its labels, annotations and taints, and its cordon.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Own {
    /// The object, of which all else is left out.
    pub(super) object: Value,
    /// Its version: what is changed on the ground of it is refused when it is another one by then.
    pub(super) version: String,
    /// The boot that it is ready in, by its kubelet; none when it is not.
    pub(super) ready: Option<String>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Known {
    /// Every node by its name.
    pub(super) nodes: BTreeMap<String, NodeStatus>,
    /// The own one.
    pub(super) own: Option<Own>,
    /// Why it may be out of date; nothing when it is not.
    pub(super) fault: Option<String>,
    /// Why the own one has not what its config says; nothing when it has.
    pub(super) unmet: Option<String>,
}

/// Nodes, of each as much as counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Nodes {
    /// Each by its name.
    all: BTreeMap<String, NodeStatus>,
    /// The own one.
    own: Option<Own>,
}

/// A part of the list of all objects of a kind.
#[derive(Debug)]
pub(super) struct Page {
    /// The objects.
    pub(super) items: Vec<Value>,
    /// What the list is as new as.
    pub(super) version: String,
    /// What leads to the next part.
    pub(super) more: Option<String>,
}

/// What an API server tells one who watches.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// An object is there, or is another one.
    Is(Value),
    /// It is not there any more; this it was at last.
    Gone(Value),
    /// All is as it was, and known to be as new as this.
    Still,
    /// What was known is too old to go on from: the list has to be read again.
    TooOld,
}

/// An API server says what we do not understand.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum SaidError {
    /// Something is not there.
    #[error("the API server's answer has no {0}")]
    Lacks(&'static str),
    /// It has come to a fault itself.
    #[error("the API server breaks off: {0}")]
    Fault(String),
}

/// Nodes that no longer count are told from those that were not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All nodes.
    All,
    /// The own one: others may not be asked for.
    Own,
}

impl Known {
    /// The cluster has these nodes.
    pub(super) fn replace(&mut self, own: &str, scope: Scope, nodes: Nodes) {
        match scope {
            Scope::All => self.nodes = nodes.all,
            Scope::Own => {
                self.nodes.remove(own);
                self.nodes.extend(nodes.all);
            }
        }
        self.own = nodes.own;
        self.fault = None;
    }

    /// Something has happened to one of them.
    pub(super) fn take(&mut self, own: &str, event: &Event) {
        match event {
            Event::Is(item) => {
                let mut node = Nodes::default();
                node.put(own, item);
                self.nodes.extend(node.all);
                self.own = node.own.or(self.own.take());
            }
            Event::Gone(item) => {
                let Some(name) = name(item) else { return };
                self.nodes.remove(name);
                if name == own {
                    self.own = None;
                }
            }
            Event::Still | Event::TooOld => {}
        }
        self.fault = None;
    }
}

impl Nodes {
    /// Takes in one more as an API server tells of it; `own` is the name of the own one.
    pub(super) fn put(&mut self, own: &str, item: &Value) {
        let Some(name) = name(item) else { return };
        let status = object::read(item);
        let ready = status.ready;
        self.all.insert(name.to_owned(), status);
        if name == own {
            let boot = item.pointer("/status/nodeInfo/bootID");
            let boot = boot.and_then(Value::as_str).map(str::to_owned);
            let part = |pointer| item.pointer(pointer).cloned().unwrap_or_default();
            self.own = Some(Own {
                object: json!({
                    "metadata": {
                        "labels": part("/metadata/labels"),
                        "annotations": part("/metadata/annotations"),
                    },
                    "spec": {
                        "taints": part("/spec/taints"),
                        "unschedulable": part("/spec/unschedulable"),
                    },
                }),
                version: version(item).unwrap_or_default().to_owned(),
                ready: boot.filter(|_| ready),
            });
        }
    }
}

/// A list.
///
/// # Errors
/// It is none.
pub(super) fn page(mut list: Value) -> Result<Page, SaidError> {
    let version = version(&list)
        .ok_or(SaidError::Lacks("version"))?
        .to_owned();
    let more = list.pointer("/metadata/continue").and_then(Value::as_str);
    let more = more.filter(|it| !it.is_empty()).map(str::to_owned);
    // No item is the same as none.
    let items = match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    Ok(Page {
        items,
        version,
        more,
    })
}

/// An event, and the version that it is of.
///
/// # Errors
/// It is none, or a fault.
pub(super) fn event(mut said: Value) -> Result<(Event, Option<String>), SaidError> {
    let object = said.get_mut("object").map(Value::take);
    let object = object.ok_or(SaidError::Lacks("object"))?;
    let at = version(&object).map(str::to_owned);
    let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
    let event = match kind {
        "ADDED" | "MODIFIED" => Event::Is(object),
        "DELETED" => Event::Gone(object),
        "ERROR" if object.get("code").and_then(Value::as_u64) == Some(410) => Event::TooOld,
        "ERROR" => {
            let message = object.get("message").and_then(Value::as_str);
            return Err(SaidError::Fault(message.unwrap_or("no reason").to_owned()));
        }
        // Bookmarks, and whatever comes up one day.
        _ => Event::Still,
    };
    Ok((event, at))
}

fn name(object: &Value) -> Option<&str> {
    object.pointer("/metadata/name").and_then(Value::as_str)
}

fn version(object: &Value) -> Option<&str> {
    let version = object.pointer("/metadata/resourceVersion");
    version.and_then(Value::as_str).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, version: &str) -> Value {
        json!({"metadata": {"name": name, "resourceVersion": version, "labels": {"a": "b"}}})
    }

    fn nodes(own: &str, items: &[Value]) -> Nodes {
        let mut nodes = Nodes::default();
        for item in items {
            nodes.put(own, item);
        }
        nodes
    }

    fn names(known: &Known) -> Vec<&str> {
        known.nodes.keys().map(String::as_str).collect()
    }

    #[test]
    fn events_change_what_a_list_has_told() {
        let mut known = Known::default();
        known.replace(
            "b",
            Scope::All,
            nodes("b", &[node("a", "1"), node("b", "2")]),
        );
        assert_eq!(known.own.as_ref().unwrap().version, "2");
        assert_eq!(
            known.own.as_ref().unwrap().object["metadata"]["labels"]["a"],
            "b"
        );
        for said in [
            json!({"type": "DELETED", "object": node("a", "3")}),
            json!({"type": "ADDED", "object": node("c", "4")}),
            json!({"type": "MODIFIED", "object": node("b", "5")}),
            json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "6"}}}),
        ] {
            known.take("b", &event(said).unwrap().0);
        }
        assert_eq!(names(&known), ["b", "c"]);
        assert_eq!(known.own.as_ref().unwrap().version, "5");
        known.take("b", &Event::Gone(node("b", "7")));
        assert_eq!((names(&known), known.own.is_none()), (vec!["c"], true));
    }

    #[test]
    fn the_own_one_is_ready_in_a_boot() {
        let mut known = Known::default();
        let mut said = node("b", "1");
        said["status"] = json!({
            "nodeInfo": {"bootID": "one"},
            "conditions": [{"type": "Ready", "status": "True"}],
        });
        known.take("b", &Event::Is(said.clone()));
        let ready = |known: &Known| known.own.as_ref().unwrap().ready.clone();
        assert_eq!(ready(&known).as_deref(), Some("one"));
        said["status"]["conditions"][0]["status"] = "Unknown".into();
        known.take("b", &Event::Is(said));
        assert_eq!(ready(&known), None);
    }

    #[test]
    fn one_that_may_not_ask_for_others_forgets_none() {
        let mut known = Known::default();
        known.replace(
            "b",
            Scope::All,
            nodes("b", &[node("a", "1"), node("b", "2")]),
        );
        known.replace("b", Scope::Own, nodes("b", &[]));
        assert_eq!(names(&known), ["a"]);
        known.replace("b", Scope::All, nodes("b", &[node("b", "2")]));
        assert_eq!(names(&known), ["b"]);
    }

    #[test]
    fn an_event_says_how_new_it_is_and_what_is_too_old() {
        let said = json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "6"}}});
        assert_eq!(event(said), Ok((Event::Still, Some("6".to_owned()))));
        let said = json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}});
        assert_eq!(event(said), Ok((Event::TooOld, None)));
        let said = json!({"type": "ERROR", "object": {"code": 500, "message": "etcd"}});
        assert_eq!(event(said), Err(SaidError::Fault("etcd".to_owned())));
        assert!(event(json!({"type": "ADDED"})).is_err());
    }

    #[test]
    fn a_list_may_have_more() {
        let list = json!({"metadata": {"resourceVersion": "9", "continue": "x"}, "items": [{}]});
        let first = page(list).unwrap();
        assert_eq!((first.items.len(), first.more.as_deref()), (1, Some("x")));
        let list = json!({"metadata": {"resourceVersion": "9", "continue": ""}, "items": null});
        let last = page(list).unwrap();
        assert!(last.items.is_empty() && last.more.is_none());
        assert!(page(json!({"items": []})).is_err());
    }
}
