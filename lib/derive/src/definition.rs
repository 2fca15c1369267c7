//! The `#[spec(...)]` attribute: `store::Spec` and its constant definition.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{DeriveInput, Error, LitStr, Result, Token, parenthesized};

#[derive(Default)]
struct Attributes {
    ty: Option<LitStr>,
    namespace: Option<LitStr>,
    singular: Option<LitStr>,
    aliases: Vec<LitStr>,
    columns: Vec<(LitStr, LitStr)>,
    sensitive: bool,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let mut attributes = Attributes::default();
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("spec")) {
        attribute.parse_nested_meta(|meta| attributes.read(&meta))?;
    }
    let missing = |what: &str| {
        Error::new(
            input.ident.span(),
            format!("#[spec({what} = \"...\")] is missing"),
        )
    };
    let ty = attributes.ty.ok_or_else(|| missing("type"))?;
    check_type(&ty)?;
    let namespace = attributes.namespace.ok_or_else(|| missing("namespace"))?;
    let singular = match attributes.singular {
        Some(singular) => quote!(::std::option::Option::Some(#singular)),
        None => quote!(::std::option::Option::None),
    };
    let (ident, aliases, sensitive) = (&input.ident, attributes.aliases, attributes.sensitive);
    let columns = attributes
        .columns
        .iter()
        .map(|(name, path)| quote!(::store::Column { name: #name, path: #path }));
    Ok(quote! {
        #[automatically_derived]
        impl ::store::Spec for #ident {
            const DEFINITION: ::store::Definition = ::store::Definition {
                ty: #ty,
                namespace: #namespace,
                singular: #singular,
                aliases: &[#(#aliases),*],
                columns: &[#(#columns),*],
                sensitive: #sensitive,
            };
        }
    })
}

impl Attributes {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(key) = meta.path.get_ident().map(ToString::to_string) else {
            return Err(meta.error("expected a word"));
        };
        match key.as_str() {
            "type" => self.ty = Some(meta.value()?.parse()?),
            "namespace" => self.namespace = Some(meta.value()?.parse()?),
            "singular" => self.singular = Some(meta.value()?.parse()?),
            "aliases" => {
                let content;
                parenthesized!(content in meta.input);
                let list = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
                self.aliases.extend(list);
            }
            "columns" => {
                let content;
                parenthesized!(content in meta.input);
                while !content.is_empty() {
                    let pair;
                    parenthesized!(pair in content);
                    let name = pair.parse()?;
                    pair.parse::<Token![,]>()?;
                    self.columns.push((name, pair.parse()?));
                    if !content.is_empty() {
                        content.parse::<Token![,]>()?;
                    }
                }
            }
            "sensitive" => self.sensitive = true,
            _ => {
                return Err(
                    meta.error("expected type, namespace, singular, aliases, columns or sensitive")
                );
            }
        }
        Ok(())
    }
}

/// The part of the naming rule that needs no knowledge of English; `Definition::validate` checks the rest.
fn check_type(ty: &LitStr) -> Result<()> {
    let value = ty.value();
    let named = value.split_once('.').is_some_and(|(name, suffix)| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && suffix.split('.').all(|label| {
                label.starts_with(|c: char| c.is_ascii_lowercase())
                    && label
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            })
    });
    if named {
        Ok(())
    } else {
        Err(Error::new(
            ty.span(),
            "expected a type such as \"LinkStatuses.net.garboard\"",
        ))
    }
}
