//! The JSON Schema of a document, for editors that complete and check YAML as it is written.
//!
//! It says what the shapes say: names, types, words, limits. What a text must be beyond that is in its description; the
//! reader alone decides.

use serde_json::{Map, Value, json};

use super::{Field, KindSchema, Record, Shape, summary};
use crate::API_VERSION;
use crate::document::Document;

/// The dialect the schema is written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a document of any kind, as JSON text.
#[must_use]
pub fn json() -> String {
    let schemas = Document::schemas();
    let definitions = schemas.iter().map(|it| (it.kind.to_owned(), document(it)));
    let kinds = schemas.iter().map(|it| {
        json!({
            "if": {"properties": {"kind": {"const": it.kind}}, "required": ["kind"]},
            "then": {"$ref": format!("#/$defs/{}", it.kind)},
        })
    });
    let words: Vec<&str> = schemas.iter().map(|it| it.kind).collect();
    let schema = json!({
        "$schema": DIALECT,
        "title": "A document of a Garboard machine config",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": words}},
        // With `if` an editor says what is wrong with the kind at hand, and not that none of all kinds fits.
        "allOf": kinds.collect::<Vec<_>>(),
        "$defs": Value::Object(definitions.collect()),
    });
    format!("{schema:#}\n")
}

fn document(schema: &KindSchema) -> Value {
    let mut value = shape(&schema.shape);
    if let Some(properties) = value.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("apiVersion".to_owned(), json!({"const": API_VERSION}));
        properties.insert("kind".to_owned(), json!({"const": schema.kind}));
    }
    if let Some(required) = value.get_mut("required").and_then(Value::as_array_mut) {
        required.insert(0, "apiVersion".into());
        required.insert(1, "kind".into());
    }
    value
}

fn shape(of: &Shape) -> Value {
    match of {
        Shape::Boolean => json!({"type": "boolean"}),
        // Larger than JSON can say; such a limit is the number's own and nobody reaches it by mistake.
        Shape::Integer { least, most } => {
            let limits = [("minimum", least), ("maximum", most)];
            let limits = limits.into_iter().filter_map(|(key, limit)| {
                Some((key.to_owned(), Value::from(i64::try_from(*limit).ok()?)))
            });
            let kind = ("type".to_owned(), json!("integer"));
            Value::Object(std::iter::once(kind).chain(limits).collect())
        }
        Shape::Text { about, secret } => {
            let mut text = json!({"type": "string", "description": summary(about)});
            if let (true, Some(text)) = (*secret, text.as_object_mut()) {
                text.insert("writeOnly".to_owned(), true.into());
            }
            text
        }
        Shape::Scalar { about } => {
            let types = ["string", "number", "boolean"];
            json!({"type": types, "description": summary(about)})
        }
        Shape::Choice { words, .. } => {
            let words: Vec<Value> = words
                .iter()
                .map(|it| json!({"const": it.word, "description": summary(it.about)}))
                .collect();
            json!({"oneOf": words})
        }
        Shape::List {
            of, least, most, ..
        } => {
            let mut list = json!({"type": "array", "items": shape(of)});
            let limits = [
                ("minItems", (*least > 0).then_some(*least)),
                ("maxItems", *most),
            ];
            for (key, limit) in limits {
                if let (Some(limit), Some(list)) = (limit, list.as_object_mut()) {
                    list.insert(key.to_owned(), limit.into());
                }
            }
            list
        }
        Shape::Map { of, .. } => json!({"type": "object", "additionalProperties": shape(of)}),
        Shape::Record(it) => record(it),
    }
}

fn record(record: &Record) -> Value {
    let required: Vec<&str> = record
        .fields
        .iter()
        .filter(|it| it.required)
        .map(|it| it.name)
        .collect();
    let properties: Map<String, Value> = record
        .fields
        .iter()
        .map(|it| (it.name.to_owned(), property(it)))
        .collect();
    json!({
        "type": "object",
        "description": record.summary(),
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn property(field: &Field) -> Value {
    let mut value = shape(&field.shape);
    if let Some(it) = value.as_object_mut() {
        let words = match it.get("description").and_then(Value::as_str) {
            Some(more) if !matches!(field.shape, Shape::Record(_)) => {
                format!("{} {more}", summary(field.about))
            }
            _ => summary(field.about),
        };
        it.insert("description".to_owned(), words.into());
        if let Some(default) = &field.default {
            it.insert("default".to_owned(), default.clone());
        }
    }
    value
}
