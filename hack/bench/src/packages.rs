//! How many crates are linked into each program on Linux, ours and the program's own included.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::row::{Row, Unit};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Every program with its budget.
const PROGRAMS: [(&str, &str, f64); 4] = [
    ("init", "garboard-init", 15.0),
    ("networkd", "garboard-networkd", 140.0),
    ("machined", "garboard-machined", 320.0),
    ("osctl", "garboard-cli", 360.0),
];

pub(crate) fn measure() -> Result<Vec<Row>> {
    PROGRAMS
        .into_iter()
        .map(|(name, package, most)| {
            let linked = f64::from(u32::try_from(linked(package)?).unwrap_or(u32::MAX));
            Ok(Row::new(format!("packages.{name}"), Unit::Packages, vec![linked]).budget(most))
        })
        .collect()
}

fn linked(package: &str) -> Result<usize> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--package", package, "--target", TARGET])
        .args([
            "--edges",
            "normal,no-proc-macro",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .context("starting cargo tree")?;
    ensure!(
        output.status.success(),
        "cargo tree of {package}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(count(&String::from_utf8_lossy(&output.stdout)))
}

/// A crate that several need is printed for each of them.
fn count(tree: &str) -> usize {
    let name = |line: &str| line.trim_end_matches(" (*)").trim().to_owned();
    tree.lines()
        .map(name)
        .filter(|it| !it.is_empty())
        .collect::<BTreeSet<_>>()
        .len()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_each_version_once() {
        assert_eq!(
            count("a v1.0.0 (/x)\nb v1.0.0\nb v1.0.0 (*)\nb v2.0.0\n\n"),
            3
        );
    }
}
