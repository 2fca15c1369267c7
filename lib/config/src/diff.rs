//! What is different between two configs, for people: line by line, document by document, without secrets.
//!
//! Documents are compared as they are written from their values, so comments and the way a value was written make no
//! difference, and defaults are seen.

use crate::document::{Document, Documents};

/// Lines that are shown around each change, to tell where it is; as `diff -u` has it.
const AROUND: usize = 3;

/// The largest table of lines by lines that is filled to find the fewest changes: past that, a document that was changed
/// all over is shown as gone and come.
const TABLE: usize = 1 << 20;

/// The differences as text: a line `@@ KIND `NAME` @@` for each document that comes, goes or changes, then its lines,
/// begun with `-`, `+` or a space. Empty when there are none. Secrets are redacted; where nothing else changed, it says so.
#[must_use]
pub fn diff(before: &Documents, after: &Documents) -> String {
    let other = |documents: &Documents, document: &Document| {
        let identity = document.identity();
        documents
            .iter()
            .find(|it| it.identity() == identity)
            .cloned()
    };
    let changed = after.iter().filter_map(|new| match other(before, new) {
        Some(old) if old == *new => None,
        old => Some(one(old, Some(new.clone()))),
    });
    let gone = before
        .iter()
        .filter(|old| other(after, old).is_none())
        .map(|old| one(Some(old.clone()), None));
    changed.chain(gone).collect()
}

