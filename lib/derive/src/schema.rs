//! What a type of the machine config looks like in YAML, from the declaration that serde reads as well.
//!
//! Names and defaults are taken from the serde attributes and texts from the doc comments, so there is no second list
//! to keep. An attribute of serde that this cannot follow is an error, not a schema that says something else.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Expr, ExprPath, Field, Fields, LitStr, Meta,
    Result, Type,
};

use crate::fields::no_generics;
use crate::names::Case;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    no_generics(input)?;
    let container = Container::parse(&input.attrs)?;
    let about = doc(&input.attrs);
    let shape = match (&container.scalar, &container.read_from, &input.data) {
        (Some(scalar), ..) => scalar.shape(&about),
        (None, Some(other), _) => quote! {
            <#other as ::config::schema::Schema>::shape().about(#about)
        },
        (None, None, Data::Struct(data)) => record(input, &container, &about, &data.fields)?,
        (None, None, Data::Enum(data)) => choice(&container, &about, data)?,
        (None, None, Data::Union(_)) => {
            return Err(Error::new(input.span(), "a union has no schema"));
        }
    };
    let (ident, redact) = (&input.ident, redact(&input.data, &container)?);
    Ok(quote! {
        #[automatically_derived]
        impl ::config::schema::Schema for #ident {
            fn shape() -> ::config::schema::Shape {
                #shape
            }

            fn redact(&mut self) {
                #redact
            }
        }
    })
}

