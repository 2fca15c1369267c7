//! One config with a document of every kind, for people to begin with: the examples of the kinds themselves.

use super::{KindSchema, Shape};
use crate::document::Document;

/// What the page begins with; a comment of YAML.
const HEAD: &str = "\
# A document of every kind, each as its own description has it; keep what you need.
# What the fields mean is in config-reference.md. Certificates and keys here are no real ones: `osctl gen config` makes those.
# Made of the types; GARBOARD_BLESS=1 cargo test -p garboard-config generated
";

/// All kinds in one stream.
#[must_use]
pub fn example() -> String {
    let mut page = HEAD.to_owned();
    for schema in Document::schemas() {
        let (about, text) = parts(&schema);
        page.push_str(&format!("---\n# {about}\n{text}"));
    }
    page
}

/// The first sentence of what is said of a kind, in one line, and its example.
fn parts(schema: &KindSchema) -> (String, String) {
    let about = match &schema.shape {
        Shape::Record(record) => &record.about,
        _ => return (schema.kind.to_owned(), String::new()),
    };
    let words = about.split_inclusive('.').next().unwrap_or_default();
    let words: Vec<&str> = words.split_whitespace().collect();
    let example = about
        .lines()
        .skip_while(|line| line.trim() != "```yaml")
        .skip(1)
        .take_while(|line| line.trim() != "```")
        .map(|line| format!("{line}\n"));
    (words.join(" "), example.collect())
}