fn one(old: Option<Document>, new: Option<Document>) -> String {
    let identity = old.iter().chain(&new).map(Document::identity).next();
    let name = identity.map(|it| it.to_string()).unwrap_or_default();
    let (old, new) = (old.map(shown), new.map(shown));
    let mut out = format!("@@ {name} @@\n");
    if old == new {
        out.push_str(" only secrets differ\n");
        return out;
    }
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    for (sign, line) in around(&edits(&old, &new)) {
        out.push(sign);
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn shown(mut document: Document) -> String {
    document.redact();
    // A document that YAML cannot say does not exist; were there one, it would be shown as empty.
    document.encode().unwrap_or_default()
}

type Edit<'a> = (char, &'a str);

/// The lines of both, each with what became of it.
fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Edit<'a>> {
    let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (head, old) = old.split_at(same);
    let new = new.get(same..).unwrap_or_default();
    let pairs = old.iter().rev().zip(new.iter().rev());
    let tail = pairs.take_while(|(a, b)| a == b).count();
    let (old, tail) = old.split_at(old.len() - tail);
    let new = new.get(..new.len() - tail.len()).unwrap_or_default();
    let kept = |lines: &[&'a str]| lines.iter().map(|line| (' ', *line)).collect::<Vec<_>>();
    [kept(head), middle(old, new), kept(tail)].concat()
}

/// As few changes as lead from one to the other, found by how many lines the rests have in common.
fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Edit<'a>> {
    let width = new.len() + 1;
    let mut table = vec![
        0_usize;
        if old.len() * new.len() > TABLE {
            0
        } else {
            (old.len() + 1) * width
        }
    ];
    let at = |table: &[usize], row: usize, column: usize| {
        table.get(row * width + column).copied().unwrap_or(0)
    };
    if !table.is_empty() {
        for (row, a) in old.iter().enumerate().rev() {
            for (column, b) in new.iter().enumerate().rev() {
                let common = match a == b {
                    true => at(&table, row + 1, column + 1) + 1,
                    false => at(&table, row + 1, column).max(at(&table, row, column + 1)),
                };
                if let Some(cell) = table.get_mut(row * width + column) {
                    *cell = common;
                }
            }
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut edits = Vec::new();
    loop {
        match (old.get(row), new.get(column)) {
            (Some(a), Some(b)) if a == b => {
                edits.push((' ', *a));
                (row, column) = (row + 1, column + 1);
            }
            (Some(a), b)
                if b.is_none() || at(&table, row + 1, column) >= at(&table, row, column + 1) =>
            {
                edits.push(('-', *a));
                row += 1;
            }
            (_, Some(b)) => {
                edits.push(('+', *b));
                column += 1;
            }
            (_, None) => return edits,
        }
    }
}

/// The changed lines with some lines around; what is left out is a line of dots.
fn around<'a>(edits: &[Edit<'a>]) -> Vec<Edit<'a>> {
    let changed: Vec<usize> = edits
        .iter()
        .enumerate()
        .filter_map(|(index, (sign, _))| (*sign != ' ').then_some(index))
        .collect();
    let mut out = Vec::new();
    let mut near = changed.iter().peekable();
    let mut left_out = false;
    for (index, edit) in edits.iter().enumerate() {
        while near.peek().is_some_and(|it| **it + AROUND < index) {
            near.next();
        }
        let shown = near.peek().is_some_and(|it| it.abs_diff(index) <= AROUND);
        if shown {
            out.push(*edit);
        } else if !left_out {
            out.push((' ', "..."));
        }
        left_out = !shown;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const API: &str = "apiVersion: garboard/v1alpha1\n";

    fn documents(text: &str) -> Documents {
        crate::parse("test", text.as_bytes()).expect("documents")
    }

    #[test]
    fn documents_come_go_and_change() {
        let before = documents(&format!(
            "{API}kind: Hostname\nhostname: a\n---\n{API}kind: Link\nname: eth0\nmtu: 1500\naddresses: [10.0.0.1/24, 10.0.0.2/24, 10.0.0.3/24]\n"
        ));
        let after = documents(&format!(
            "# other words, the same\n{API}kind: Link\nname: 'eth0'\nmtu: 9000\naddresses: [10.0.0.1/24, 10.0.0.2/24, 10.0.0.3/24]\n---\n{API}kind: Dhcp4\nname: eth1\n"
        ));
        assert_eq!(
            diff(&before, &after),
            "@@ Link `eth0` @@
 ...
 kind: Link
 name: eth0
 up: true
-mtu: 1500
+mtu: 9000
 addresses:
   - 10.0.0.1/24
   - 10.0.0.2/24
 ...
@@ Dhcp4 `eth1` @@
+apiVersion: garboard/v1alpha1
+kind: Dhcp4
+name: eth1
+enabled: true
+metric: 1024
@@ Hostname @@
-apiVersion: garboard/v1alpha1
-kind: Hostname
-hostname: a
"
        );
        assert_eq!(diff(&after, &after), "");
    }

    #[test]
    fn a_secret_is_not_shown_when_it_changes() {
        let trust = |key: &str| {
            let pem = |label: &str, text: &str| {
                format!("-----BEGIN {label}-----\n    {text}\n    -----END {label}-----\n")
            };
            documents(&format!(
                "{API}kind: ApiTrust\nca: |\n    {}issuer:\n  certificate: |\n    {}  key: |\n    {}",
                pem("CERTIFICATE", "AAAA"),
                pem("CERTIFICATE", "AAAA"),
                pem("PRIVATE KEY", key)
            ))
        };
        assert_eq!(
            diff(&trust("SECRET1"), &trust("SECRET2")),
            "@@ ApiTrust @@\n only secrets differ\n"
        );
        assert!(!diff(&Documents::default(), &trust("SECRET1")).contains("SECRET"));
    }

    proptest! {
        #[test]
        fn edits_lead_from_one_to_the_other(
            old in proptest::collection::vec("[ab]", 0..9),
            new in proptest::collection::vec("[ab]", 0..9),
        ) {
            let (old, new): (Vec<&str>, Vec<&str>) = (
                old.iter().map(String::as_str).collect(),
                new.iter().map(String::as_str).collect(),
            );
            let edits = edits(&old, &new);
            let side = |gone: char| -> Vec<&str> {
                edits.iter().filter(|it| it.0 != gone).map(|it| it.1).collect()
            };
            prop_assert_eq!(side('+'), old);
            prop_assert_eq!(side('-'), new);
        }
    }
}
