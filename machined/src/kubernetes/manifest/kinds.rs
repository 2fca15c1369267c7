//! Where objects of a kind are created, as the API server says. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::object::Object;

/// The namespace of objects that are in one and do not say in which.
const DEFAULT: &str = "default";

/// A kind of one group and version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// As it stands in paths, such as `daemonsets`.
    plural: String,
    /// Whether its objects are in namespaces.
    namespaced: bool,
}

/// The kinds of one group and version, such as `apps/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(BTreeMap<String, Place>);

/// The path that the kinds of a group and version are told at.
pub(super) fn listed_at(api_version: &str) -> String {
    match api_version.contains('/') {
        true => format!("/apis/{api_version}"),
        false => format!("/api/{api_version}"),
    }
}

impl Kinds {
    /// Of what the server tells.
    pub(super) fn read(list: &Value) -> Self {
        let resources = list.get("resources").and_then(Value::as_array);
        let each = resources.into_iter().flatten().filter_map(|resource| {
            let text = |key: &str| resource.get(key).and_then(Value::as_str);
            let plural = text("name")?;
            // Parts of a resource, such as `pods/log`, have kinds of their own.
            let whole = !plural.contains('/');
            let place = Place {
                plural: plural.to_owned(),
                namespaced: resource.get("namespaced").and_then(Value::as_bool)?,
            };
            whole.then_some((text("kind")?.to_owned(), place))
        });
        Self(each.collect())
    }

    /// The path that an object of these is created at; `None`: the server does not know its kind.
    pub(super) fn created_at(&self, object: &Object) -> Option<String> {
        let Place { plural, namespaced } = self.0.get(object.kind())?;
        let list = listed_at(object.api_version());
        Some(match namespaced {
            true => {
                let namespace = object.namespace().unwrap_or(DEFAULT);
                format!("{list}/namespaces/{namespace}/{plural}")
            }
            false => format!("{list}/{plural}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str, namespace: Option<&str>) -> Object {
        let metadata = json!({"name": "a", "namespace": namespace});
        let value = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
        Object::new(value).unwrap()
    }

    #[test]
    fn an_object_is_created_among_those_of_its_kind() {
        let core = Kinds::read(&json!({"resources": [
            {"name": "pods", "kind": "Pod", "namespaced": true},
            {"name": "pods/eviction", "kind": "Eviction", "namespaced": true},
            {"name": "nodes", "kind": "Node", "namespaced": false},
        ]}));
        let at = |kind, namespace| core.created_at(&object("v1", kind, namespace));
        assert_eq!(at("Pod", Some("x")).unwrap(), "/api/v1/namespaces/x/pods");
        assert_eq!(at("Pod", None).unwrap(), "/api/v1/namespaces/default/pods");
        assert_eq!(at("Node", None).unwrap(), "/api/v1/nodes");
        assert_eq!(at("Eviction", None), None);
        let apps = Kinds::read(
            &json!({"resources": [{"name": "daemonsets", "kind": "DaemonSet", "namespaced": true}]}),
        );
        let set = object("apps/v1", "DaemonSet", Some("x"));
        let path = "/apis/apps/v1/namespaces/x/daemonsets";
        assert_eq!(apps.created_at(&set).unwrap(), path);
        assert_eq!(Kinds::read(&json!({})), Kinds::default());
    }
}
