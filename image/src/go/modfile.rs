//! Reads `go.mod` files, upstream's and ours.
//!
//! Knows what a build depends on and nothing else; `retract` and `toolchain` do not shape a build of ours. A line that
//! is not understood is an error: it might be the one that matters.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

/// What a module says about building with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModFile {
    /// The module's path.
    pub module: String,
    /// The language version, which also decides the defaults of `GODEBUG`.
    pub go: String,
    /// Settings of `GODEBUG`, as `name=value`.
    pub godebug: BTreeSet<String>,
    /// The version of each module it requires, the indirect ones among them.
    pub require: BTreeMap<String, String>,
    /// What it uses in place of others, by what is replaced: a path, or a path and a version.
    pub replace: BTreeMap<String, Replacement>,
    /// Versions that it does without, as `path version`.
    pub exclude: BTreeSet<String>,
    /// The packages it names as tools.
    pub tool: BTreeSet<String>,
}

/// What stands in for a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// A folder of the same repository.
    Folder,
    /// Another module, as `path version`.
    Module(String),
}

impl ModFile {
    /// Parses the text of a `go.mod`.
    ///
    /// # Errors
    /// When a line is not understood, or the module or its language version is missing.
    pub fn parse(text: &str) -> Result<Self> {
        let mut file = Self::default();
        let mut block = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default().trim();
            let words: Vec<&str> = line.split_whitespace().collect();
            let read = match (block, words.as_slice()) {
                (_, []) => Ok(()),
                (Some(_), [")"]) => {
                    block = None;
                    Ok(())
                }
                (Some(verb), rest) => file.line(verb, rest),
                (None, [verb, "("]) => {
                    block = Some(*verb);
                    Ok(())
                }
                (None, [verb, rest @ ..]) => file.line(verb, rest),
            };
            read.with_context(|| format!("line {}", number + 1))?;
        }
        ensure!(!file.module.is_empty(), "it names no module");
        ensure!(!file.go.is_empty(), "it names no language version");
        Ok(file)
    }

    fn line(&mut self, verb: &str, words: &[&str]) -> Result<()> {
        match (verb, words) {
            ("module", [path]) => (*path).clone_into(&mut self.module),
            ("go", [version]) => (*version).clone_into(&mut self.go),
            ("godebug", [setting]) => drop(self.godebug.insert((*setting).to_owned())),
            ("require", [path, version]) => {
                self.require
                    .insert((*path).to_owned(), (*version).to_owned());
            }
            ("exclude", [path, version]) => {
                self.exclude.insert(format!("{path} {version}"));
            }
            ("tool", [package]) => drop(self.tool.insert((*package).to_owned())),
            ("replace", words) => {
                let arrow = words.iter().position(|word| *word == "=>");
                let (from, to) = words.split_at(arrow.context("a replacement without =>")?);
                let to = match to {
                    [_, folder] if folder.starts_with('.') => Replacement::Folder,
                    [_, path, version] => Replacement::Module(format!("{path} {version}")),
                    _ => bail!("a replacement by {to:?}"),
                };
                self.replace.insert(from.join(" "), to);
            }
            ("retract" | "toolchain", _) => {}
            _ => bail!("not understood: {verb} {}", words.join(" ")),
        }
        Ok(())
    }

    /// Whether upstream builds a required module from a folder of its own repository.
    #[must_use]
    pub fn is_sibling(&self, path: &str) -> bool {
        self.replace.get(path) == Some(&Replacement::Folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// Generated.\nmodule example.org/a\n\ngo 1.26.0\ntoolchain go1.26.8\n\ngodebug default=go1.26\n\n\
        require (\n\texample.org/b v1.0.0\n\texample.org/c/v2 v2.1.0 // indirect\n)\nrequire example.org/d v0.0.0\n\n\
        replace (\n\texample.org/d => ./staging/d\n\texample.org/b v1.0.0 => example.org/e v1.0.1\n)\n\
        exclude example.org/c/v2 v2.0.0\nretract [v1.0.0, v1.1.0]\ntool example.org/a/cmd/x\n";

    #[test]
    fn every_verb_is_read() {
        let file = ModFile::parse(TEXT).unwrap();
        assert_eq!((&*file.module, &*file.go), ("example.org/a", "1.26.0"));
        assert!(file.godebug.contains("default=go1.26"));
        let require: Vec<_> = file
            .require
            .iter()
            .map(|(p, v)| format!("{p} {v}"))
            .collect();
        assert_eq!(
            require,
            [
                "example.org/b v1.0.0",
                "example.org/c/v2 v2.1.0",
                "example.org/d v0.0.0"
            ]
        );
        assert!(file.is_sibling("example.org/d"));
        assert!(!file.is_sibling("example.org/b"));
        assert_eq!(
            file.replace["example.org/b v1.0.0"],
            Replacement::Module("example.org/e v1.0.1".into())
        );
        assert!(file.exclude.contains("example.org/c/v2 v2.0.0"));
        assert!(file.tool.contains("example.org/a/cmd/x"));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        let error = ModFile::parse("module a\ngo 1.26\nvendor all\n").unwrap_err();
        assert_eq!(format!("{error:#}"), "line 3: not understood: vendor all");
        let error = ModFile::parse("module a\ngo 1.26\nreplace a => b\n").unwrap_err();
        assert!(format!("{error:#}").starts_with("line 3: a replacement by"));
        assert!(ModFile::parse("go 1.26\n").is_err());
        assert!(ModFile::parse("module a\n").is_err());
    }
}
