//! What shapes say of documents is so: of what is written, and of what the reader asks for.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod any;

use any::documents;
use config::schema::{KindSchema, Record, Shape};
use config::{Document, Documents};
use proptest::prelude::*;
use serde_json::Value;

/// A document as a value.
fn value(document: &Document) -> Value {
    let documents = Documents::new([document.clone()]).unwrap();
    // YAML 1.1 has more words for true and false, which a link may be called.
    let options = serde_yaml::options! { strict_booleans: true };
    serde_yaml::from_str_with_options(&documents.to_yaml().unwrap(), options).unwrap()
}

fn schema(document: &Document) -> KindSchema {
    let kind = document.identity().kind;
    let mut schemas = Document::schemas().into_iter();
    schemas.find(|it| it.kind == kind).unwrap()
}

fn record(schema: &KindSchema) -> &Record {
    match &schema.shape {
        Shape::Record(record) => record,
        other => panic!("{} is {other:?}", schema.kind),
    }
}

/// Whether a value is what a shape says.
fn fits(value: &Value, shape: &Shape) -> bool {
    match (value, shape) {
        (Value::Bool(_), Shape::Boolean) | (Value::String(_), Shape::Text { .. }) => true,
        (Value::Bool(_) | Value::Number(_) | Value::String(_), Shape::Scalar { .. }) => true,
        (Value::Number(it), Shape::Integer { least, most }) => it
            .as_i128()
            .is_some_and(|it| (*least..=*most).contains(&it)),
        (Value::String(it), Shape::Choice { words, .. }) => words.iter().any(|w| w.word == it),
        (
            Value::Array(items),
            Shape::List {
                of, least, most, ..
            },
        ) => {
            let count = *least..=most.unwrap_or(usize::MAX);
            count.contains(&items.len()) && items.iter().all(|it| fits(it, of))
        }
        (Value::Object(map), Shape::Map { of, .. }) => map.values().all(|it| fits(it, of)),
        (Value::Object(map), Shape::Record(record)) => {
            let known = map
                .iter()
                .all(|(key, it)| shape.field(key).is_some_and(|field| fits(it, field)));
            let required = record.fields.iter().filter(|it| it.required);
            known && required.into_iter().all(|it| map.contains_key(it.name))
        }
        _ => false,
    }
}

fn one() -> impl Strategy<Value = Document> {
    documents().prop_map(|it| it.iter().next().unwrap().clone())
}

proptest! {
    #[test]
    fn what_is_written_is_what_the_shape_says(document in one()) {
        let mut value = value(&document);
        let map = value.as_object_mut().unwrap();
        map.remove("apiVersion");
        map.remove("kind");
        prop_assert!(fits(&value, &schema(&document).shape), "{}", value);
    }

    #[test]
    fn what_must_be_there_is_what_the_reader_misses(document in one()) {
        for field in &record(&schema(&document)).fields {
            let mut value = value(&document);
            value.as_object_mut().unwrap().remove(field.name);
            // JSON is YAML.
            let read = config::parse("without", value.to_string().as_bytes());
            match read {
                Ok(_) => prop_assert!(!field.required, "{} may be left out", field.name),
                Err(problems) => {
                    prop_assert!(field.required, "{} must be there", field.name);
                    let missing = format!("missing field `{}`", field.name);
                    prop_assert!(problems.to_string().contains(&missing), "{}", problems);
                }
            }
        }
    }

    #[test]
    fn a_default_is_what_is_read_when_nothing_is_written(document in one()) {
        for field in &record(&schema(&document)).fields {
            let mut given = value(&document);
            given.as_object_mut().unwrap().remove(field.name);
            let Ok(read) = config::parse("without", given.to_string().as_bytes()) else {
                continue;
            };
            let found = value(read.iter().next().unwrap()).get(field.name).cloned();
            prop_assert_eq!(found, field.default.clone());
        }
    }
}
