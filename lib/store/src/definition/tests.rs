use super::*;
use crate::Spec;
use crate::meta::Namespace;

fn named(ty: &'static str) -> Definition {
    Definition {
        ty,
        namespace: "n",
        singular: None,
        aliases: &[],
        columns: &[],
        sensitive: false,
    }
}

#[test]
fn aliases_are_the_contracts() {
    let definition = ResourceDefinition::DEFINITION;
    assert_eq!(definition.display_type(), "ResourceDefinition");
    assert_eq!(
        definition.short_names(),
        ["api-resources", "resourcedefinition", "rd", "rds"]
    );
    assert_eq!(
        definition.all_aliases(),
        [
            "resourcedefinitions",
            "resourcedefinitions.meta",
            "resourcedefinitions.meta.cosi",
            "api-resources",
            "resourcedefinition",
            "rd",
            "rds"
        ]
    );
    assert_eq!(
        Namespace::DEFINITION.all_aliases(),
        [
            "namespaces",
            "namespaces.meta",
            "namespaces.meta.cosi",
            "ns",
            "namespace"
        ]
    );
}

#[test]
fn an_acronym_in_s_gets_no_plural() {
    let definition = named("LinkStatuses.net.garboard");
    assert_eq!(definition.short_names(), ["linkstatus", "ls"]);
    assert_eq!(
        definition.all_aliases(),
        ["linkstatuses", "linkstatuses.net", "linkstatus", "ls"]
    );
}

#[test]
fn plurals_have_singulars() {
    for (plural, one) in [
        ("LinkStatuses", "LinkStatus"),
        ("AddressSpecs", "AddressSpec"),
        ("Addresses", "Address"),
        ("Policies", "Policy"),
        ("Boxes", "Box"),
        ("Switches", "Switch"),
        ("Leases", "Lease"),
        ("Routes", "Route"),
        ("Buses", "Bus"),
        ("Nodenames", "Nodename"),
    ] {
        assert_eq!(singular(plural), one);
    }
    for one in ["LinkStatus", "Address", "Route", "X"] {
        assert_eq!(singular(one), one);
    }
    let stated = Definition {
        singular: Some("Cache"),
        ..named("Caches.x.y")
    };
    assert_eq!(stated.display_type(), "Cache");
}

#[test]
fn rules_of_names() {
    for good in [
        "LinkStatuses.net.garboard",
        "IPs.ab",
        "Links.net.a.b",
        "X-Ys.n2",
    ] {
        assert_eq!(named(good).validate(), Ok(()), "{good}");
    }
    type Check = fn(&DefinitionError) -> bool;
    let bad: [(&str, Check); 8] = [
        ("Links", |e| matches!(e, DefinitionError::NoSuffix { .. })),
        ("links.net", |e| matches!(e, DefinitionError::Name { .. })),
        ("L.net", |e| matches!(e, DefinitionError::Name { .. })),
        ("Li nks.net", |e| matches!(e, DefinitionError::Name { .. })),
        ("Link.net", |e| {
            matches!(e, DefinitionError::NotPlural { .. })
        }),
        ("Links.Net", |e| matches!(e, DefinitionError::Suffix { .. })),
        ("Links.net.", |e| {
            matches!(e, DefinitionError::Suffix { .. })
        }),
        ("Links.1net", |e| {
            matches!(e, DefinitionError::Suffix { .. })
        }),
    ];
    for (ty, check) in bad {
        let error = named(ty).validate().expect_err(ty);
        assert!(check(&error), "{ty}: {error:?}");
    }
    let shouting = Definition {
        aliases: &["LINK"],
        ..named("Links.net")
    };
    assert!(matches!(
        shouting.validate(),
        Err(DefinitionError::Alias { .. })
    ));
}

#[test]
fn a_definition_describes_itself() {
    let definition = Definition {
        columns: &[Column {
            name: "STATE",
            path: "operState",
        }],
        sensitive: true,
        ..named("Links.net.garboard")
    };
    let resource = definition.to_spec().into_resource();
    assert_eq!(&*resource.metadata.id, "links.net.garboard");
    let spec = resource.spec::<ResourceDefinition>().expect("its type");
    assert_eq!(spec.print_columns[0].json_path, "operState");
    assert_eq!(spec.sensitivity, Sensitivity::Sensitive);
    assert!(spec.answers_to("LINK") && spec.answers_to("Links.net.garboard"));
    assert!(!spec.answers_to("lin"));
}
