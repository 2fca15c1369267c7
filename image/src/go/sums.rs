//! The checksums of modules, as `go.sum` holds them.
//!
//! A line is a module, a version and a hash; `/go.mod` after the version means that file alone, else all of the
//! module's files. Only the hash of a `go.mod` is made here: it is what holds our copies of upstream's to the pins.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::hex;

/// The hashes of a `go.sum` by `path version`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<String, String>);

impl Sums {
    /// Parses the text of a `go.sum`.
    ///
    /// # Errors
    /// When a line is not a module, a version and a hash.
    pub fn parse(text: &str) -> Result<Self> {
        let mut sums = BTreeMap::new();
        for line in text.lines() {
            let (module, hash) = line
                .rsplit_once(' ')
                .filter(|(module, hash)| module.contains(' ') && hash.starts_with("h1:"))
                .with_context(|| format!("not a checksum: {line}"))?;
            sums.insert(module.to_owned(), hash.to_owned());
        }
        Ok(Self(sums))
    }

    /// The hash of all files of a module.
    #[must_use]
    pub fn module(&self, path: &str, version: &str) -> Option<&str> {
        self.0.get(&format!("{path} {version}")).map(String::as_str)
    }

    /// The hash of a module's `go.mod`.
    #[must_use]
    pub fn mod_file(&self, path: &str, version: &str) -> Option<&str> {
        self.module(path, &format!("{version}/go.mod"))
    }
}

/// The hash of a `go.mod` with this text: that of a list with its only file.
#[must_use]
pub fn of_mod_file(text: &str) -> String {
    let list = format!("{}  go.mod\n", hex(&Sha256::digest(text)));
    format!("h1:{}", BASE64.encode(&Sha256::digest(list)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_found() {
        let text = "a.org/b v1.0.0 h1:abc=\na.org/b v1.0.0/go.mod h1:def=\n";
        let sums = Sums::parse(text).unwrap();
        assert_eq!(sums.module("a.org/b", "v1.0.0"), Some("h1:abc="));
        assert_eq!(sums.mod_file("a.org/b", "v1.0.0"), Some("h1:def="));
        assert_eq!(sums.module("a.org/b", "v1.0.1"), None);
        assert!(Sums::parse("a.org/b h1:abc=").is_err());
        assert!(Sums::parse("a.org/b v1.0.0 sha256:abc").is_err());
    }

    #[test]
    fn a_mod_file_is_hashed_as_go_does() {
        // The line of golang.org/x/xerrors v0.0.0-20191204190536-9bdfabe68543 in many a go.sum.
        assert_eq!(
            of_mod_file("module golang.org/x/xerrors\n\ngo 1.11\n"),
            "h1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0="
        );
    }
}
