//! The proc macros of store and resources: a struct with written field numbers becomes a resource's spec.
//!
//! Owns only the generated glue; the traits and the codec live in `store::codec`, and the generated code names them
//! by that path, so a crate that derives depends on `garboard-store`. Whatever can be refused at compile time is:
//! a missing, zero, reserved or repeated number, a type name that is none, an enum without its zero.

mod definition;
mod enumeration;
mod fields;
mod message;

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

fn output(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

#[cfg(test)]
mod tests;
