//! The one style all YAML of this crate is written in: four spaces, as the contract's other implementation does it.

use serde::Serialize;

/// Writes a value; the error is what the writer said.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<String, String> {
    let options = serde_yaml::ser_options! {
        indent_step: 4,
        compact_list_indent: false,
    };
    serde_yaml::to_string_with_options(value, options).map_err(|error| error.to_string())
}

/// Appends a document as the value of a key that was just written, one level deeper than the key.
pub(crate) fn nest(yaml: &str, out: &mut String) {
    let yaml = yaml.strip_prefix("---\n").unwrap_or(yaml);
    match yaml.trim() {
        "" => out.push_str(" {}\n"),
        flow @ ("{}" | "[]" | "null") => out.push_str(&format!(" {flow}\n")),
        _ => {
            out.push('\n');
            for line in yaml.lines() {
                if !line.is_empty() {
                    out.push_str("    ");
                }
                out.push_str(line);
                out.push('\n');
            }
        }
    }
}
