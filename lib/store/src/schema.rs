//! The record of every field number ever used, and the check that none changes its meaning.
//!
//! The record is a text file next to the types, one row per field or enum number: `type path number label kind`. Rows
//! are only ever added: a field that is removed keeps its row, so that its number cannot come back as something else.

use std::collections::BTreeMap;
use std::fmt;

use crate::codec::{Descriptor, FieldInfo, Shape};

/// One field or enum number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The type's full name and the messages down to the field: `LinkStatuses.net.garboard/Route`.
    pub message: String,
    /// Its number there.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// How often it occurs, and its kind.
    pub kind: String,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.message, self.number, self.name, self.kind
        )
    }
}

/// What the check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A number stands for something else than the record says. Never accept this: use a new number.
    Changed {
        /// What the record says.
        recorded: Row,
        /// What the types say.
        current: Row,
    },
    /// A number is not recorded. Add the row.
    Unrecorded(Row),
    /// A line of the record is no row.
    Malformed(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { recorded, current } => {
                write!(
                    f,
                    "incompatible: recorded {recorded:?}, now {current:?}",
                    recorded = recorded.to_string(),
                    current = current.to_string()
                )
            }
            Self::Unrecorded(row) => write!(f, "add to the record: {row}"),
            Self::Malformed(line) => write!(f, "no row of a record: {line}"),
        }
    }
}

/// The rows of a message and all it contains, by number.
pub(crate) fn rows(path: &str, descriptor: &Descriptor) -> Vec<Row> {
    let mut out = Vec::new();
    let mut pending = vec![(path.to_owned(), *descriptor)];
    let mut seen = Vec::new();
    while let Some((message, descriptor)) = pending.pop() {
        if seen.contains(&message) {
            continue;
        }
        seen.push(message.clone());
        match descriptor.shape {
            Shape::Message(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|field| field.number);
                for field in fields {
                    out.push(Row {
                        message: message.clone(),
                        number: i64::from(field.number),
                        name: field.name.to_owned(),
                        kind: kind(field),
                    });
                    pending.extend(
                        (field.nested)().map(|inner| (format!("{path}/{}", inner.name), inner)),
                    );
                }
            }
            Shape::Enum(variants) => out.extend(variants.iter().map(|(name, number)| Row {
                message: message.clone(),
                number: i64::from(*number),
                name: (*name).to_owned(),
                kind: "enum number".to_owned(),
            })),
        }
    }
    out.sort_by(|a, b| (&a.message, a.number).cmp(&(&b.message, b.number)));
    out
}

fn kind(field: &FieldInfo) -> String {
    let (label, kind) = (field.label.as_str(), field.kind);
    match (field.nested)() {
        Some(inner) => format!("{label} {kind} {}", inner.name),
        None => format!("{label} {kind}"),
    }
}

/// The rows by place, or the first line that is none.
fn parse(text: &str) -> Result<BTreeMap<(String, i64), Row>, String> {
    let mut rows = BTreeMap::new();
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let malformed = || line.to_owned();
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().ok_or_else(malformed);
        let row = Row {
            message: word()?.to_owned(),
            number: word()?.parse().map_err(|_| malformed())?,
            name: word()?.to_owned(),
            kind: word()?.to_owned(),
        };
        rows.insert((row.message.clone(), row.number), row);
    }
    Ok(rows)
}

/// Compares the record with what [`Registry::schema`](crate::Registry::schema) says now. Empty means compatible and
/// complete.
#[must_use]
pub fn check(record: &str, current: &str) -> Vec<Finding> {
    let (record, current) = match (parse(record), parse(current)) {
        (Ok(record), Ok(current)) => (record, current),
        (Err(line), _) | (_, Err(line)) => return vec![Finding::Malformed(line)],
    };
    current
        .into_iter()
        .filter_map(|(key, current)| match record.get(&key) {
            None => Some(Finding::Unrecorded(current)),
            Some(recorded) if *recorded != current => Some(Finding::Changed {
                recorded: recorded.clone(),
                current,
            }),
            Some(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
