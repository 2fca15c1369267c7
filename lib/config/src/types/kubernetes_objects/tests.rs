use serde_json::json;

use super::*;

fn read(text: &str) -> Vec<Json> {
    text.parse::<KubernetesObjects>().unwrap().objects
}

fn error(text: &str) -> String {
    let error = text.parse::<KubernetesObjects>().unwrap_err();
    error.to_string()
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[test]
fn documents_and_lists_are_their_objects() {
    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'a:b'}\n";
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: ns}}\n- {apiVersion: v1, kind: Secret, metadata: {name: s, namespace: ns}, data: {k: dg==}}\n";
    let text = format!(
        "# first\n---\n---\n{MAP}data: {{mode: '0644', number: 0644}}\n---\n{role}---\n{list}"
    );
    let objects = read(&text);
    let names: Vec<_> = objects
        .iter()
        .map(|it| it.pointer("/metadata/name").unwrap())
        .collect();
    assert_eq!(names, ["a", "a:b", "ns", "s"]);
    assert_eq!(objects[0]["data"], json!({"mode": "0644", "number": 420}));
    let parsed: KubernetesObjects = text.parse().unwrap();
    assert_eq!(String::from(parsed.clone()), text);
    assert_eq!(format!("{parsed:?}"), crate::REDACTED);
}

#[test]
fn what_names_no_object_is_said_by_document_and_field() {
    for (second, said) in [
        ("- a", "document 2 of the text (line 4) is no map"),
        (
            "kind: ConfigMap",
            "document 2 of the text (line 4) has no `apiVersion`",
        ),
        (
            "apiVersion: v1",
            "document 2 of the text (line 4) has no `kind`",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a}",
            "document 2 of the text (line 4) has no `metadata.name`",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: 1}",
            "`metadata.name` of document 2 of the text (line 4) cannot be one",
        ),
        (
            "apiVersion: v1/../x\nkind: Pod",
            "`apiVersion` of document 2 of the text (line 4) cannot be one",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: ../b}",
            "`metadata.namespace` of document 2 of the text (line 4) cannot be one",
        ),
        (
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: []}]",
            "document 2 of the text (line 4), item 1 has no `metadata.name`",
        ),
        (
            "apiVersion: v1\nkind: List",
            "document 2 of the text (line 4) is a List without a list of `items`",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}",
            "document 2 of the text (line 4) is the same object as document 1 of the text (line 1): kind, namespace and name are equal",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: .inf",
            "document 2 of the text (line 4) has a number that is infinite or none at all",
        ),
    ] {
        assert_eq!(error(&format!("{MAP}---\n{second}\n")), said, "{second}");
    }
    assert_eq!(error("# nothing\n"), "there is no object in the text");
    assert!(error(crate::REDACTED).contains("cannot be read back"));
}

#[test]
fn no_message_repeats_the_text() {
    let secrets = [
        "data: *hunter2",
        "data: {hunter2: 1, hunter2: 2}",
        "data: [hunter2",
        "data: \"hunter2",
        "data: !hunter2 a",
        "hunter2",
        "data: hunter2: a",
        "kind: hunter2/",
    ];
    for bad in secrets {
        let said = error(&format!("apiVersion: v1\n{bad}\n"));
        assert!(!said.contains("hunter2"), "{bad}: {said}");
    }
}
