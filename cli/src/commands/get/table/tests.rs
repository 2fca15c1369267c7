use std::collections::BTreeMap;

use store::{Reference, Registry, Resource, Spec};

use super::*;
use crate::commands::get::{Kind, rows};
use crate::output;

/// The width of a terminal.
const WIDTH: usize = 80;

/// What nodes hold usually, at its widest, as YAML documents: the type, the id, the spec.
const USUAL: &str = include_str!("usual.yaml");

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual {
    r#type: String,
    ids: Vec<String>,
    spec: serde_json::Value,
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry
        .register::<cosi::status::ControllerStatus>()
        .expect("new")
        .register::<cosi::status::RuntimeStatus>()
        .expect("new");
    resources::register_all(&mut registry).expect("new");
    registry
}

/// The types with the resources of their samples.
fn usual(registry: &Registry) -> BTreeMap<String, Vec<Resource>> {
    let all: Vec<Usual> = serde_yaml::from_multiple(USUAL).expect("samples");
    let resources = all.into_iter().map(|usual| {
        let yaml = serde_yaml::to_string(&usual.spec).expect("YAML");
        let spec = registry.from_yaml(&usual.r#type, &yaml);
        let spec = spec.unwrap_or_else(|| panic!("no type {}", usual.r#type));
        let spec = spec.unwrap_or_else(|error| panic!("{}: {error}", usual.r#type));
        let of = |id: &String| Resource {
            metadata: store::Metadata::new("any", usual.r#type.as_str(), id.as_str()),
            spec: spec.clone(),
        };
        (usual.r#type.clone(), usual.ids.iter().map(of).collect())
    });
    resources.collect()
}

#[test]
fn every_table_fits_a_terminal() {
    let registry = registry();
    let usual = usual(&registry);
    for definition in registry.definitions() {
        let list = usual.get(definition.ty);
        let list = list.unwrap_or_else(|| panic!("usual.yaml has no {}", definition.ty));
        let kind = || Kind {
            definition: definition.to_spec(),
            namespace: definition.namespace.to_owned(),
        };
        let one = ("garboard-cp-1".to_owned(), (kind(), list.clone()));
        let two = ("garboard-cp-2".to_owned(), (kind(), list.clone()));
        // Types of types and of controllers are of the program, the same on every node: nobody asks several for them.
        let program = definition.ty.contains(".meta.") || definition.ty.contains("Controller");
        let nodes = if program { vec![one] } else { vec![one, two] };
        let (headings, rows) = rows(&nodes, nodes.len() == 1).expect("a table");
        let lines = output::drawn(&headings, &rows);
        let text = lines.join("\n");
        assert_eq!(lines.len(), nodes.len() * list.len() + 1, "{text}");
        for line in &lines {
            assert!(line.chars().count() <= WIDTH, "{}:\n{text}", definition.ty);
        }
    }
}

#[test]
fn bytes_read_as_people_say_them() {
    for (bytes, text) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1_048_575, "1023.9 KiB"),
        (1_020_325_888, "973 MiB"),
        (16_433_610_752, "15.3 GiB"),
        (u64::MAX, "16777215.9 TiB"),
    ] {
        assert_eq!(output::size(bytes), text);
    }
    let column = |json_path: &str| PrintColumn {
        name: String::new(),
        json_path: json_path.into(),
    };
    assert_eq!(
        readable(&column("memory.usedBytes"), "2048".into()),
        "2 KiB"
    );
    assert_eq!(readable(&column("bytes"), String::new()), "");
    assert_eq!(readable(&column("restarts"), "2048".into()), "2048");
}

#[test]
fn what_is_not_a_table_stays_exact() {
    let registry = registry();
    let usual = usual(&registry);
    let types = resources::runtime::MachineStatus::DEFINITION;
    let machine = usual[types.ty].first().expect("a machine");
    assert_eq!(
        cells(&types.to_spec(), machine).last().expect("memory"),
        "973 MiB"
    );
    let reference = Reference::new(types.namespace, types.ty, "this");
    let shown = super::super::shown("node", None, machine).expect("shown");
    assert_eq!(shown.spec["memoryBytes"], 1_020_325_888, "{reference}");
}
