use syn::{DeriveInput, parse_quote};

use super::{definition, enumeration, message, schema};

fn refused(result: syn::Result<proc_macro2::TokenStream>) -> String {
    match result {
        Ok(code) => panic!("accepted: {code}"),
        Err(error) => error.to_string(),
    }
}

fn fields(input: DeriveInput) -> String {
    refused(message::expand(&input))
}

#[test]
fn numbers_must_be_written_once_and_valid() {
    assert_eq!(
        fields(parse_quote!(
            struct S {
                a: u32,
            }
        )),
        "write the field's number: #[field(1)]"
    );
    assert_eq!(
        fields(parse_quote!(
            struct S {
                #[field(0)]
                a: u32,
            }
        )),
        "0 is no field number in protobuf"
    );
    assert_eq!(
        fields(parse_quote!(
            struct S {
                #[field(19500)]
                a: u32,
            }
        )),
        "19500 is no field number in protobuf"
    );
    assert_eq!(
        fields(parse_quote!(
            struct S {
                #[field(536870912)]
                a: u32,
            }
        )),
        "536870912 is no field number in protobuf"
    );
    assert_eq!(
        fields(parse_quote!(
            struct S {
                #[field(1)]
                #[field(2)]
                a: u32,
            }
        )),
        "the field has two numbers"
    );
    assert_eq!(
        fields(parse_quote!(
            struct S {
                #[field(3)]
                a: u32,
                #[field(3)]
                b: u32,
            }
        )),
        "number 3 is taken by field `a`"
    );
}

#[test]
fn only_plain_structs_are_messages() {
    assert_eq!(
        fields(parse_quote!(
            enum E {
                A,
            }
        )),
        "expected a struct"
    );
    assert_eq!(
        fields(parse_quote!(
            struct S(u32);
        )),
        "expected a struct with named fields"
    );
    assert_eq!(
        fields(parse_quote!(
            struct S<T> {
                #[field(1)]
                a: T,
            }
        )),
        "a spec has one wire form, so it cannot be generic"
    );
    assert!(
        message::expand(&parse_quote!(
            struct S {}
        ))
        .is_ok()
    );
}

#[test]
fn fields_are_written_in_the_order_of_their_numbers() {
    let input = parse_quote!(
        struct S {
            #[field(9)]
            late: u32,
            #[field(2)]
            early: u32,
        }
    );
    let code = message::expand(&input).expect("a struct").to_string();
    let (early, late) = (code.find("& self . early"), code.find("& self . late"));
    assert!(early.is_some() && early < late, "{code}");
}

#[test]
fn enums_write_all_numbers_and_have_a_zero() {
    let expand = |input: DeriveInput| refused(enumeration::expand(&input));
    assert_eq!(
        expand(parse_quote!(
            enum E {
                A = 0,
                B,
            }
        )),
        "write the variant's number: `Up = 1`"
    );
    assert_eq!(
        expand(parse_quote!(
            enum E {
                A = 1,
                B = -2,
            }
        )),
        "one variant must be 0: it is what leaving the field out means"
    );
    assert_eq!(
        expand(parse_quote!(
            enum E {
                A(u8) = 0,
            }
        )),
        "a variant with data has no number"
    );
    assert_eq!(
        expand(parse_quote!(
            struct S {}
        )),
        "expected an enum"
    );
    assert!(
        enumeration::expand(&parse_quote!(
            enum E {
                A = 0,
                B = -2,
            }
        ))
        .is_ok()
    );
}

#[test]
fn definitions_are_complete_and_well_named() {
    let expand = |input: DeriveInput| refused(definition::expand(&input));
    assert_eq!(
        expand(parse_quote!(
            #[spec(namespace = "n")]
            struct S {}
        )),
        "#[spec(type = \"...\")] is missing"
    );
    assert_eq!(
        expand(parse_quote!(
            #[spec(type = "Links.net")]
            struct S {}
        )),
        "#[spec(namespace = \"...\")] is missing"
    );
    assert_eq!(
        expand(parse_quote!(
            #[spec(type = "links", namespace = "n")]
            struct S {}
        )),
        "expected a type such as \"LinkStatuses.net.garboard\""
    );
    assert_eq!(
        expand(parse_quote!(
            #[spec(type = "Links.net", namespce = "n")]
            struct S {}
        )),
        "expected type, namespace, singular, aliases, columns or sensitive"
    );
}

#[test]
fn all_of_a_definition_is_taken() {
    let input = parse_quote! {
        #[spec(
            type = "Caches.net", namespace = "n", singular = "Cache", aliases("a", "b"),
            columns(("ONE", "one"), ("TWO", "two[0]")), sensitive
        )]
        struct S {}
    };
    let code = definition::expand(&input).expect("complete").to_string();
    for part in [
        "\"Caches.net\"",
        "\"Cache\"",
        "\"a\" , \"b\"",
        "\"TWO\"",
        "sensitive : true",
    ] {
        assert!(code.contains(part), "{part} in {code}");
    }
}

#[test]
fn a_schema_says_what_serde_does_or_nothing() {
    let expand = |input: DeriveInput| refused(schema::expand(&input));
    assert_eq!(
        expand(parse_quote!(
            struct S {
                /// A field.
                a: u32,
            }
        )),
        "a document refuses what it does not know: #[serde(deny_unknown_fields)]"
    );
    assert_eq!(
        expand(parse_quote!(
            #[serde(deny_unknown_fields)]
            struct S {
                a: u32,
            }
        )),
        "the reference is made of doc comments: say what the field is for"
    );
    assert_eq!(
        expand(parse_quote!(
            #[serde(deny_unknown_fields)]
            struct S {
                /// A field.
                #[serde(flatten)]
                a: u32,
            }
        )),
        "the schema cannot follow this attribute of serde"
    );
    assert_eq!(
        expand(parse_quote!(
            struct S(u32);
        )),
        "say what it is in YAML: #[schema(text)] or #[schema(integer, least = .., most = ..)]"
    );
    assert_eq!(
        expand(parse_quote!(
            #[serde(rename_all = "UPPERCASE")]
            enum E {
                A,
            }
        )),
        "the schema knows camelCase, kebab-case and lowercase"
    );
    assert_eq!(
        expand(parse_quote!(
            enum E {
                A(u32),
            }
        )),
        "a choice is between words: no variant holds data"
    );
}
