//! The reference of all kinds as a page, made of the doc comments of their types.

use super::{Field, KindSchema, Record, Shape, lower_first, summary};
use crate::document::Document;

const HEAD: &str = "\
# The documents of a machine config

<!-- Made of the types in lib/config/src/kinds; GARBOARD_BLESS=1 cargo test -p garboard-config generated -->

Every document begins with `apiVersion: garboard/v1alpha1` and its `kind`. [config.md](config.md) says how documents make a config, and
how patches change it. [config.schema.json](config.schema.json) says the same to an editor; `osctl config
validate --schema` prints it.
";

/// The page.
#[must_use]
pub fn reference() -> String {
    let schemas = Document::schemas();
    let mut page = HEAD.to_owned();
    page.push_str("\n| kind | how many | |\n|---|---|---|\n");
    for it in &schemas {
        let count = match it.name {
            Some(name) => format!("one for each `{name}`"),
            None => "at most one".to_owned(),
        };
        let anchor = it.kind.to_lowercase();
        let about = it.shape.summary();
        let first = about.split_inclusive('.').next().unwrap_or_default();
        line(
            &mut page,
            &format!("| [`{}`](#{anchor}) | {count} | {first} |", it.kind),
        );
    }
    for it in &schemas {
        kind(&mut page, it);
    }
    page
}

fn kind(page: &mut String, schema: &KindSchema) {
    line(page, &format!("\n## {}\n", schema.kind));
    if let Shape::Record(it) = &schema.shape {
        line(page, &it.about);
        fields(page, it);
        below(page, schema.kind, it);
    }
}

fn fields(page: &mut String, record: &Record) {
    page.push_str("\n| field | holds | |\n|---|---|---|\n");
    for field in &record.fields {
        let name = match field.required {
            true => format!("`{}` (required)", field.name),
            false => format!("`{}`", field.name),
        };
        let about = one_line(field.about);
        let default = field.default.as_ref();
        let default = default.map_or_else(String::new, |it| format!(" Default: `{it}`."));
        let merge = match merge_key(field) {
            Some(key) => format!(" Patches merge it by `{key}`."),
            None => String::new(),
        };
        let holds = holds(&field.shape);
        line(
            page,
            &format!("| {name} | {holds} | {about}{default}{merge} |"),
        );
    }
}

/// The records that the fields of a record hold, each under the path that leads to it.
fn below(page: &mut String, path: &str, record: &Record) {
    for field in &record.fields {
        let (inner, path) = match &field.shape {
            Shape::List { of, .. } => (&**of, format!("{path}.{}[]", field.name)),
            Shape::Map { of, .. } => (&**of, format!("{path}.{}.*", field.name)),
            other => (other, format!("{path}.{}", field.name)),
        };
        if let Shape::Record(it) = inner {
            line(page, &format!("\n### `{path}`\n\n{}", it.about));
            fields(page, it);
            below(page, &path, it);
        }
    }
}

/// What a value is, in a few words.
fn holds(shape: &Shape) -> String {
    match shape {
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::Integer { least, most } => format!("a whole number, {least} to {most}"),
        Shape::Text { about, secret } => {
            let secret = if *secret { " A secret." } else { "" };
            format!("text: {}{secret}", lower_first(&one_line(&summary(about))))
        }
        Shape::Scalar { about } => {
            let about = lower_first(&one_line(&summary(about)));
            format!("text, a number, `true` or `false`: {about}")
        }
        Shape::Choice { words, .. } => {
            let words: Vec<String> = words
                .iter()
                .map(|it| {
                    format!(
                        "`{}`: {}",
                        it.word,
                        lower_first(&one_line(&summary(it.about)))
                    )
                })
                .collect();
            words.join(" ")
        }
        Shape::List {
            of, least, most, ..
        } => {
            let count = match (least, most) {
                (0, None) => String::new(),
                (0, Some(most)) => format!(" of at most {most}"),
                (least, None) => format!(" of at least {least}"),
                (least, Some(most)) => format!(" of {least} to {most}"),
            };
            format!("a list{count}; each {}", holds(of))
        }
        Shape::Map { keys, of } => {
            format!("a map; keys: {}; values: {}", holds(keys), holds(of))
        }
        Shape::Record(_) => "a map, see below".to_owned(),
    }
}

fn merge_key(field: &Field) -> Option<&'static str> {
    match &field.shape {
        Shape::List { merge_key, .. } => *merge_key,
        _ => None,
    }
}

/// A text in a cell of a table.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}
