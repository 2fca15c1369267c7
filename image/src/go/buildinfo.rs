//! What Go wrote into a program about how it was built: its compiler, its package, every module and setting.
//!
//! It is in the section `.go.buildinfo`, which stripping leaves: a magic, flags, and since Go 1.18 two texts with their
//! lengths before them.

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};

/// The first bytes of the section.
const MAGIC: &[u8] = b"\xff Go buildinf:";

/// Where the flags are, and the bit that says that the texts follow.
const FLAGS: (usize, u8) = (15, 2);

/// Where the first text begins.
const TEXTS: usize = 32;

/// How many bytes of a mark stand before and after the list of modules.
const MARK: usize = 16;

/// How a program was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// The compiler's version, `go1.26.11`.
    pub go: String,
    /// The main package.
    pub package: String,
    /// The modules in it, that of the main package first.
    pub modules: Vec<Module>,
    /// The settings, as `name=value`.
    pub settings: Vec<String>,
}

/// A module in a program. Where it was replaced, this is what took its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The path that was asked for.
    pub wanted: String,
    /// The path that was used.
    pub path: String,
    /// Its version.
    pub version: String,
    /// Its checksum.
    pub sum: String,
}

impl BuildInfo {
    /// Reads it from a program.
    ///
    /// # Errors
    /// When the program is no ELF file, or not one that Go 1.18 or later built from modules.
    pub fn read(program: &[u8]) -> Result<Self> {
        let file = object::File::parse(program).context("it is no ELF file")?;
        let section = file
            .section_by_name(".go.buildinfo")
            .context("Go did not build it")?;
        let bytes = section.data().context("its build information")?;
        let (at, inline) = FLAGS;
        ensure!(
            bytes.starts_with(MAGIC) && bytes.get(at).is_some_and(|flags| flags & inline != 0),
            "its build information is of a kind that Go 1.18 ended"
        );
        let (go, rest) = text(bytes.get(TEXTS..).unwrap_or_default())?;
        let (modules, _) = text(rest)?;
        let end = modules.len().saturating_sub(MARK);
        let modules = modules.get(MARK..end).context("it lists no modules")?;
        let mut info = Self::parse(std::str::from_utf8(modules).context("its modules")?)?;
        std::str::from_utf8(go)
            .context("its compiler")?
            .clone_into(&mut info.go);
        Ok(info)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut info = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            match words.as_slice() {
                ["path", package] => (*package).clone_into(&mut info.package),
                ["mod" | "dep", path, version, sum @ ..] => info.modules.push(Module {
                    wanted: (*path).to_owned(),
                    path: (*path).to_owned(),
                    version: (*version).to_owned(),
                    sum: sum.concat(),
                }),
                ["=>", path, version, sum @ ..] => {
                    let module = info.modules.last_mut().context("it replaces nothing")?;
                    (*path).clone_into(&mut module.path);
                    (*version).clone_into(&mut module.version);
                    module.sum = sum.concat();
                }
                ["build", setting] => info.settings.push((*setting).to_owned()),
                // Go leaves a line empty after a replacement.
                [""] => {}
                _ => anyhow::bail!("not understood: {line}"),
            }
        }
        Ok(info)
    }
}

/// The text at the start of `bytes`, and what follows it. Its length comes first, seven bits a byte, the lowest first.
fn text(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let mut length = 0;
    let mut rest = bytes;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, after) = rest.split_first().context("it ends too early")?;
        length |= usize::from(byte & 0x7f)
            .checked_shl(shift)
            .context("a length")?;
        rest = after;
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.split_at_checked(length).context("it ends too early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_replacements_and_settings_are_read() {
        let info = BuildInfo::parse(
            "path\ta.org/cmd/x\nmod\ta.org\tv1.0.0\th1:a=\n\
             dep\tb.org\tv0.0.0\n=>\tc.org\tv0.2.0\th1:c=\n\nbuild\t-trimpath=true\nbuild\tCGO_ENABLED=0\n",
        )
        .unwrap();
        assert_eq!(info.package, "a.org/cmd/x");
        let modules: Vec<_> = info
            .modules
            .iter()
            .map(|m| (&*m.wanted, &*m.path, &*m.version, &*m.sum))
            .collect();
        assert_eq!(
            modules,
            [
                ("a.org", "a.org", "v1.0.0", "h1:a="),
                ("b.org", "c.org", "v0.2.0", "h1:c=")
            ]
        );
        assert_eq!(info.settings, ["-trimpath=true", "CGO_ENABLED=0"]);
        assert!(BuildInfo::parse("vendor\ta.org\n").is_err());
    }

    #[test]
    fn lengths_of_more_than_a_byte_are_read() {
        let mut bytes = vec![0x80 | 2, 1];
        bytes.extend([b'x'; 130]);
        bytes.extend(b"rest");
        let (found, rest) = text(&bytes).unwrap();
        assert_eq!((found.len(), rest), (130, b"rest".as_slice()));
        assert!(text(&[5, b'x']).is_err());
        assert!(text(&[0xff; 20]).is_err());
        assert!(text(&[]).is_err());
    }

    #[test]
    fn what_is_no_go_program_is_refused() {
        let error = BuildInfo::read(b"#!/bin/sh\n").unwrap_err().to_string();
        assert_eq!(error, "it is no ELF file");
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let error = BuildInfo::read(&own).unwrap_err().to_string();
        assert_eq!(error, "Go did not build it");
    }
}
