//! From the archive's index to a lock: picks the roots of every set and follows their dependencies.
//!
//! Takes the first alternative of a dependency that the index holds, and the first provider of a
//! virtual package. That is less than apt does and enough here: nothing is installed, programs are
//! only unpacked and run. Pure; the index comes from `apt`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use crate::lock::{Package, SETS, Set};

/// The fields of one package in the index.
type Stanza<'a> = BTreeMap<&'a str, &'a str>;

/// A parsed `Packages` file.
#[derive(Debug)]
pub struct Archive<'a> {
    packages: BTreeMap<&'a str, Stanza<'a>>,
    providers: BTreeMap<&'a str, &'a str>,
}

/// The packages of every set, and the names in each.
type Locked = (
    BTreeMap<String, BTreeSet<String>>,
    BTreeMap<String, Package>,
);

impl<'a> Archive<'a> {
    /// Parses the text of `Packages` files. Continuation lines are ignored.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let mut packages = BTreeMap::new();
        let mut providers = BTreeMap::new();
        for block in text.split("\n\n") {
            let stanza: Stanza<'a> = block
                .lines()
                .filter(|l| !l.starts_with(' '))
                .filter_map(|l| l.split_once(':'))
                .map(|(k, v)| (k, v.trim()))
                .collect();
            let Some(name) = stanza.get("Package").copied() else {
                continue;
            };
            for virtual_name in stanza
                .get("Provides")
                .into_iter()
                .flat_map(|p| p.split(','))
            {
                providers.entry(bare(virtual_name)).or_insert(name);
            }
            packages.insert(name, stanza);
        }
        Self {
            packages,
            providers,
        }
    }

    /// Resolves every set.
    ///
    /// # Errors
    /// When a root or a dependency is not in the index, or a field is missing.
    pub fn lock(&self) -> Result<Locked> {
        let mut sets = BTreeMap::new();
        let mut packages = BTreeMap::new();
        for set in SETS {
            let names = self.resolve(set)?;
            for name in &names {
                packages.insert(name.clone(), self.package(name)?);
            }
            sets.insert(set.name.to_owned(), names);
        }
        Ok((sets, packages))
    }

    fn resolve(&self, set: &Set) -> Result<BTreeSet<String>> {
        let mut todo = Vec::new();
        for root in set.roots {
            todo.push(self.root(root)?);
        }
        let mut done = BTreeSet::new();
        while let Some(name) = todo.pop() {
            if !done.insert(name.to_owned()) || !set.closure {
                continue;
            }
            for field in ["Pre-Depends", "Depends"] {
                let wanted = self.packages.get(name).and_then(|s| s.get(field));
                for clause in wanted.into_iter().flat_map(|w| w.split(',')) {
                    todo.push(
                        self.choose(clause)
                            .with_context(|| format!("needed by {name}"))?,
                    );
                }
            }
        }
        Ok(done)
    }

    /// The newest package that fits a root, where `*` stands for anything without a dash.
    fn root(&self, pattern: &str) -> Result<&'a str> {
        let fits = |name: &str| match pattern.split_once('*') {
            None => name == pattern,
            Some((head, tail)) => name
                .strip_prefix(head)
                .and_then(|rest| rest.strip_suffix(tail))
                .is_some_and(|middle| !middle.contains('-')),
        };
        self.packages
            .keys()
            .copied()
            .filter(|name| fits(name))
            .max_by(|a, b| natural(a, b))
            .with_context(|| format!("the archive has no package {pattern}"))
    }

    fn choose(&self, clause: &str) -> Result<&'a str> {
        for alternative in clause.split('|').map(bare) {
            if let Some((name, _)) = self.packages.get_key_value(alternative) {
                return Ok(name);
            }
            if let Some(provider) = self.providers.get(alternative) {
                return Ok(provider);
            }
        }
        bail!("the archive has nothing for {:?}", clause.trim())
    }

    fn package(&self, name: &str) -> Result<Package> {
        let stanza = self
            .packages
            .get(name)
            .with_context(|| format!("no package {name}"))?;
        let field = |key: &str| {
            stanza
                .get(key)
                .map(|v| (*v).to_owned())
                .with_context(|| format!("{name} has no {key}"))
        };
        let source = stanza.get("Source").map_or(name, |s| bare(s)).to_owned();
        Ok(Package {
            version: field("Version")?,
            source,
            path: field("Filename")?,
            sha256: field("SHA256")?,
            size: field("Size")?
                .parse()
                .with_context(|| format!("size of {name}"))?,
        })
    }
}

/// The name in a dependency, without version, architecture or blanks.
fn bare(clause: &str) -> &str {
    let clause = clause.trim();
    let end = clause.find([' ', '(', ':', '[']).unwrap_or(clause.len());
    clause.get(..end).unwrap_or(clause)
}

/// Compares runs of digits as numbers, everything else as bytes.
fn natural(a: &str, b: &str) -> Ordering {
    let parts = |s: &str| {
        let mut out: Vec<(u64, String)> = Vec::new();
        for c in s.chars() {
            match (c.to_digit(10), out.last_mut()) {
                (Some(d), Some((n, text))) if text.is_empty() => {
                    *n = n.saturating_mul(10).saturating_add(u64::from(d));
                }
                (Some(d), _) => out.push((u64::from(d), String::new())),
                (None, _) => out.push((0, c.to_string())),
            }
        }
        out
    };
    parts(a).cmp(&parts(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "Package: tool\nVersion: 1\nDepends: lib (>= 2), ghost | real:any, virt\n\
        Filename: pool/t\nSHA256: aa\nSize: 3\nSource: src (1.0)\nDescription: x\n more: y\n\n\
        Package: lib\nVersion: 2\nFilename: pool/l\nSHA256: bb\nSize: 4\n\n\
        Package: real\nVersion: 3\nFilename: pool/r\nSHA256: cc\nSize: 5\n\n\
        Package: some\nProvides: virt (= 1), other\nVersion: 3\nFilename: pool/s\nSHA256: dd\nSize: 5\n\n\
        Package: k-6.9+a-amd64\nVersion: 1\n\nPackage: k-6.10+a-amd64\nVersion: 1\n\n\
        Package: k-6.11+a-cloud-amd64\nVersion: 1\n";

    #[test]
    fn closure_follows_alternatives_and_providers() {
        let archive = Archive::parse(INDEX);
        let set = Set {
            name: "s",
            roots: &["tool"],
            closure: true,
        };
        let names = archive.resolve(&set).unwrap();
        assert_eq!(
            names.into_iter().collect::<Vec<_>>(),
            ["lib", "real", "some", "tool"]
        );
        let package = archive.package("tool").unwrap();
        assert_eq!((package.source.as_str(), package.size), ("src", 3));
    }

    #[test]
    fn a_pattern_takes_the_newest_of_its_flavour() {
        let archive = Archive::parse(INDEX);
        assert_eq!(archive.root("k-6.*-amd64").unwrap(), "k-6.10+a-amd64");
        assert!(archive.root("k-7.*-amd64").is_err());
    }

    #[test]
    fn a_missing_dependency_names_who_needs_it() {
        let archive = Archive::parse("Package: a\nDepends: nothing\n");
        let set = Set {
            name: "s",
            roots: &["a"],
            closure: true,
        };
        let error = format!("{:#}", archive.resolve(&set).unwrap_err());
        assert!(
            error.contains("needed by a") && error.contains("nothing"),
            "{error}"
        );
    }
}
