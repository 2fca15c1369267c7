//! The codec of a struct: `store::codec::Message`, and `Scalar` so that it can be part of another.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DeriveInput, Result};

use crate::fields::{Field, parse};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = parse(input)?;
    let ident = &input.ident;
    let name = ident.to_string();
    let infos = fields.iter().map(info);
    let encode = fields.iter().map(|Field { ident, ty, number }| {
        quote!(<#ty as ::store::codec::Field>::encode(&self.#ident, #number, out);)
    });
    let decode = decode(&name, &fields);
    Ok(quote! {
        #[automatically_derived]
        impl ::store::codec::Message for #ident {
            const DESCRIPTOR: ::store::codec::Descriptor = ::store::codec::Descriptor {
                name: #name,
                shape: ::store::codec::Shape::Message(&[#(#infos),*]),
            };

            fn encode_to(&self, out: &mut ::std::vec::Vec<u8>) {
                #(#encode)*
                let _ = out;
            }

            fn decode_from(
                input: &[u8],
                depth: ::store::codec::Depth,
            ) -> ::std::result::Result<Self, ::store::codec::DecodeError> {
                #decode
            }
        }

        #[automatically_derived]
        impl ::store::codec::Scalar for #ident {
            const WIRE: ::store::codec::WireType = ::store::codec::WireType::LengthDelimited;
            const KIND: &'static str = "message";

            fn nested() -> ::std::option::Option<::store::codec::Descriptor> {
                ::std::option::Option::Some(<Self as ::store::codec::Message>::DESCRIPTOR)
            }

            fn absent() -> ::std::option::Option<Self> {
                <Self as ::store::codec::Message>::decode(&[]).ok()
            }

            fn is_absent(&self) -> bool {
                false
            }

            fn write(&self, out: &mut ::std::vec::Vec<u8>) {
                ::store::codec::write_message(self, out);
            }

            fn read(
                wire: ::store::codec::WireType,
                input: &mut &[u8],
                depth: ::store::codec::Depth,
            ) -> ::std::result::Result<Self, ::store::codec::DecodeError> {
                ::store::codec::read_message(wire, input, depth)
            }
        }
    })
}

fn info(Field { ident, ty, number }: &Field<'_>) -> TokenStream {
    let name = ident.to_string();
    let name = name.trim_start_matches("r#");
    quote! {
        ::store::codec::FieldInfo {
            name: #name,
            number: #number,
            label: <#ty as ::store::codec::Field>::LABEL,
            kind: <#ty as ::store::codec::Field>::KIND,
            nested: <#ty as ::store::codec::Field>::nested,
        }
    }
}

/// A slot per field, filled by the loop over keys, emptied into the struct.
fn decode(message: &str, fields: &[Field<'_>]) -> TokenStream {
    let slots: Vec<_> = (0..fields.len())
        .map(|n| format_ident!("slot{n}"))
        .collect();
    let declare = fields.iter().zip(&slots).map(|(Field { ty, .. }, slot)| {
        quote!(let mut #slot: ::std::option::Option<#ty> = ::std::option::Option::None;)
    });
    let names = fields.iter().map(|field| field.ident.to_string());
    let merge = fields.iter().zip(&slots).zip(names.clone()).map(
        |((Field { ty, number, .. }, slot), name)| {
            quote! {
                #number => match <#ty as ::store::codec::Field>::merge(&mut #slot, wire, input, depth) {
                    ::std::result::Result::Ok(()) => ::std::result::Result::Ok(true),
                    ::std::result::Result::Err(error) => {
                        ::std::result::Result::Err(error.within(#message, #name))
                    }
                }
            }
        },
    );
    let finish = fields.iter().zip(&slots).zip(names).map(|((Field { ident, .. }, slot), name)| {
        quote!(#ident: ::store::codec::finish(#slot, #message, #name)?)
    });
    quote! {
        #(#declare)*
        ::store::codec::decode_fields(input, |number, wire, input| {
            let _ = (wire, &input, depth);
            match number {
                #(#merge,)*
                _ => ::std::result::Result::Ok(false),
            }
        })?;
        ::std::result::Result::Ok(Self { #(#finish),* })
    }
}
