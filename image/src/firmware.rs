//! Firmware for the devices whose modules are in the image, and microcode for processors.
//!
//! A module names the files it may ask for; exactly those that the locked packages hold are taken.
//! Microcode goes in front of the initramfs, where the kernel looks before it unpacks anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};

use crate::tree::{Source, Tree};

/// Where packages keep firmware.
const FOLDER: &str = "usr/lib/firmware";

/// Vendors' microcode: folder of the packages, and the file in which the kernel looks for all of it.
const MICROCODE: &[(&str, &str)] = &[
    ("amd-ucode", "kernel/x86/microcode/AuthenticAMD.bin"),
    ("intel-ucode", "kernel/x86/microcode/GenuineIntel.bin"),
];

/// Unpacked firmware packages.
#[derive(Debug)]
pub struct Firmware {
    files: BTreeMap<String, PathBuf>,
}

impl Firmware {
    /// Lists the files of unpacked packages.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        list(&root.join(FOLDER), "", &mut files)?;
        Ok(Self { files })
    }

    /// Adds the files that `wanted` names to a tree, below `prefix`; returns how many.
    ///
    /// # Errors
    /// When the tree has something there already.
    pub fn add_to(
        &self,
        tree: &mut Tree,
        prefix: &str,
        wanted: &BTreeSet<String>,
    ) -> Result<usize> {
        let fits = |name: &&String| wanted.iter().any(|pattern| matches(pattern, name));
        let chosen: Vec<&String> = self.files.keys().filter(fits).collect();
        for name in &chosen {
            let path = self.files.get(*name).context("a chosen file is listed")?;
            tree.file(
                &format!("{prefix}/{name}"),
                0o644,
                Source::Path(path.clone()),
            )?;
        }
        Ok(chosen.len())
    }

    /// The tree that goes in front of the initramfs.
    ///
    /// # Errors
    /// When the packages hold no microcode of a vendor.
    pub fn microcode(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        for (folder, target) in MICROCODE {
            let mut bytes = Vec::new();
            let prefix = format!("{folder}/");
            for (name, path) in self
                .files
                .iter()
                .filter(|(name, _)| name.starts_with(&prefix))
            {
                // Files of other kinds lie beside: text, detached signatures.
                if !name.ends_with(".asc") && !name.ends_with("README") {
                    bytes.extend(std::fs::read(path).with_context(|| format!("reading {name}"))?);
                }
            }
            ensure!(
                !bytes.is_empty(),
                "the locked packages hold nothing in {folder}"
            );
            tree.file(target, 0o644, Source::Bytes(bytes))?;
        }
        Ok(tree)
    }
}

fn list(folder: &Path, prefix: &str, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // Links are followed: SquashFS stores the same bytes once.
        match std::fs::metadata(entry.path()) {
            Ok(meta) if meta.is_dir() => list(&entry.path(), &format!("{name}/"), files)?,
            Ok(_) => drop(files.insert(name, entry.path())),
            // A link into a package that is not locked.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e).with_context(|| format!("looking at {name}")),
        }
    }
    Ok(())
}

/// The firmware that a module names, from its `.modinfo`.
///
/// # Errors
/// When it is not an object file.
pub fn named_by(module: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(module).context("not a module")?;
    let Some(section) = file.section_by_name(".modinfo") else {
        return Ok(Vec::new());
    };
    let info = section.data().context("reading .modinfo")?;
    let fields = info
        .split(|b| *b == 0)
        .filter_map(|f| f.strip_prefix(b"firmware="));
    Ok(fields
        .map(|f| String::from_utf8_lossy(f).into_owned())
        .collect())
}

/// Compares with a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| rest.get(at..).unwrap_or_default())
                .chain([""])
                .any(|rest| matches(tail, rest))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages() -> (tempfile::TempDir, Firmware) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDER);
        for (name, text) in [
            ("qed/a-1.bin", "a"),
            ("qed/b-1.bin", "b"),
            ("wifi.bin", "w"),
            ("intel-ucode/06-01-01", "1"),
            ("intel-ucode/06-02-01", "2"),
            ("amd-ucode/x.bin", "x"),
            ("amd-ucode/x.bin.asc", "no"),
        ] {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink("nowhere", folder.join("broken")).unwrap();
        let firmware = Firmware::open(root.path()).unwrap();
        (root, firmware)
    }

    #[test]
    fn only_what_modules_name_is_taken() {
        let (_root, firmware) = packages();
        let mut tree = Tree::default();
        let wanted = ["qed/*-1.bin".to_owned(), "absent.bin".to_owned()].into();
        assert_eq!(
            firmware.add_to(&mut tree, "lib/firmware", &wanted).unwrap(),
            2
        );
        assert!(
            tree.iter()
                .any(|(path, _)| path == "lib/firmware/qed/a-1.bin")
        );
        assert!(!tree.iter().any(|(path, _)| path.contains("wifi")));
    }

    #[test]
    fn microcode_is_one_file_per_vendor() {
        let (_root, firmware) = packages();
        let tree = firmware.microcode().unwrap();
        let mut cpio = Vec::new();
        crate::cpio::write(&tree, &mut cpio).unwrap();
        let text = String::from_utf8_lossy(&cpio);
        assert!(text.contains("kernel/x86/microcode/GenuineIntel.bin"));
        assert!(text.contains("12"), "files in the order of their names");
        assert!(!text.contains("no"), "a signature is not microcode");
    }

    #[test]
    fn patterns() {
        assert!(matches("a/b", "a/b") && !matches("a/b", "a/bc"));
        assert!(matches("a*c*e", "abcde") && matches("*", "") && !matches("a*c", "abd"));
    }
}
