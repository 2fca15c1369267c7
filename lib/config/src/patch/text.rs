//! The text of a patched config: what was not changed keeps its own to the byte.
//!
//! This cuts lines and puts them together again, which YAML has ways to make wrong. Who uses it reads what comes out and
//! compares, so a cut may be simple, and need not be right in every stream.

use std::sync::Arc;

use super::stream::Held;
use crate::emit;
use crate::node::{Entry, Node};
use crate::tree::Tree;

/// How much of a document that was changed keeps its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Its fields that were not changed.
    Fields,
    /// What stands above it.
    Head,
}

/// Puts the text together of the pieces that documents had in `text` and new text for what changed.
pub(super) fn assemble(text: &str, trees: &[Tree], held: &[Held], keep: Keep) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut out = String::new();
    for (number, it) in held.iter().enumerate() {
        let old = it.origin.and_then(|index| Some((index, trees.get(index)?)));
        let piece = match old {
            Some((index, tree)) => {
                let lines = piece(&lines, trees, index);
                let begin = first_line(trees, index);
                match keep {
                    _ if tree.node.says(&it.node) => lines.concat(),
                    Keep::Fields => fields(lines, begin, &tree.node, &it.node)
                        .unwrap_or_else(|| anew(lines, begin, tree, it)),
                    Keep::Head => anew(lines, begin, tree, it),
                }
            }
            None => written(it),
        };
        end_line(&mut out);
        if number > 0 && !piece.starts_with("---") {
            out.push_str("---\n");
        }
        out.push_str(&piece);
    }
    out
}

fn end_line(out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
}

fn written(held: &Held) -> String {
    emit::document(held.node.entries().unwrap_or_default())
}

/// The number of a document's first line; the first document has all that comes before it.
fn first_line(trees: &[Tree], index: usize) -> usize {
    match index {
        0 => 1,
        _ => trees.get(index).map_or(1, |tree| tree.line),
    }
}

/// The lines of a document, with what stands between it and the next.
fn piece<'a>(lines: &'a [&'a str], trees: &[Tree], index: usize) -> &'a [&'a str] {
    let begin = first_line(trees, index) - 1;
    let end = trees
        .get(index + 1)
        .map_or(lines.len(), |next| next.line - 1);
    lines.get(begin..end.max(begin)).unwrap_or_default()
}

/// A document below what stood above its content: `---`, and comments.
fn anew(lines: &[&str], begin: usize, tree: &Tree, held: &Held) -> String {
    let above = tree.node.place.position.line - begin;
    let head = lines.get(..above).unwrap_or_default().concat();
    let begins_beside = lines.get(above).is_some_and(|line| line.starts_with("---"));
    let head = if begins_beside { head + "---\n" } else { head };
    head + &written(held)
}

/// A document whose fields begin a line each, with the lines of those that were not changed.
fn fields(lines: &[&str], begin: usize, old: &Node, new: &Node) -> Option<String> {
    let entries = old.entries()?;
    let starts: Vec<usize> = entries
        .iter()
        .map(|it| it.place.position.line.checked_sub(begin))
        .collect::<Option<_>>()?;
    let in_lines = entries.iter().all(|it| it.place.position.column == 1);
    if !in_lines || !starts.is_sorted_by(|a, b| a < b) {
        return None;
    }
    let mut out = lines.get(..*starts.first()?)?.concat();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    let mut rest: &[&str] = &[];
    for ((entry, start), end) in entries.iter().zip(&starts).zip(ends) {
        out.push_str(&rest.concat());
        let (own, after) = lines
            .get(*start..end)?
            .split_at(own_lines(lines.get(*start..end)?));
        match new.get(&entry.key) {
            Some(value) if value.says(&entry.value) => out.push_str(&own.concat()),
            Some(value) => out.push_str(&one(entry, value)),
            None => {}
        }
        rest = after;
    }
    end_line(&mut out);
    let come = new.entries().unwrap_or_default().iter();
    for entry in come.filter(|it| old.get(&it.key).is_none()) {
        out.push_str(&one(entry, &entry.value));
    }
    Some(out + &rest.concat())
}

/// How many lines are a field's own: comments and empty lines below it belong to what follows.
fn own_lines(lines: &[&str]) -> usize {
    let foreign = |line: &&&str| line.starts_with('#') || line.trim().is_empty();
    lines.len() - lines.iter().rev().take_while(foreign).count()
}

fn one(entry: &Entry, value: &Arc<Node>) -> String {
    emit::document(&[Entry {
        value: Arc::clone(value),
        ..entry.clone()
    }])
}
