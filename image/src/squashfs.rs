//! Writes a tree as a SquashFS image with the locked `gensquashfs`.
//!
//! The program gets a sorted listing with every owner, mode and source, so nothing of the host's
//! file system (order, owners, times) can get into the image.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::tools::{Tools, run};
use crate::tree::{Kind, Source, Tree};

/// zstd's level: 19 over 15 gains under one percent for four times the time.
const LEVEL: &str = "level=15";

/// The line by which gensquashfs stores all files as they are, in the order that they have anyway.
const STORED: &str = "0 [glob_no_path,dont_compress] *\n";

/// Bytes per block: a page fault reads and unpacks one of these.
const BLOCK: &str = "131072";

/// Whether the bytes of files are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// They are.
    Compressed,
    /// They are left as they are, for they are compressed already.
    Stored,
}

/// Writes `tree` to `out`, using `stage` for the files that are only in memory.
///
/// # Errors
/// When a path cannot be written in a listing, or gensquashfs fails.
pub fn write(tools: &Tools, tree: &Tree, files: Files, stage: &Path, out: &Path) -> Result<()> {
    let listing = listing(tree, stage)?;
    let path = stage.join("listing");
    std::fs::write(&path, listing).context("writing the listing")?;
    let mut command = tools.command("usr/bin/gensquashfs", "gensquashfs");
    command
        .arg("--pack-file")
        .arg(&path)
        .arg("--pack-dir")
        .arg("/");
    if files == Files::Stored {
        let order = stage.join("order");
        std::fs::write(&order, STORED).context("writing the order")?;
        command.arg("--sort-file").arg(order);
    }
    command.args([
        "--compressor",
        "zstd",
        "--comp-extra",
        LEVEL,
        "--block-size",
        BLOCK,
    ]);
    command
        .args(["--defaults", "mtime=0,uid=0,gid=0,mode=0755", "--quiet"])
        .arg(out);
    run(command, "gensquashfs").map(drop)
}

fn listing(tree: &Tree, stage: &Path) -> Result<String> {
    let mut out = String::new();
    for (number, (path, node)) in tree.iter().enumerate() {
        let mode = node.mode;
        let name = quote(path)?;
        match &node.kind {
            Kind::Folder => writeln!(out, "dir {name} {mode:04o} 0 0")?,
            Kind::Link(target) => writeln!(out, "slink {name} {mode:04o} 0 0 {}", rest(target)?)?,
            Kind::File(source) => {
                let from = match source {
                    Source::Path(path) => path.clone(),
                    Source::Bytes(bytes) => {
                        let path = stage.join(format!("bytes-{number}"));
                        std::fs::write(&path, bytes)
                            .with_context(|| format!("writing {}", path.display()))?;
                        path
                    }
                };
                let from = from
                    .canonicalize()
                    .with_context(|| format!("finding {}", from.display()))?;
                let from = from.to_str().context("a source path is not UTF-8")?;
                writeln!(out, "file {name} {mode:04o} 0 0 {}", rest(from)?)?;
            }
        }
    }
    Ok(out)
}

/// What ends a line of the listing, which is taken as it stands; the format has no escape for control characters.
fn rest(text: &str) -> Result<&str> {
    ensure!(!text.is_empty(), "an empty path");
    ensure!(
        !text.chars().any(char::is_control),
        "{text:?} holds a control character"
    );
    Ok(text)
}

/// A word of the listing.
fn quote(text: &str) -> Result<String> {
    let text = rest(text)?;
    if text.contains([' ', '"', '\\']) {
        return Ok(format!(
            "\"{}\"",
            text.replace('\\', "\\\\").replace('"', "\\\"")
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_is_explicit_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let stage = folder.path().join("with a space");
        std::fs::create_dir(&stage).unwrap();
        let mut tree = Tree::default();
        tree.file("usr/bin/a b", 0o755, Source::Bytes(vec![1]))
            .unwrap();
        tree.link("bin", "usr/a bin").unwrap();
        tree.folder_mode("tmp", 0o1777).unwrap();
        let text = listing(&tree, &stage).unwrap();
        let file = stage.canonicalize().unwrap().join("bytes-4");
        let wanted = format!(
            "slink bin 0777 0 0 usr/a bin\ndir tmp 1777 0 0\ndir usr 0755 0 0\ndir usr/bin 0755 0 0\n\
             file \"usr/bin/a b\" 0755 0 0 {}\n",
            file.display()
        );
        assert_eq!(text, wanted);
        assert!(quote("a\nb").is_err());
    }
}
