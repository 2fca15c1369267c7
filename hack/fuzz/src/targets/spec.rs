//! Specs of every type, from their bytes and from their YAML.

use std::sync::LazyLock;

use store::{ErasedSpec, Registry};

use super::bytes;

pub(super) static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::new();
    resources::register_all(&mut registry).expect("the types do not clash");
    registry
});

pub(super) fn run(data: &[u8]) {
    let (ty, data) = split(data);
    if let Ok(spec) = REGISTRY.decode(ty, data, "") {
        forms(ty, &spec);
    }
    if let Ok(yaml) = std::str::from_utf8(data)
        && let Some(Ok(spec)) = REGISTRY.from_yaml(ty, yaml)
    {
        forms(ty, &spec);
    }
}

/// The type that the first line names, or else one that the first byte chooses, and the rest.
fn split(mut data: &[u8]) -> (&'static str, &[u8]) {
    let end = data.iter().position(|it| *it == b'\n');
    let line = end.and_then(|end| std::str::from_utf8(data.get(..end)?).ok());
    if let Some(definition) = line.and_then(|name| REGISTRY.definition(name)) {
        let rest = data.get(definition.ty.len() + 1..).unwrap_or_default();
        return (definition.ty, rest);
    }
    let which = usize::from(bytes::first(&mut data));
    let types: Vec<_> = REGISTRY.definitions().map(|it| it.ty).collect();
    let ty = types.get(which % types.len());
    (ty.copied().unwrap_or_default(), data)
}

/// Both forms of a spec say the same, and writing is stable.
pub(super) fn forms(ty: &str, spec: &ErasedSpec) {
    let proto = spec.proto();
    let again = REGISTRY
        .decode(ty, proto, "")
        .expect("what is written decodes");
    assert_eq!(&again, spec, "its bytes say something else");
    assert_eq!(again.proto(), proto, "writing is not stable");
    let yaml = spec.yaml().expect("every type has a YAML form");
    let read = REGISTRY.from_yaml(ty, yaml).expect("the type is known");
    let read = read.expect("what is written as YAML reads back");
    assert_eq!(&read, spec, "its YAML says something else: {yaml}");
}
