//! No output that is for everybody depends on a secret.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod any;

use any::documents;
use config::schema::Shape;
use config::{Document, Documents};
use proptest::prelude::*;
use serde_json::Value;

const OTHER: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

/// Of 32 bytes in base64.
const OTHER_BYTES: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Of Kubernetes.
const OTHER_OBJECT: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";

/// Documents as values, and back: JSON is YAML.
fn values(documents: &Documents) -> Vec<Value> {
    let options = serde_yaml::options! { strict_booleans: true };
    serde_yaml::from_multiple_with_options(&documents.to_yaml().unwrap(), options).unwrap()
}

fn read(values: &[Value]) -> Documents {
    let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
    config::parse("values", texts.join("\n---\n").as_bytes()).unwrap()
}

fn shape(value: &Value) -> Shape {
    let mut schemas = Document::schemas().into_iter();
    schemas.find(|it| value["kind"] == it.kind).unwrap().shape
}

/// Does something to every secret of a value.
fn each_secret(value: &mut Value, shape: &Shape, with: &mut impl FnMut(&mut String)) {
    match (value, shape) {
        (Value::String(text), Shape::Text { secret: true, .. }) => with(text),
        (Value::Array(items), Shape::List { of, .. }) => {
            items.iter_mut().for_each(|it| each_secret(it, of, with));
        }
        (Value::Object(map), _) => {
            for (key, it) in map.iter_mut() {
                if let Some(below) = shape.field(key) {
                    each_secret(it, below, with);
                }
            }
        }
        _ => {}
    }
}

/// The secrets of a config, and the config with others in their place.
fn exchanged(documents: &Documents) -> (Vec<String>, Documents) {
    let mut values = values(documents);
    let mut secrets = Vec::new();
    for value in &mut values {
        let shape = shape(value);
        each_secret(value, &shape, &mut |text| {
            let other = match &**text {
                it if it.starts_with("-----") => OTHER,
                it if it.starts_with("apiVersion") => OTHER_OBJECT,
                _ => OTHER_BYTES,
            };
            secrets.push(std::mem::replace(text, other.to_owned()));
        });
    }
    (secrets, read(&values))
}

proptest! {
    #[test]
    fn what_is_shown_does_not_depend_on_a_secret(documents in documents()) {
        let (secrets, other) = exchanged(&documents);
        let shown = |it: &Documents| it.redacted().to_yaml().unwrap();
        prop_assert_eq!(shown(&documents), shown(&other));
        prop_assert_eq!(shown(&documents).matches(config::REDACTED).count(), secrets.len());
        prop_assert_eq!(format!("{documents:?}"), format!("{other:?}"));
        let diff = config::diff(&documents, &other);
        let said = diff.lines().filter(|it| !it.starts_with("@@"));
        for line in said {
            prop_assert_eq!(line, " only secrets differ");
        }
        let none = Documents::default();
        prop_assert_eq!(config::diff(&none, &documents), config::diff(&none, &other));
        // And nothing else is taken out.
        let (_, same) = exchanged(&other);
        prop_assert_eq!(same, other);
    }

    #[test]
    fn no_complaint_repeats_a_key(
        documents in documents().prop_filter("with a key", |it| !exchanged(it).0.is_empty()),
        at in any::<prop::sample::Index>(),
        with in proptest::collection::vec("[-?,\\[\\]{}#&*!|>'\"%@` \n\t]", 0..4),
        drop in 0..40_usize,
    ) {
        let text = documents.to_yaml().unwrap();
        let from = at.index(text.len());
        let cut = (from..).find(|it| text.is_char_boundary(*it)).unwrap();
        let rest = text.get(cut + drop..).unwrap_or_default();
        let damaged = format!("{}{}{rest}", &text[..cut], with.concat());
        let told = match config::check("damaged", damaged.as_bytes()) {
            Ok(_) => return Ok(()),
            Err(problems) => problems.to_string(),
        };
        for secret in exchanged(&documents).0 {
            // Shorter pieces are words of the message as well. A key in one line is known by its length alone: what is left of it
            // when it was cut shorter may be shown, and more of it is missing than anybody could guess.
            let length = if secret.starts_with("-----") { 8 } else { 24 };
            for line in secret.lines().filter(|it| !it.starts_with("-----")) {
                for piece in line.as_bytes().windows(length) {
                    let piece = std::str::from_utf8(piece).unwrap();
                    prop_assert!(!told.contains(piece), "{}", told);
                }
            }
        }
    }
}
