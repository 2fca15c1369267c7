//! Trees into YAML text: block style, the values as their writer wrote them.
//!
//! Unlike the writer of typed documents this adds nothing that was not written, no defaults. What it writes may be
//! trusted no further than it reads back: who uses it compares.

use std::net::IpAddr;
use std::sync::Arc;

use crate::node::{Entry, Node, Value};

/// The text of a document, which is a map.
pub(crate) fn document(entries: &[Entry]) -> String {
    map(entries, 0)
}

fn map(entries: &[Entry], indent: usize) -> String {
    let mut out = String::new();
    for entry in entries {
        let key = match is_plain(&entry.key) && !is_ambiguous(&entry.key) {
            true => entry.key.clone(),
            false => quoted(&entry.key),
        };
        out.push_str(&" ".repeat(indent));
        out.push_str(&key);
        out.push(':');
        out.push_str(&match &entry.value.value {
            Value::Map(entries) if !entries.is_empty() => {
                format!("\n{}", map(entries, indent + 2))
            }
            Value::List(items) if !items.is_empty() => format!("\n{}", list(items, indent + 2)),
            _ => format!(" {}\n", single(&entry.value, indent + 2)),
        });
    }
    out
}

fn list(items: &[Arc<Node>], indent: usize) -> String {
    let mut out = String::new();
    let spaces = " ".repeat(indent);
    for item in items {
        let below = match &item.value {
            Value::Map(entries) if !entries.is_empty() => map(entries, indent + 2),
            Value::List(items) if !items.is_empty() => list(items, indent + 2),
            _ => format!("{spaces}  {}\n", single(item, indent + 2)),
        };
        // The first line's indentation makes room for the dash.
        out.push_str(&spaces);
        out.push_str("- ");
        out.push_str(below.get(indent + 2..).unwrap_or_default());
    }
    out
}

/// What fits behind a key or a dash.
fn single(node: &Node, indent: usize) -> String {
    match &node.value {
        Value::Map(_) => "{}".to_owned(),
        Value::List(_) => "[]".to_owned(),
        _ if node.is_null() => "null".to_owned(),
        Value::Scalar { text, plain } => {
            if is_plain(text) && (*plain || !is_ambiguous(text)) {
                return text.clone();
            }
            literal(text, indent).unwrap_or_else(|| quoted(text))
        }
    }
}

/// Several lines as a block, where a block can say them.
fn literal(text: &str, indent: usize) -> Option<String> {
    let head = match text.strip_suffix('\n') {
        Some(rest) if rest.ends_with('\n') => return None,
        Some(_) => "|",
        None => "|-",
    };
    let printable = text.chars().all(|it| it == '\n' || is_printable(it));
    let several = text.trim_end_matches('\n').contains('\n');
    if !several || !printable || text.starts_with([' ', '\n']) {
        return None;
    }
    let spaces = " ".repeat(indent);
    let mut out = head.to_owned();
    for line in text.lines() {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&spaces);
            out.push_str(line);
        }
    }
    Some(out)
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            it if is_printable(it) => out.push(it),
            it => out.push_str(&format!("\\U{:08X}", u32::from(it))),
        }
    }
    out.push('"');
    out
}

/// Whether a character stands in a YAML text as itself, wherever it is.
fn is_printable(letter: char) -> bool {
    let odd = matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}')
        || u32::from(letter) & 0xfffe == 0xfffe;
    !letter.is_control() && !odd
}

/// Whether a text can stand without quotes, behind a key as well as before one. Narrower than YAML, which allows more.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let word = |it: &u8| it.is_ascii_alphanumeric() || *it == b'_';
    let begins = match bytes {
        [b'-', next, ..] => next.is_ascii_digit(),
        [first, ..] => word(first) || matches!(first, b'/' | b'.'),
        [] => false,
    };
    let inside = bytes.iter().enumerate().all(|(index, it)| match it {
        // Only between words do these two mean nothing else.
        b':' => bytes.get(index + 1).is_some_and(|next| *next != b' '),
        b' ' => bytes.get(index + 1).is_some_and(word),
        it => word(it) || matches!(it, b'/' | b'.' | b'-' | b'+' | b'@' | b'%' | b'='),
    });
    begins && inside && text != "..."
}

/// Whether a text without quotes may mean something else than itself: to this reader, or to one of YAML 1.1, which has
/// numbers in base sixty, dates, and more words for true and false.
fn is_ambiguous(text: &str) -> bool {
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let numeric = |it: u8| it.is_ascii_digit() || matches!(it, b':' | b'_' | b'.' | b'-' | b'+');
    words.iter().any(|it| text.eq_ignore_ascii_case(it))
        || text.parse::<f64>().is_ok()
        || (text.bytes().all(numeric) && text.parse::<IpAddr>().is_err())
        || text.starts_with("0x")
        || text.starts_with("0o")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::problem::{Place, Position};
    use crate::tree;

    const PLACE: Place = Place {
        text: 0,
        position: Position { line: 1, column: 1 },
    };

    fn node(value: Value) -> Arc<Node> {
        Arc::new(Node::new(value, PLACE))
    }

    fn map(pairs: Vec<(String, Arc<Node>)>) -> Value {
        let mut seen = std::collections::BTreeSet::new();
        let pairs = pairs.into_iter();
        let fresh = pairs.filter(|(key, _)| seen.insert(key.clone()));
        let entry = |(key, value)| Entry {
            key,
            place: PLACE,
            value,
        };
        Value::Map(fresh.map(entry).collect())
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z0-9./:-]{0,12}",
            "[ \n\t:#'\"\\\\&*!|>%@`?,{}\\[\\]ab-]{0,10}",
            "([a-zA-Z0-9+/=: -]{0,9}\n){1,4}",
            any::<String>(),
            "null|~|true|no|-5|0x10|1:30|1e3|\u{feff}a|\u{85}|\u{2028}|\u{ffff}|- a|---|\\.\\.\\.",
        ]
    }

    fn any_node() -> impl Strategy<Value = Arc<Node>> {
        let single = text().prop_map(|text| node(Value::Scalar { text, plain: false }));
        single.prop_recursive(4, 24, 4, |below| {
            prop_oneof![
                proptest::collection::vec(below.clone(), 0..4).prop_map(|it| node(Value::List(it))),
                proptest::collection::vec((text(), below), 0..4).prop_map(|it| node(map(it))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(key in text(), value in any_node()) {
            prop_assume!(key.len() <= 256);
            let whole = node(map(vec![(key, value)]));
            let written = document(whole.entries().unwrap_or_default());
            let read = tree::read(&written, 0);
            let read = read.unwrap_or_else(|it| panic!("{}: {written}", it.message));
            prop_assert_eq!(read.len(), 1, "{}", written);
            prop_assert!(read.iter().all(|it| it.node.says(&whole)), "{}", written);
        }
    }
}
