//! The proc macros of store, resources and config: a struct with written field numbers becomes a resource's spec, and a
//! struct of the machine config says what it looks like in YAML.
//!
//! Owns only the generated glue; the traits live in `store::codec` and `config::schema`, and the generated code names
//! them by these paths, so a crate that derives depends on `garboard-store` or is `garboard-config`. Whatever can be
//! refused at compile time is: a missing, zero, reserved or repeated number, a type name that is none, an enum without
//! its zero, a document that would take unknown fields.

mod definition;
mod enumeration;
mod fields;
mod message;
mod names;
mod schema;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct the spec of a resource type: `store::Spec`, its protobuf codec and its definition.
///
/// ```text
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
/// #[spec(
///     type = "LinkStatuses.net.garboard",     // Plurals.suffix, checked
///     namespace = "network",                  // where tools look by default
///     aliases("links"),                       // beside linkstatus, ls, ... which follow from the type
///     columns(("STATE", "operState")),        // headings, and paths into the YAML spec
///     singular = "LinkStatus",                // only where the rules of plurals fail
///     sensitive                               // administrators only, no history
/// )]
/// #[serde(rename_all = "camelCase")]          // the YAML's names are serde's business
/// struct LinkStatus {
///     #[field(1)]
///     oper_state: OperState,
///     #[field(2)]
///     addresses: Vec<IpAddr>,
/// }
/// ```
///
/// Fields may be `bool`, `u16`, `u32`, `u64`, `i16`, `i32`, `i64`, `String`, `Vec<u8>`, addresses, `jiff::Timestamp`,
/// durations, types under `store::text_scalar!`, `SpecMessage` structs, `SpecEnum` enums, `Option` and `Vec` of all
/// these, and `BTreeMap<String, String>`. A number, once released, means the same forever.
#[proc_macro_derive(Spec, attributes(spec, field))]
pub fn spec(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    output(message::expand(&input).and_then(|message| {
        let definition = definition::expand(&input)?;
        Ok(quote::quote!(#message #definition))
    }))
}

/// Makes a struct a part of a spec: the codec of [`Spec`] without a definition.
#[proc_macro_derive(SpecMessage, attributes(field))]
pub fn spec_message(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    output(message::expand(&input))
}

/// Makes an enum without data a part of a spec. Every variant writes its number, one of them is 0: what leaving the
/// field out means. Numbers that are not listed are errors on decoding.
///
/// ```text
/// #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, SpecEnum)]
/// #[serde(rename_all = "kebab-case")]
/// enum OperState { Unknown = 0, Down = 1, LowerLayerDown = 2, Up = 3 }
/// ```
#[proc_macro_derive(SpecEnum)]
pub fn spec_enum(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    output(enumeration::expand(&input))
}

/// Says what a type of the machine config looks like in YAML: `config::schema::Schema`.
///
/// ```text
/// /// What the reference says of it.
/// #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
/// #[serde(rename_all = "camelCase", deny_unknown_fields)]   // both are read here as well
/// struct LinkConfig {
///     /// What the reference says of the field; a field without a comment is an error.
///     #[serde(default = "yes")]                             // not required, and what it is then
///     up: bool,
///     /// A list that patches merge, entry by entry, by the field `to` of the entries; others they replace.
///     #[serde(default)]
///     #[schema(merge_key = "to")]
///     routes: Vec<RouteConfig>,
///     /// A list may have a `least` and a `most`.
///     #[schema(least = 1, most = 3)]
///     servers: Vec<IpAddr>,
/// }
///
/// #[schema(text)]                                           // read from text, whatever it is in Rust
/// #[schema(text, secret)]                                   // and never shown: it has a `fn redacted() -> Self`
/// #[schema(integer, least = 68, most = 65_536)]             // read from a number
/// ```
///
/// The derive also takes the secrets out of a value, so that no kind can forget one.
///
/// A type with `#[serde(try_from = "Other")]` looks like `Other`, which derives this too. An enum without data is a
/// choice of words.
#[proc_macro_derive(Schema, attributes(schema))]
pub fn schema(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    output(schema::expand(&input))
}

fn output(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

#[cfg(test)]
mod tests;
