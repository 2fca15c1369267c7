//! What a Go program is: upstream's modules, the packages that are built from them, with which flags.
//!
//! Which there are is in `table`; the files under `image/go/`, which `image go pin` writes, hold all else about the pins.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::modfile::ModFile;
use super::sums::Sums;
pub use super::table::{FORMER, PROGRAMS};

/// Packages that hold the version which Kubernetes' programs tell.
const KUBERNETES: [&str; 2] = [
    "k8s.io/client-go/pkg/version",
    "k8s.io/component-base/version",
];

/// What is built as one, in a module of ours.
#[derive(Debug)]
pub struct Program {
    /// Its name, and its folder's under `image/go/`.
    pub name: &'static str,
    /// Upstream's modules that hold the packages.
    pub sources: &'static [Source],
    /// What is told about itself.
    pub stamps: Stamps,
    /// What is built.
    pub builds: &'static [Build],
}

/// A module of upstream's.
#[derive(Debug)]
pub struct Source {
    /// The name of our copy of its `go.mod`.
    pub name: &'static str,
    /// Its path.
    pub module: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The version under which the modules are published that upstream builds from its own folders and gives none.
    pub siblings: Option<&'static str>,
}

/// Packages built with the same tags.
#[derive(Debug)]
pub struct Build {
    /// Build tags: upstream's own for its releases, and those that leave out what a node cannot use.
    pub tags: &'static [&'static str],
    /// Main packages, and what the programs are called.
    pub mains: &'static [(&'static str, &'static str)],
}

/// How a program learns its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    /// It is written in its source.
    InSource,
    /// A variable takes it.
    Version(&'static str),
    /// Several variables do, and one the time of its source, in place of a time of build.
    Kubernetes {
        /// That time, as upstream writes times.
        date: &'static str,
    },
}

/// A program's files under `image/go/`.
#[derive(Debug)]
pub struct Files {
    /// The text of `go.mod`.
    pub module: String,
    /// The text of `go.sum`.
    pub sums: String,
    /// The texts of upstream's `go.mod` files, in the order of the sources.
    pub upstream: Vec<String>,
}

/// The program called `name`.
///
/// # Errors
/// When there is none; names those there are.
pub fn find(name: &str) -> Result<&'static Program, String> {
    all().find(|p| p.name == name).ok_or_else(|| {
        let names: Vec<_> = all().map(|p| p.name).collect();
        format!("there is no Go program {name:?}, only {}", names.join(", "))
    })
}

/// Every program that there is a row for.
pub fn all() -> impl Iterator<Item = &'static Program> {
    PROGRAMS.iter().chain(FORMER)
}

impl Program {
    /// Its folder in the source.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("go")
            .join(self.name)
    }

    /// Where our copy of a source's `go.mod` is.
    #[must_use]
    pub fn upstream(&self, source: &Source) -> PathBuf {
        self.folder().join(format!("upstream/{}.mod", source.name))
    }

    /// Reads its files.
    ///
    /// # Errors
    /// When one cannot be read; says how they are made.
    pub fn files(&self) -> Result<Files> {
        let read = |path: PathBuf| {
            std::fs::read_to_string(&path).with_context(|| {
                format!(
                    "reading {}: `cargo run -p garboard-image -- go pin {}` writes it",
                    path.display(),
                    self.name
                )
            })
        };
        Ok(Files {
            module: read(self.folder().join("go.mod"))?,
            sums: read(self.folder().join("go.sum"))?,
            upstream: self
                .sources
                .iter()
                .map(|source| read(self.upstream(source)))
                .collect::<Result<_>>()?,
        })
    }

    /// Every main package and what its program is called.
    pub fn mains(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.builds.iter().flat_map(|build| build.mains).copied()
    }

    /// The version of the first source.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.sources.first().map_or("", |source| source.version)
    }

    /// What the linker is told: no symbols, and the stamps.
    #[must_use]
    pub fn linker_flags(&self) -> String {
        let mut flags = vec!["-s -w".to_owned()];
        let version = self.version();
        match self.stamps {
            Stamps::InSource => {}
            Stamps::Version(variable) => flags.push(format!("-X {variable}={version}")),
            Stamps::Kubernetes { date } => {
                let mut parts = version.trim_start_matches('v').split('.');
                let mut part = || parts.next().unwrap_or_default();
                let values = [
                    ("gitVersion", version),
                    ("gitMajor", part()),
                    ("gitMinor", part()),
                    // A module does not say from which commit it was made.
                    ("gitCommit", ""),
                    ("buildDate", date),
                ];
                for (name, value) in values {
                    flags.extend(KUBERNETES.map(|it| format!("-X {it}.{name}={value}")));
                }
            }
        }
        flags.join(" ")
    }
}

impl Source {
    /// Whether a package is one of this module's.
    #[must_use]
    pub fn holds(&self, package: &str) -> bool {
        package
            .strip_prefix(self.module)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The version of a module that upstream builds this one with.
    #[must_use]
    pub fn requires<'a>(&'a self, upstream: &'a ModFile, path: &str) -> Option<&'a str> {
        if path == self.module {
            return Some(self.version);
        }
        match self.siblings {
            Some(version) if upstream.is_sibling(path) => Some(version),
            _ => upstream.require.get(path).map(String::as_str),
        }
    }
}

impl Files {
    /// Our module, upstream's in the order of the sources, and the checksums.
    ///
    /// # Errors
    /// When one is not well formed.
    pub fn parse(&self) -> Result<(ModFile, Vec<ModFile>, Sums)> {
        let upstream = self.upstream.iter().map(|text| ModFile::parse(text));
        Ok((
            ModFile::parse(&self.module).context("our go.mod")?,
            upstream
                .collect::<Result<_>>()
                .context("upstream's go.mod")?,
            Sums::parse(&self.sums).context("our go.sum")?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_tells_its_version() {
        let flags = find("kubernetes/1.37").unwrap().linker_flags();
        for stamp in [
            "gitVersion=v1.37.",
            "gitMajor=1",
            "gitMinor=37",
            "buildDate=20",
        ] {
            for package in KUBERNETES {
                assert!(flags.contains(&format!("-X {package}.{stamp}")), "{flags}");
            }
        }
    }

    #[test]
    fn a_name_that_is_not_there_gives_those_that_are() {
        let error = find("kubernets").unwrap_err();
        assert!(error.contains("\"kubernets\", only etcd, "), "{error}");
    }
}
