//! Resources as rows of a table: which columns, and how a value reads in one.
//!
//! A table is to fit the 80 columns of a terminal with usual values; what is left out of one, `-o yaml` shows. So the
//! node is told only where there are several, and the version of a resource, which counts its changes, only where changes
//! are what is shown.

use store::Resource;
use store::meta::{PrintColumn, ResourceDefinition};

/// The headings of a type's own columns.
pub(super) fn headings(definition: &ResourceDefinition) -> impl Iterator<Item = &str> {
    definition
        .print_columns
        .iter()
        .map(|column| column.name.as_str())
}

/// The values of a resource in its type's own columns.
pub(super) fn cells(definition: &ResourceDefinition, resource: &Resource) -> Vec<String> {
    let yaml = resource.spec.yaml().unwrap_or_default();
    let columns = &definition.print_columns;
    let values = store::columns(yaml, columns.iter().map(|column| column.json_path.as_str()));
    let cells = columns.iter().zip(values);
    cells
        .map(|(column, value)| readable(column, value))
        .collect()
}

/// A value as people read it. A field that counts bytes says so in its name, as every resource's do.
fn readable(column: &PrintColumn, value: String) -> String {
    let field = column.json_path.rsplit('.').next().unwrap_or_default();
    match value.parse() {
        Ok(count) if field == "bytes" || field.ends_with("Bytes") => size(count),
        _ => value,
    }
}

/// An amount of memory in the largest unit there is one of, rounded down to a tenth.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = "B";
    let mut tenths = u128::from(bytes) * 10;
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, tenth) => format!("{whole}.{tenth} {unit}"),
    }
}

#[cfg(test)]
mod tests;
