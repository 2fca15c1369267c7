//! Compares every executable of a tree, the root or a container image, with a list written by hand.
//!
//! The list is a promise to the reader: these programs and no others can run there. A program
//! that is not listed, a listed one that is gone or of another kind, a library that is missing or that
//! nobody asks for, a setuid bit, a script and a known shell or interpreter each fail the build.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

use crate::elf::{self, Links};
use crate::tree::{Kind, Node, Tree};

/// A list: lines of `SORT PATH  # reason`.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// Its place in this crate, for messages.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// The list of the root.
pub const ROOT: List<'_> = List {
    file: "allow/executables.txt",
    text: include_str!("../allow/executables.txt"),
};

/// Where the loader looks for libraries: Debian's has no other folder of ours built in.
pub const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Names that must not be there, whatever the list says.
const BANNED: &[&str] = &[
    "ash", "awk", "bash", "busybox", "csh", "dash", "fish", "gawk", "ksh", "lua", "mawk", "nc",
    "node", "perl", "php", "python", "python3", "ruby", "sed", "sh", "socat", "su", "sudo",
    "tclsh", "toybox", "zsh",
];

/// Bits that run a program as somebody else.
const SET_ID: u32 = 0o6000;

/// Any permission to execute.
const EXECUTE: u32 = 0o111;

/// What a file of the list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// A program that asks for nothing.
    Static,
    /// A program that asks for a loader and libraries, which are there.
    Dynamic,
    /// The loader or a library, for a program or for another library.
    Library,
}

/// Checks `tree` against `list`.
///
/// # Errors
/// With every finding, one per line.
pub fn check(tree: &Tree, list: List<'_>) -> Result<()> {
    let List { file, text } = list;
    let mut allowed = parse(text).with_context(|| file.to_owned())?;
    let mut findings = Vec::new();
    let (mut libraries, mut asked_for) = (BTreeSet::new(), BTreeSet::new());
    for (path, node) in tree.iter() {
        let name = path.rsplit('/').next().unwrap_or(path);
        if BANNED.contains(&name) {
            findings.push(format!("{path}: shells and interpreters are not allowed"));
        }
        if node.mode & SET_ID != 0 {
            findings.push(format!("{path}: setuid and setgid are not allowed"));
        }
        let Some(links) = executable(path, node)? else {
            continue;
        };
        let sort = allowed.remove(path);
        if sort.is_none() {
            findings.push(format!("{path}: executable, but not in {file}"));
        }
        if sort == Some(Sort::Library) {
            libraries.insert(path.to_owned());
        }
        match links {
            Err(problem) => findings.push(format!("{path}: {problem}")),
            Ok(links) => {
                let misfit = sort.and_then(|sort| misfit(sort, &links));
                findings.extend(misfit.map(|problem| format!("{path}: {problem}")));
                for wanted in wanted(&links) {
                    match tree.resolve(&wanted) {
                        Some(found) => drop(asked_for.insert(found)),
                        None => {
                            findings.push(format!("{path}: needs {wanted}, which is not there"))
                        }
                    }
                }
            }
        }
    }
    let useless = libraries.difference(&asked_for);
    findings.extend(useless.map(|path| format!("{path}: a library that nothing here asks for")));
    findings.extend(
        allowed
            .keys()
            .map(|path| format!("{path}: in {file}, but not in the tree")),
    );
    ensure!(
        findings.is_empty(),
        "the files are not what {file} says:\n  {}",
        findings.join("\n  ")
    );
    Ok(())
}

/// `None` for what cannot be executed, else what it asks for, or what is wrong with it.
fn executable(path: &str, node: &Node) -> Result<Option<Result<Links, String>>> {
    let Kind::File(source) = &node.kind else {
        return Ok(None);
    };
    let bytes = source.read().with_context(|| format!("checking {path}"))?;
    // What the kernel would run counts with or without the permission: that is one chmod away.
    let elf = elf::runs(&bytes);
    let script = bytes.starts_with(b"#!");
    if node.mode & EXECUTE == 0 && !elf && !script {
        return Ok(None);
    }
    Ok(Some(match (elf, script) {
        (_, true) => Err("a script needs an interpreter".to_owned()),
        (true, _) => elf::links(&bytes).map_err(|error| format!("not readable: {error:#}")),
        (false, false) => Err("executable, but not an ELF program".to_owned()),
    }))
}

/// The paths of what an executable asks for.
fn wanted(links: &Links) -> Vec<String> {
    let loader = links.interpreter.iter().map(String::as_str);
    let libraries = links.needed.iter().map(|name| match name.as_str() {
        // The loader is in memory already when a library asks for it.
        name if name.starts_with("ld-linux") => format!("lib64/{name}"),
        name => format!("{LIBRARIES}/{name}"),
    });
    loader.map(str::to_owned).chain(libraries).collect()
}

/// Why a file is not of the sort that the list says.
fn misfit(sort: Sort, links: &Links) -> Option<&'static str> {
    let asks = links.interpreter.is_some() || !links.needed.is_empty();
    match sort {
        Sort::Static if asks => Some("not static: it asks for a loader or libraries"),
        Sort::Dynamic if links.interpreter.is_none() => Some("not dynamic: it asks for no loader"),
        Sort::Static | Sort::Dynamic | Sort::Library => None,
    }
}

fn parse(list: &str) -> Result<BTreeMap<&str, Sort>> {
    let mut allowed = BTreeMap::new();
    for line in list
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        let (entry, reason) = line.split_once('#').unwrap_or((line, ""));
        ensure!(!reason.trim().is_empty(), "no reason in {line:?}");
        let mut words = entry.split_whitespace();
        let sort = match words.next() {
            Some("static") => Sort::Static,
            Some("dynamic") => Sort::Dynamic,
            Some("library") => Sort::Library,
            _ => bail!("neither static, dynamic nor library: {line:?}"),
        };
        let (Some(path), None) = (words.next(), words.next()) else {
            bail!("not one path in {line:?}");
        };
        if allowed.insert(path, sort).is_some() {
            bail!("{path:?} twice");
        }
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests;
