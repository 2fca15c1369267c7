//! The text of a patched config: what was not changed keeps its own to the byte.

use super::stream::Held;
use crate::emit;
use crate::tree::Tree;

/// Puts the text together of the pieces that documents had in `text` and new text for those that changed.
pub(super) fn assemble(text: &str, trees: &[Tree], held: &[Held]) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut out = String::new();
    for (number, it) in held.iter().enumerate() {
        let old = it.origin.and_then(|index| Some((index, trees.get(index)?)));
        let piece = match old {
            Some((index, tree)) => {
                let piece = piece(&lines, trees, index);
                if tree.node.says(&it.node) {
                    piece.concat()
                } else {
                    let first = tree.node.place.position.line;
                    head(piece, first - first_line(trees, index)) + &written(it)
                }
            }
            None => written(it),
        };
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        if number > 0 && !piece.starts_with("---") {
            out.push_str("---\n");
        }
        out.push_str(&piece);
    }
    out
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

/// What stands above the content of a document, which begins so many lines further: `---`, and comments.
fn head(piece: &[&str], above: usize) -> String {
    let head = piece.get(..above).unwrap_or_default().concat();
    let begins_beside = piece.get(above).is_some_and(|line| line.starts_with("---"));
    if begins_beside { head + "---\n" } else { head }
}
