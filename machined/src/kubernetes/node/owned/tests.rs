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
        ready: None,
    };
    let planned = plan(&own(object), "n", node, true);
    if let Some(patch) = &planned.patch {
        merge(object, patch);
    }
    assert_eq!(plan(&own(object), "n", node, true), Plan::default());
}

#[test]
fn what_the_config_has_no_longer_goes_and_what_others_gave_stays() {
    let mut object = json!({"metadata": {"labels": {"theirs": "1", "b": "0", CONTROL_PLANE: ""}}});
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
        ready: None,
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
        ready: None,
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
        ready: None,
    };
    let planned = plan(&own, "n", &node(&[], &[], &["a:NoSchedule"]), true);
    assert_eq!(planned.patch.unwrap()["metadata"]["resourceVersion"], "7");
}
