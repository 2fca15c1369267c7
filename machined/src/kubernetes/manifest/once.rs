//! Which objects were created before: the cluster itself keeps a list, so that every node of the control plane knows it.
//!
//! It is a ConfigMap with a line for each. An object is put on it right after it was created; who loses its power in between
//! creates it again, and finds it there.

use serde_json::{Value, json};

use super::NAMESPACE;
use super::object::Object;

/// The name of the list.
pub(super) const NAME: &str = "garboard-manifests";

/// Its path.
pub(super) fn path() -> String {
    format!("{}/{NAME}", paths())
}

/// The path of all that are in its namespace.
pub(super) fn paths() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps")
}

/// A list with nothing on it.
pub(super) fn empty() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "annotations": {
                "garboard/about": "what the nodes of the control plane created; a line that is taken out has its object created again",
            },
        },
    })
}

/// Whether an object is on a list.
pub(super) fn has(list: &Value, object: &Object) -> bool {
    let data = list.get("data");
    data.is_some_and(|it| it.get(object.key()).is_some())
}

/// What puts an object on the list, as a merge patch: nothing else of it is touched.
pub(super) fn patch(object: &Object) -> Value {
    json!({"data": {object.key(): object.to_string()}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_on_the_list_once_it_was_put_there() {
        let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"key": "c2VjcmV0"}});
        let object = Object::new(value).unwrap();
        assert!(!has(&empty(), &object));
        let patch = patch(&object);
        assert!(has(&patch, &object));
        assert!(!patch.to_string().contains("c2VjcmV0"), "{patch}");
    }
}
