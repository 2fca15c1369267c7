//! The codec of an enum without data.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Expr, ExprLit, ExprUnary, Fields, Lit, LitInt, Result, UnOp, Variant,
};

use crate::fields::no_generics;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    no_generics(input)?;
    let Data::Enum(data) = &input.data else {
        return Err(Error::new(input.span(), "expected an enum"));
    };
    let numbers = data
        .variants
        .iter()
        .map(number)
        .collect::<Result<Vec<i32>>>()?;
    let zero = data
        .variants
        .iter()
        .zip(&numbers)
        .find(|(_, number)| **number == 0);
    let Some((zero, _)) = zero else {
        let message = "one variant must be 0: it is what leaving the field out means";
        return Err(Error::new(input.span(), message));
    };
    let (ident, zero) = (&input.ident, &zero.ident);
    let name = ident.to_string();
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let names = variants.iter().map(ToString::to_string);
    Ok(quote! {
        #[automatically_derived]
        impl ::store::codec::Scalar for #ident {
            const WIRE: ::store::codec::WireType = ::store::codec::WireType::Varint;
            const KIND: &'static str = "enum";

            fn nested() -> ::std::option::Option<::store::codec::Descriptor> {
                ::std::option::Option::Some(::store::codec::Descriptor {
                    name: #name,
                    shape: ::store::codec::Shape::Enum(&[#((#names, #numbers)),*]),
                })
            }

            fn absent() -> ::std::option::Option<Self> {
                ::std::option::Option::Some(Self::#zero)
            }

            fn is_absent(&self) -> bool {
                ::std::matches!(self, Self::#zero)
            }

            fn write(&self, out: &mut ::std::vec::Vec<u8>) {
                let number: i32 = match self {
                    #(Self::#variants => #numbers,)*
                };
                ::store::codec::Scalar::write(&number, out);
            }

            fn read(
                wire: ::store::codec::WireType,
                input: &mut &[u8],
                depth: ::store::codec::Depth,
            ) -> ::std::result::Result<Self, ::store::codec::DecodeError> {
                match <i32 as ::store::codec::Scalar>::read(wire, input, depth)? {
                    #(#numbers => ::std::result::Result::Ok(Self::#variants),)*
                    number => ::std::result::Result::Err(::store::codec::DecodeError::UnknownVariant {
                        name: #name,
                        number: ::std::convert::From::from(number),
                    }),
                }
            }
        }
    })
}

fn number(variant: &Variant) -> Result<i32> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new(
            variant.span(),
            "a variant with data has no number",
        ));
    }
    let missing = || Error::new(variant.span(), "write the variant's number: `Up = 1`");
    let (_, expression) = variant.discriminant.as_ref().ok_or_else(missing)?;
    match expression {
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => {
            let positive = literal(expr).ok_or_else(missing)?;
            format!("-{}", positive.base10_digits())
                .parse()
                .map_err(|error| Error::new(positive.span(), error))
        }
        other => literal(other).ok_or_else(missing)?.base10_parse(),
    }
}

fn literal(expression: &Expr) -> Option<&LitInt> {
    match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Int(literal),
            ..
        }) => Some(literal),
        _ => None,
    }
}
