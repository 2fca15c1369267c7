//! The fields of a struct and their written numbers.

use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitInt, Result, Type};

/// Numbers protobuf keeps for itself, and the largest it can write.
const RESERVED: std::ops::RangeInclusive<u32> = 19_000..=19_999;
const LARGEST: u32 = (1 << 29) - 1;

/// One field.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) number: u32,
}

/// All fields, by number.
pub(crate) fn parse(input: &DeriveInput) -> Result<Vec<Field<'_>>> {
    no_generics(input)?;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.span(), "expected a struct"));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new(
            input.span(),
            "expected a struct with named fields",
        ));
    };
    let mut fields: Vec<Field<'_>> = Vec::new();
    for field in &named.named {
        let ident = field
            .ident
            .as_ref()
            .ok_or_else(|| Error::new(field.span(), "expected a named field"))?;
        let number = number(field)?;
        if let Some(twin) = fields.iter().find(|other| other.number == number) {
            let message = format!("number {number} is taken by field `{}`", twin.ident);
            return Err(Error::new(field.span(), message));
        }
        fields.push(Field {
            ident,
            ty: &field.ty,
            number,
        });
    }
    fields.sort_by_key(|field| field.number);
    Ok(fields)
}

pub(crate) fn no_generics(input: &DeriveInput) -> Result<()> {
    if input.generics.params.is_empty() {
        Ok(())
    } else {
        let message = "a spec has one wire form, so it cannot be generic";
        Err(Error::new(input.generics.span(), message))
    }
}

fn number(field: &syn::Field) -> Result<u32> {
    let mut found = None;
    for attribute in &field.attrs {
        if attribute.path().is_ident("field") {
            let literal: LitInt = attribute.parse_args()?;
            let number: u32 = literal.base10_parse()?;
            if found.replace(number).is_some() {
                return Err(Error::new(attribute.span(), "the field has two numbers"));
            }
            if number == 0 || number > LARGEST || RESERVED.contains(&number) {
                let message = format!("{number} is no field number in protobuf");
                return Err(Error::new(literal.span(), message));
            }
        }
    }
    found.ok_or_else(|| Error::new(field.span(), "write the field's number: #[field(1)]"))
}
