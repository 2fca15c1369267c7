//! No field number ever changes its meaning, and every type can be shown by tools that know only
//! its definition.

use std::collections::BTreeMap;

use store::Registry;

const RECORD: &str = include_str!("fields.txt");

fn registry() -> Registry {
    let mut registry = Registry::new();
    resources::register_all(&mut registry).expect("the types do not clash");
    registry
}

/// A new field's row is added to `fields.txt` by hand (the failure prints it); a row that is there
/// is never changed or removed.
#[test]
fn field_numbers_are_as_recorded() {
    let findings = store::schema::check(RECORD, &registry().schema());
    let report: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}", report.join("\n"));
}

#[test]
fn no_two_types_share_an_alias() {
    let registry = registry();
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for definition in registry.definitions() {
        for alias in definition.all_aliases() {
            let other = owners.insert(alias.clone(), definition.ty);
            // Capitals make short names of their own accord; those may clash and then need the long one.
            let capitals = alias.len() <= 4;
            assert!(
                other.is_none() || capitals,
                "{alias}: {other:?} and {}",
                definition.ty
            );
        }
    }
}

#[test]
fn every_type_lives_in_a_namespace_that_is_described() {
    for definition in registry().definitions() {
        let mut known = resources::NAMESPACES.iter();
        assert!(
            known.any(|(name, _)| *name == definition.namespace),
            "{definition:?}"
        );
    }
}

/// A spec that is stored must be readable by the processes that get its bytes.
#[test]
fn yaml_cannot_leave_out_what_bytes_require() {
    let error = registry()
        .from_yaml("AddressSpecs.net.garboard", "address: 10.0.0.1/24")
        .expect("the type is known")
        .expect_err("an address on no link");
    assert_eq!(
        error.to_string(),
        "not the spec of a AddressSpecs.net.garboard: field link of AddressSpec: the text is not a valid LinkName"
    );
}
