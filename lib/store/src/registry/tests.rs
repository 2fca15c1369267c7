use super::*;
use crate::Spec;
use crate::testing::{Number, Secret};
use serde::{Deserialize, Serialize};

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry
        .register::<Number>()
        .and_then(Registry::register::<Secret>)
        .expect("valid types");
    registry
}

/// Another type that may be called a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "Numbers.other.example", namespace = "other")]
struct OtherNumber {}

/// The same type in another case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "NUMBERS.test.example", namespace = "other")]
struct Shouted {}

/// A type that is no plural.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "Number.test.example", namespace = "other")]
struct One {}

#[test]
fn names_find_types() {
    let registry = registry();
    for name in ["Numbers.test.example", "numbers", "NUMBER", "numbers.test"] {
        let found = registry.lookup(name).expect(name);
        assert_eq!(found.ty, "Numbers.test.example");
    }
    assert_eq!(
        registry.lookup("rd").expect("rd").ty,
        ResourceDefinition::DEFINITION.ty
    );
    assert!(matches!(
        registry.lookup("numbe"),
        Err(LookupError::Unknown { .. })
    ));
}

#[test]
fn several_types_may_answer_to_one_name() {
    let mut registry = registry();
    registry.register::<OtherNumber>().expect("a valid type");
    let error = registry.lookup("number").expect_err("two types");
    assert_eq!(
        error.to_string(),
        "\"number\" may mean Numbers.other.example or Numbers.test.example"
    );
    assert!(registry.lookup("numbers.other").is_ok());
}

#[test]
fn bad_and_taken_types_are_refused() {
    let mut registry = registry();
    assert!(matches!(
        registry.register::<Number>(),
        Err(RegistryError::Taken { .. })
    ));
    assert!(matches!(
        registry.register::<Shouted>(),
        Err(RegistryError::Taken { .. })
    ));
    assert!(matches!(
        registry.register::<One>(),
        Err(RegistryError::Definition { .. })
    ));
}

#[test]
fn bytes_become_specs_and_unknown_types_stay_bytes() {
    let registry = registry();
    let number = registry
        .decode("Numbers.test.example", &[8, 7], "")
        .expect("a number");
    assert_eq!(number.get::<Number>(), Some(&Number { value: 7 }));
    assert!(registry.decode("Numbers.test.example", &[8], "").is_err());
    let unknown = registry
        .decode("Paths.test.example", &[255], "a: b\n")
        .expect("raw");
    assert_eq!(unknown.proto(), [255]);
    assert_eq!(unknown.yaml().expect("yaml"), "a: b\n");
    assert!(unknown.definition().is_none());
}

#[test]
fn yaml_becomes_specs() {
    let registry = registry();
    let from = |yaml| {
        registry
            .from_yaml("Numbers.test.example", yaml)
            .expect("known")
    };
    assert_eq!(
        from("value: 7").expect("a number").get(),
        Some(&Number { value: 7 })
    );
    assert!(from("value: seven").is_err());
    assert!(registry.from_yaml("Paths.test.example", "").is_none());
}

#[test]
fn the_contracts_field_numbers() {
    let expected = "\
Namespaces.meta.cosi.dev 1 description single string
ResourceDefinitions.meta.cosi.dev 1 ty single string
ResourceDefinitions.meta.cosi.dev 2 display_type single string
ResourceDefinitions.meta.cosi.dev 3 default_namespace single string
ResourceDefinitions.meta.cosi.dev 4 aliases repeated string
ResourceDefinitions.meta.cosi.dev 5 all_aliases repeated string
ResourceDefinitions.meta.cosi.dev 6 print_columns repeated message PrintColumn
ResourceDefinitions.meta.cosi.dev 7 sensitivity single enum Sensitivity
ResourceDefinitions.meta.cosi.dev/PrintColumn 1 name single string
ResourceDefinitions.meta.cosi.dev/PrintColumn 2 json_path single string
ResourceDefinitions.meta.cosi.dev/Sensitivity 0 Open enum number
ResourceDefinitions.meta.cosi.dev/Sensitivity 1 Sensitive enum number
";
    assert_eq!(Registry::new().schema(), expected);
}
