//! Resources as rows of a table: which columns, and how a value reads in one.
//!
//! A table is to fit the 80 columns of a terminal with usual values; what is left out of one, `-o yaml` shows. So the
//! node is told only where there are several, and the version of a resource, which counts its changes, only where changes
//! are what is shown.

use store::Resource;
use store::meta::{PrintColumn, ResourceDefinition};

use crate::output;

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

/// A value as people read it. A field that counts bytes, or parts of a second, says so in its name, as every resource's
/// do; a point in time is one by its form.
fn readable(column: &PrintColumn, value: String) -> String {
    let field = column.json_path.rsplit('.').next().unwrap_or_default();
    let read = if field == "bytes" || field.ends_with("Bytes") {
        value.parse().ok().map(room)
    } else if field.ends_with("Nanos") {
        value.parse().ok().map(output::signed_span)
    } else if field.ends_with("Seconds") {
        value.parse().ok().map(|count: u64| format!("{count} s"))
    } else {
        value.parse().ok().map(output::second)
    };
    read.unwrap_or(value)
}

/// An amount of memory, or of a disk. Nothing has none: what says so is not there yet, as a partition to be made, or has
/// nothing in it, as a drive without a disc.
fn room(bytes: u64) -> String {
    match bytes {
        0 => "-".to_owned(),
        bytes => output::size(bytes),
    }
}

#[cfg(test)]
mod tests;