/// What takes the secrets out of a value: a secret gives way, and a struct has them taken out of its fields, which are
/// its own also where it is read from another type.
fn redact(data: &Data, container: &Container) -> Result<TokenStream> {
    match (&container.scalar, data) {
        (Some(Scalar::Text { secret: true }), _) => Ok(quote!(*self = Self::redacted();)),
        (Some(_), _) => Ok(TokenStream::new()),
        (None, Data::Struct(data)) => {
            let fields = data.fields.members();
            Ok(quote!(#(::config::schema::Schema::redact(&mut self.#fields);)*))
        }
        (None, Data::Enum(data)) => {
            let full = data.variants.iter().find(|it| !it.fields.is_empty());
            match full {
                Some(variant) => {
                    let message = "no secret could be taken out of a variant with data";
                    Err(Error::new(variant.span(), message))
                }
                None => Ok(TokenStream::new()),
            }
        }
        (None, Data::Union(data)) => {
            Err(Error::new(data.union_token.span, "a union has no schema"))
        }
    }
}

fn record(
    input: &DeriveInput,
    container: &Container,
    about: &str,
    fields: &Fields,
) -> Result<TokenStream> {
    let Fields::Named(named) = fields else {
        let message =
            "say what it is in YAML: #[schema(text)] or #[schema(integer, least = .., most = ..)]";
        return Err(Error::new(input.span(), message));
    };
    if !container.closed {
        let message = "a document refuses what it does not know: #[serde(deny_unknown_fields)]";
        return Err(Error::new(input.span(), message));
    }
    let fields = named
        .named
        .iter()
        .map(|field| record_field(container, field))
        .collect::<Result<Vec<_>>>()?;
    Ok(quote! {
        ::config::schema::Shape::Record(::config::schema::Record {
            about: #about.into(),
            fields: ::std::vec![#(#fields),*],
        })
    })
}

fn record_field(container: &Container, field: &Field) -> Result<TokenStream> {
    let attributes = FieldAttributes::parse(&field.attrs)?;
    let ident = field.ident.as_ref();
    let ident = ident.ok_or_else(|| Error::new(field.span(), "expected a named field"))?;
    let name = attributes
        .rename
        .unwrap_or_else(|| container.case.field(&ident.to_string()));
    let about = doc(&field.attrs);
    if about.is_empty() {
        let message = "the reference is made of doc comments: say what the field is for";
        return Err(Error::new(field.span(), message));
    }
    let ty = &field.ty;
    let (required, default) = match attributes.absent {
        Absent::Nothing => (quote!(<#ty as ::config::schema::Schema>::REQUIRED), none()),
        Absent::Empty => (quote!(false), none()),
        Absent::Default(path) => (quote!(false), quote!(::config::schema::written(&#path()))),
    };
    let key = attributes.merge_key.map(|key| quote!(.keyed(#key)));
    let least = attributes.least.map(|least| quote!(.at_least(#least)));
    let most = attributes.most.map(|most| quote!(.at_most(#most)));
    Ok(quote! {
        ::config::schema::Field {
            name: #name,
            about: #about,
            required: #required,
            default: #default,
            shape: <#ty as ::config::schema::Schema>::shape() #key #least #most,
        }
    })
}

fn none() -> TokenStream {
    quote!(::std::option::Option::None)
}

fn choice(container: &Container, about: &str, data: &DataEnum) -> Result<TokenStream> {
    let words = data.variants.iter().map(|variant| {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "a choice is between words: no variant holds data";
            return Err(Error::new(variant.span(), message));
        }
        let word = container.case.variant(&variant.ident.to_string());
        let about = doc(&variant.attrs);
        Ok(quote!(::config::schema::Word { word: #word, about: #about }))
    });
    let words = words.collect::<Result<Vec<_>>>()?;
    Ok(quote! {
        ::config::schema::Shape::Choice {
            about: #about.into(),
            words: ::std::vec![#(#words),*],
        }
    })
}

/// The text of the doc comments, one leading space of each line gone.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let Expr::Lit(literal) = &pair.value else {
            return None;
        };
        match &literal.lit {
            syn::Lit::Str(text) if pair.path.is_ident("doc") => Some(text.value()),
            _ => None,
        }
    });
    let lines: Vec<String> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).to_owned())
        .collect();
    lines.join("\n").trim().to_owned()
}

/// A type that is a single value in YAML.
enum Scalar {
    Text { secret: bool },
    Integer { least: Box<Expr>, most: Box<Expr> },
}

impl Scalar {
    fn shape(&self, about: &str) -> TokenStream {
        match self {
            Self::Text { secret } => quote! {
                ::config::schema::Shape::Text { about: #about.into(), secret: #secret }
            },
            Self::Integer { least, most } => quote! {
                ::config::schema::Shape::Integer {
                    least: ::std::primitive::i128::from(#least),
                    most: ::std::primitive::i128::from(#most),
                }
            },
        }
    }
}

/// What the attributes of a type say.
#[derive(Default)]
struct Container {
    case: Case,
    closed: bool,
    read_from: Option<Type>,
    scalar: Option<Scalar>,
}

impl Container {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut it = Self::default();
        let (mut text, mut secret, mut integer) = (false, false, None);
        let (mut least, mut most) = (None, None);
        for attribute in attributes {
            if attribute.path().is_ident("serde") {
                attribute.parse_nested_meta(|meta| it.serde(&meta))?;
            } else if attribute.path().is_ident("schema") {
                attribute.parse_nested_meta(|meta| {
                    match word(&meta).as_str() {
                        "text" => text = true,
                        "secret" => secret = true,
                        "integer" => integer = Some(meta.path.span()),
                        "least" => least = Some(meta.value()?.parse()?),
                        "most" => most = Some(meta.value()?.parse()?),
                        _ => return Err(meta.error("a type is `text`, with `secret`, or `integer`, with `least` and `most`")),
                    }
                    Ok(())
                })?;
            }
        }
        it.scalar = match (integer, least, most) {
            (Some(_), Some(least), Some(most)) => Some(Scalar::Integer {
                least: Box::new(least),
                most: Box::new(most),
            }),
            (Some(span), ..) => {
                return Err(Error::new(span, "an integer has a `least` and a `most`"));
            }
            (None, ..) => text.then_some(Scalar::Text { secret }),
        };
        Ok(it)
    }

    fn serde(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match word(meta).as_str() {
            "rename_all" => self.case = Case::parse(&meta.value()?.parse()?)?,
            "deny_unknown_fields" => self.closed = true,
            "try_from" | "from" => {
                let ty: LitStr = meta.value()?.parse()?;
                self.read_from = Some(ty.parse()?);
            }
            // How it is written says nothing about how it may be read.
            "into" => drop(meta.value()?.parse::<LitStr>()?),
            _ => return Err(meta.error("the schema cannot follow this attribute of serde")),
        }
        Ok(())
    }
}

/// What a field holds when it is not written.
#[derive(Default)]
enum Absent {
    /// Nothing, if its type has that.
    #[default]
    Nothing,
    /// The type's own default.
    Empty,
    /// What this function says.
    Default(ExprPath),
}

/// What the attributes of a field say.
#[derive(Default)]
struct FieldAttributes {
    rename: Option<String>,
    absent: Absent,
    merge_key: Option<LitStr>,
    least: Option<Expr>,
    most: Option<Expr>,
}

impl FieldAttributes {
    fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut it = Self::default();
        for attribute in attributes {
            if attribute.path().is_ident("serde") {
                attribute.parse_nested_meta(|meta| it.serde(&meta))?;
            } else if attribute.path().is_ident("schema") {
                attribute.parse_nested_meta(|meta| it.schema(&meta))?;
            }
        }
        Ok(it)
    }

    fn serde(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match word(meta).as_str() {
            "rename" => self.rename = Some(meta.value()?.parse::<LitStr>()?.value()),
            "default" if meta.input.peek(syn::Token![=]) => {
                self.absent = Absent::Default(meta.value()?.parse::<LitStr>()?.parse()?);
            }
            "default" => self.absent = Absent::Empty,
            // These change how a value is read or written, not what it looks like.
            "skip_serializing_if" | "deserialize_with" => {
                drop(meta.value()?.parse::<LitStr>()?);
            }
            _ => return Err(meta.error("the schema cannot follow this attribute of serde")),
        }
        Ok(())
    }

    fn schema(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match word(meta).as_str() {
            "merge_key" => self.merge_key = Some(meta.value()?.parse()?),
            "least" => self.least = Some(meta.value()?.parse()?),
            "most" => self.most = Some(meta.value()?.parse()?),
            _ => return Err(meta.error("a field may have a `merge_key`, `least` and `most`")),
        }
        Ok(())
    }
}

fn word(meta: &ParseNestedMeta<'_>) -> String {
    meta.path
        .get_ident()
        .map(ToString::to_string)
        .unwrap_or_default()
}
