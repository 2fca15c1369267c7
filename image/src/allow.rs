//! Compares every executable of the root with a list written by hand.
//!
//! The list is a promise to the reader: these programs and no others can run on a node. A program
//! that is not listed, a listed one that is gone, a setuid bit, a script, a dynamic program and a
//! known shell or interpreter each fail the build.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use crate::tree::{Kind, Node, Tree};

/// The list: `PATH  # reason`.
pub const LIST: &str = include_str!("../allow/executables.txt");

/// Names that must not be in the root, whatever the list says.
const BANNED: &[&str] = &[
    "ash", "awk", "bash", "busybox", "csh", "dash", "fish", "gawk", "ksh", "lua", "mawk", "nc",
    "node", "perl", "php", "python", "python3", "ruby", "sed", "sh", "socat", "su", "sudo",
    "tclsh", "toybox", "zsh",
];

/// Bits that run a program as somebody else.
const SET_ID: u32 = 0o6000;

/// Any permission to execute.
const EXECUTE: u32 = 0o111;

/// Checks `tree` against `list`.
///
/// # Errors
/// With every finding, one per line.
pub fn check(tree: &Tree, list: &str) -> Result<()> {
    let mut allowed = parse(list)?;
    let mut findings = Vec::new();
    for (path, node) in tree.iter() {
        let name = path.rsplit('/').next().unwrap_or(path);
        if BANNED.contains(&name) {
            findings.push(format!("{path}: shells and interpreters are not allowed"));
        }
        if node.mode & SET_ID != 0 {
            findings.push(format!("{path}: setuid and setgid are not allowed"));
        }
        if let Some(kind) = executable(path, node)? {
            if allowed.remove(path).is_none() {
                findings.push(format!(
                    "{path}: executable, but not in allow/executables.txt"
                ));
            }
            findings.extend(kind.map(|problem| format!("{path}: {problem}")));
        }
    }
    findings.extend(
        allowed
            .keys()
            .map(|path| format!("{path}: in allow/executables.txt, but not in the root")),
    );
    ensure!(
        findings.is_empty(),
        "the root is not what the list says:\n  {}",
        findings.join("\n  ")
    );
    Ok(())
}

/// `None` for what cannot be executed, else what is wrong with it.
fn executable(path: &str, node: &Node) -> Result<Option<Option<&'static str>>> {
    let Kind::File(source) = &node.kind else {
        return Ok(None);
    };
    let bytes = source.read().with_context(|| format!("checking {path}"))?;
    // What the kernel would run counts with or without the permission: that is one chmod away.
    let elf = program(&bytes);
    let script = bytes.starts_with(b"#!");
    if node.mode & EXECUTE == 0 && !elf && !script {
        return Ok(None);
    }
    Ok(Some(match (elf, script) {
        (_, true) => Some("a script needs an interpreter"),
        (true, _) if dynamic(&bytes) => Some("not static: it asks for a dynamic linker"),
        (true, _) => None,
        (false, false) => Some("executable, but not an ELF program"),
    }))
}

/// Whether this processor could run an ELF file. Modules are relocatable (type 1) and some firmware
/// is for another machine than x86 in 64 (62) or 32 (3) bits.
fn program(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
        && bytes.get(16..18) != Some(&[1, 0])
        && matches!(bytes.get(18..20), Some([62 | 3, 0]))
}

/// Whether a 64-bit ELF program names an interpreter (segment type 3).
fn dynamic(bytes: &[u8]) -> bool {
    use object::read::elf::{FileHeader, ProgramHeader};
    let Ok(header) = object::elf::FileHeader64::<object::Endianness>::parse(bytes) else {
        return true;
    };
    let Ok(endian) = header.endian() else {
        return true;
    };
    let Ok(segments) = header.program_headers(endian, bytes) else {
        return true;
    };
    segments
        .iter()
        .any(|s| s.p_type(endian) == object::elf::PT_INTERP)
}

fn parse(list: &str) -> Result<BTreeMap<&str, &str>> {
    let mut allowed = BTreeMap::new();
    for line in list
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        let (path, reason) = line.split_once('#').unwrap_or((line, ""));
        ensure!(
            !reason.trim().is_empty(),
            "allow/executables.txt: no reason in {line:?}"
        );
        if allowed.insert(path.trim(), reason.trim()).is_some() {
            bail!("allow/executables.txt: {:?} twice", path.trim());
        }
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Source;

    fn tree(path: &str, mode: u32, bytes: &[u8]) -> Tree {
        let mut tree = Tree::default();
        tree.file(path, mode, Source::Bytes(bytes.to_vec()))
            .unwrap();
        tree
    }

    /// The start of a static program: a header of 64 bytes without segments.
    fn elf(kind: u8) -> Vec<u8> {
        let mut out = vec![0; 64];
        out[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        out[16] = kind;
        out[18] = 62;
        out[20] = 1;
        out[52] = 64;
        out[54] = 56;
        out
    }

    fn finding(tree: &Tree, list: &str) -> String {
        check(tree, list).unwrap_err().to_string()
    }

    #[test]
    fn a_listed_static_program_passes() {
        check(&tree("usr/bin/x", 0o755, &elf(3)), "usr/bin/x # the reason").unwrap();
        check(&tree("m.ko", 0o644, &elf(1)), "").unwrap();
        check(&tree("etc/text", 0o644, b"text"), "").unwrap();
    }

    #[test]
    fn everything_else_is_found() {
        let program = tree("usr/bin/x", 0o755, &elf(2));
        assert!(finding(&program, "").contains("not in allow"));
        assert!(finding(&Tree::default(), "usr/bin/x # r").contains("not in the root"));
        assert!(finding(&tree("usr/bin/x", 0o644, &elf(2)), "").contains("not in allow"));
        assert!(finding(&tree("usr/bin/x", 0o4755, &elf(2)), "usr/bin/x # r").contains("setuid"));
        assert!(finding(&tree("bin/sh", 0o755, &elf(2)), "bin/sh # r").contains("shells"));
        assert!(finding(&tree("a", 0o644, b"#!/x"), "a # r").contains("script"));
        assert!(finding(&tree("a", 0o755, b"text"), "a # r").contains("not an ELF"));
        let mut link = Tree::default();
        link.link("usr/bin/bash", "init").unwrap();
        assert!(finding(&link, "").contains("shells"));
    }

    #[test]
    fn a_program_of_the_host_is_dynamic() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        assert!(finding(&tree("x", 0o755, &bytes), "x # r").contains("not static"));
    }

    #[test]
    fn every_line_has_a_reason() {
        assert!(parse(LIST).unwrap().len() >= 3);
        assert!(parse("usr/bin/x").is_err());
        assert!(parse("usr/bin/x # a\nusr/bin/x # b").is_err());
    }
}
