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
}

#[test]
fn a_value_reads_as_people_say_it() {
    for (field, value, text) in [
        ("memory.usedBytes", "2048", "2 KiB"),
        ("bytes", "", ""),
        ("bytes", "0", "-"),
        ("restarts", "2048", "2048"),
        ("offsetNanos", "-1234567", "-1.2 ms"),
        ("offsetNanos", "0", "0 µs"),
        ("intervalSeconds", "1024", "1024 s"),
        ("intervalSeconds", "soon", "soon"),
        (
            "began",
            "2026-11-21T12:00:00.987654321Z",
            "2026-11-21T12:00:00Z",
        ),
        ("began", "2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"),
        ("ended", "", ""),
        ("reason", "2026-11-21", "2026-11-21"),
    ] {
        let column = PrintColumn {
            name: String::new(),
            json_path: field.into(),
        };
        assert_eq!(readable(&column, value.into()), text, "{field}");
    }
}

/// One that is added must be read in [`readable`], too: a table has no room for what a unit makes short.
#[test]
fn no_table_shows_nanoseconds_or_bytes_as_they_are_counted() {
    let registry = registry();
    let usual = usual(&registry);
    for definition in registry.definitions() {
        let list = usual.get(definition.ty).expect("a sample");
        for resource in list {
            for cell in cells(&definition.to_spec(), resource) {
                let digits = cell.trim_start_matches('-').len();
                let raw = digits > 9 && cell.parse::<i64>().is_ok();
                assert!(!raw, "{}: {cell}", definition.ty);
                let fraction = cell.parse::<jiff::Timestamp>().is_ok() && cell.contains('.');
                assert!(!fraction, "{}: {cell}", definition.ty);
            }
        }
    }
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
