//! Writes a tree as a "newc" cpio archive, the format the kernel unpacks as its first root.
//!
//! Inode numbers count from one in path order, devices and times are zero, so the bytes depend on
//! the tree alone. An archive whose headers carry times would differ with every build.

use std::io::Write;

use anyhow::{Context, Result};

use crate::tree::{Kind, Tree};

/// File type bits of folders, files and links, from `stat(2)`.
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// Name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// The kernel reads headers at multiples of this.
const ALIGN: usize = 4;

/// Writes `tree` to `out`.
///
/// # Errors
/// When a file cannot be read, is 4 GiB or more, or `out` fails.
pub fn write(tree: &Tree, out: &mut impl Write) -> Result<()> {
    let mut inode = 0;
    for (path, node) in tree.iter() {
        inode += 1;
        let (kind, data) = match &node.kind {
            Kind::Folder => (FOLDER, Vec::new()),
            Kind::File(source) => (FILE, source.read()?.into_owned()),
            Kind::Link(target) => (LINK, target.as_bytes().to_vec()),
        };
        let links = if kind == FOLDER { 2 } else { 1 };
        entry(out, path, [inode, kind | node.mode, links], &data)
            .with_context(|| format!("writing {path} into a cpio archive"))?;
    }
    entry(out, TRAILER, [0, 0, 1], &[]).context("ending a cpio archive")
}

fn entry(out: &mut impl Write, name: &str, inode_mode_links: [u32; 3], data: &[u8]) -> Result<()> {
    let [inode, mode, links] = inode_mode_links;
    let size = u32::try_from(data.len()).context("too large for the format")?;
    let name_size = u32::try_from(name.len() + 1).context("name too long")?;
    // Order: ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    let fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
    let mut header = String::from("070701");
    for field in fields {
        header.push_str(&format!("{field:08X}"));
    }
    header.push_str(name);
    header.push('\0');
    out.write_all(header.as_bytes())?;
    pad(out, header.len())?;
    out.write_all(data)?;
    pad(out, data.len())
}

/// Writes zeros from `length` to the next aligned place.
///
/// # Errors
/// When `out` fails.
pub fn pad(out: &mut impl Write, length: usize) -> Result<()> {
    let zeros = [0; ALIGN];
    let missing = length.next_multiple_of(ALIGN) - length;
    Ok(out.write_all(zeros.get(..missing).unwrap_or_default())?)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::tree::Source;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        tree.file("init", 0o755, Source::Bytes(b"hello".to_vec()))
            .unwrap();
        tree.folder("lib/modules").unwrap();
        tree.link("bin", "usr/bin").unwrap();
        tree
    }

    #[test]
    fn two_archives_are_the_same() {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        write(&sample(), &mut a).unwrap();
        write(&sample(), &mut b).unwrap();
        assert_eq!(a, b);
        assert_eq!(a.len() % ALIGN, 0);
    }

    #[test]
    fn cpio_itself_reads_it() {
        let mut archive = Vec::new();
        write(&sample(), &mut archive).unwrap();
        let mut child = Command::new("cpio")
            .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cpio is installed");
        child.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("lrwxrwxrwx   1 0        0"), "{text}");
        assert!(lines[0].ends_with("bin -> usr/bin"), "{text}");
        assert!(
            lines[1].starts_with("-rwxr-xr-x   1 0        0               5 Jan  1  1970 init"),
            "{text}"
        );
        assert_eq!(lines.len(), 4, "{text}");
    }
}
