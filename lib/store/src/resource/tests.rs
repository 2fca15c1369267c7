use super::*;
use crate::testing::{Number, Secret, number, secret};
use crate::{Phase, RawSpec};

#[test]
fn a_document_has_metadata_then_spec() {
    let mut resource = number("one", 7).with_label("zone", "a");
    resource.metadata.version = Version(3);
    resource.metadata.owner = "numbers".into();
    resource.metadata.phase = Phase::TearingDown;
    resource.metadata.finalizers.add("user");
    let time = |text: &str| text.parse().expect("a time");
    resource.metadata.created = time("2026-01-02T03:04:05.999Z");
    resource.metadata.updated = time("2026-01-02T03:04:06Z");
    let expected = "\
metadata:
    namespace: test
    type: Numbers.test.example
    id: one
    version: 3
    owner: numbers
    phase: tearingDown
    created: 2026-01-02T03:04:05Z
    updated: 2026-01-02T03:04:06Z
    labels:
        zone: a
    finalizers:
        - user
spec:
    value: 7
";
    assert_eq!(resource.to_yaml().expect("yaml"), expected);
}

#[test]
fn any_raw_yaml_can_be_a_spec() {
    for (yaml, spec) in [
        ("", serde_json::json!({})),
        ("{}\n", serde_json::json!({})),
        ("5", serde_json::json!(5)),
        (
            "---\na: 1\nb:\n  - x\n",
            serde_json::json!({"a": 1, "b": ["x"]}),
        ),
        ("- 1\n- 2\n", serde_json::json!([1, 2])),
        ("|\n  two\n\n  lines\n", serde_json::json!("two\n\nlines\n")),
    ] {
        let resource = Resource {
            metadata: Metadata::new("n", "Unknowns.x.y", "007"),
            spec: ErasedSpec::raw(RawSpec {
                proto: Vec::new(),
                yaml: yaml.to_owned(),
                sensitive: false,
            }),
        };
        let document = resource.to_yaml().expect("yaml");
        let parsed: serde_json::Value = serde_yaml::from_str(&document).expect(&document);
        assert_eq!(parsed["spec"], spec, "{document}");
        assert_eq!(parsed["metadata"]["id"], "007");
        assert_eq!(parsed["metadata"]["version"], "undefined");
        assert_eq!(parsed["metadata"]["owner"], "");
    }
}

#[test]
fn typed_and_erased_are_the_same_resource() {
    let resource = number("one", 7);
    let typed = Typed::<Number>::from_resource(&resource).expect("a number");
    assert_eq!((typed.id(), typed.spec.value), ("one", 7));
    assert!(Typed::<Secret>::from_resource(&resource).is_none());
    assert_eq!(typed.into_resource(), resource);
}

#[test]
fn a_raw_spec_of_a_known_type_is_decoded() {
    let resource = number("one", 7);
    let raw = Resource {
        metadata: resource.metadata.clone(),
        spec: ErasedSpec::raw(RawSpec {
            proto: resource.spec.proto().to_vec(),
            yaml: String::new(),
            sensitive: false,
        }),
    };
    let typed = Typed::<Number>::from_resource(&raw).expect("a number");
    assert_eq!(typed.spec.value, 7);
    assert!(raw.spec::<Number>().is_none());
}

#[test]
fn secrets_do_not_show_in_debug() {
    let shown = format!("{:?}", secret("one", "hunter2"));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(format!("{:?}", number("one", 7)).contains("value: 7"));
}

#[test]
fn wire_forms_are_made_once_and_shared_by_clones() {
    let spec = number("one", 7).spec;
    let clone = spec.clone();
    assert_eq!(spec.proto(), [8, 7]);
    assert_eq!(spec.yaml().expect("yaml"), "value: 7\n");
    assert!(std::ptr::eq(spec.proto(), clone.proto()));
    assert!(std::ptr::eq(
        spec.yaml().expect("yaml"),
        clone.yaml().expect("yaml")
    ));
}
