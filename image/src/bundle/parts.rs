//! What images are put together from: our programs, Go programs from the cache, programs and certificates of Debian's.
//!
//! A layer for each, so that what two images have in common is stored once: accounts and certificates, then what is
//! executed, then the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Inputs;
use super::images::{Debian, Image, Origin};
use crate::allow::LIBRARIES;
use crate::certificates;
use crate::go;
use crate::lock::{Lock, Package};
use crate::tools::unpack_set;
use crate::tree::{Kind, Source, Tree};

/// The loader, whose place is written in every dynamic program.
const LOADER: &str = "usr/lib64/ld-linux-x86-64.so.2";

/// The library that every one of them has.
const LIBC: &str = "libc.so.6";

/// Accounts for programs that look names up.
const PASSWD: &str = "root:x:0:0:root:/:/nonexistent\nnobody:x:65534:65534:nobody:/:/nonexistent\n";

/// Groups of the same.
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// Where everything is.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Folder of our static programs.
    pub bin_dir: &'a Path,
    /// Version of the product.
    pub version: &'a str,
    /// The folders of Go programs.
    pub go: BTreeMap<&'static str, PathBuf>,
    /// The folders of unpacked sets of the lock.
    pub sets: BTreeMap<&'static str, PathBuf>,
}

impl<'a> Parts<'a> {
    /// Makes what the images need: builds Go programs, and unpacks packages.
    ///
    /// # Errors
    /// When something cannot be had or built.
    pub fn prepare(inputs: &Inputs<'a>) -> Result<Self> {
        let Inputs {
            images,
            lock,
            fetcher,
            ..
        } = *inputs;
        let mut parts = Self {
            bin_dir: inputs.bin_dir,
            version: inputs.version,
            go: BTreeMap::new(),
            sets: BTreeMap::new(),
        };
        for program in images.iter().filter_map(|image| image.go()) {
            let folder = go::build::build(program, lock, fetcher)?;
            parts.go.insert(program.name, folder);
        }
        for set in sets(images) {
            parts.sets.insert(set, unpack_set(lock, fetcher, set)?);
        }
        Ok(parts)
    }

    /// Where a program of an image is.
    ///
    /// # Errors
    /// When nothing was prepared for the image.
    pub fn program(&self, image: &Image, name: &str) -> Result<PathBuf> {
        match image.origin {
            Origin::Ours => Ok(self.bin_dir.join(name)),
            Origin::Go(program, _) => {
                let folder = self.go.get(program);
                Ok(folder
                    .with_context(|| format!("{program} was not built"))?
                    .join(name))
            }
        }
    }

    /// The layers of an image, the lowest first.
    ///
    /// # Errors
    /// When a part is missing.
    pub fn layers(&self, image: &Image) -> Result<Vec<Tree>> {
        let mut layers = Vec::new();
        if image.go().is_some() {
            layers.push(base(self.set(certificates::SET)?)?);
        }
        if let Some(debian) = image.executes {
            layers.push(executes(debian, self.set(debian.set)?)?);
        }
        let mut tree = Tree::default();
        for name in image.programs() {
            let path = self.program(image, name)?;
            ensure!(
                path.is_file(),
                "{} is missing: --bin-dir must hold our static programs",
                path.display()
            );
            tree.file(&format!("usr/bin/{name}"), 0o755, Source::Path(path))?;
        }
        layers.push(tree);
        Ok(layers)
    }

    fn set(&self, name: &str) -> Result<&Path> {
        let folder = self.sets.get(name);
        let folder = folder.with_context(|| format!("the set {name:?} was not unpacked"))?;
        Ok(folder)
    }
}

/// The sets of the lock that images are made from.
fn sets(images: &[&Image]) -> BTreeSet<&'static str> {
    let believes = images.iter().any(|image| image.go().is_some());
    let programs = images.iter().filter_map(|image| image.executes);
    programs
        .map(|debian| debian.set)
        .chain(believes.then_some(certificates::SET))
        .collect()
}

/// The packages whose bytes are in images, each once.
///
/// # Errors
/// When the lock lacks a set.
pub fn packages<'a>(images: &[&Image], lock: &'a Lock) -> Result<Vec<(&'a str, &'a Package)>> {
    let mut packages = BTreeMap::new();
    for set in sets(images) {
        packages.extend(lock.set(set)?);
    }
    Ok(packages.into_iter().collect())
}

/// What programs that speak TLS and look accounts up read.
fn base(packages: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    let bundle = certificates::bundle(packages)?;
    for (path, bytes) in [
        ("etc/passwd", PASSWD.into()),
        ("etc/group", GROUP.into()),
        ("etc/ssl/certs/ca-certificates.crt", bundle),
    ] {
        tree.file(path, 0o644, Source::Bytes(bytes))?;
    }
    tree.folder_mode("tmp", 0o1777)?;
    Ok(tree)
}

/// Programs of Debian's, their libraries, and the loader where the programs look for it.
fn executes(debian: &Debian, packages: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    for path in debian.programs.iter().chain([&LOADER]) {
        tree.file(path, 0o755, Source::Path(packages.join(path)))?;
    }
    for name in debian.libraries.iter().chain([&LIBC]) {
        let path = format!("{LIBRARIES}/{name}");
        let from = Source::Path(packages.join(&path));
        tree.file(&path, 0o644, from)?;
    }
    for (path, target) in debian.links.iter().chain([&("lib64", "usr/lib64")]) {
        tree.link(path, target)?;
    }
    Ok(tree)
}

/// What a container sees of layers.
///
/// # Errors
/// When two have a file in common: then one of them is of no use.
pub(super) fn union(layers: &[Tree]) -> Result<Tree> {
    let mut whole = Tree::default();
    for (path, node) in layers.iter().flat_map(Tree::iter) {
        match &node.kind {
            Kind::Folder => whole.folder_mode(path, node.mode)?,
            Kind::File(source) => whole.file(path, node.mode, source.clone())?,
            Kind::Link(target) => whole.link(path, target)?,
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_must_not_hide_each_other() {
        let tree = |mode| {
            let mut tree = Tree::default();
            tree.file("a/b", mode, Source::Bytes(vec![])).unwrap();
            tree
        };
        assert_eq!(union(&[tree(0o644)]).unwrap().iter().count(), 2);
        union(&[tree(0o644), tree(0o755)]).unwrap_err();
    }
}
