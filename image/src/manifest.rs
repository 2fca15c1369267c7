//! The papers of a build: `manifest.json`, `SHA256SUMS`, and checking a folder against them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{hex, verity};

/// Name of the checksum file.
pub const SUMS: &str = "SHA256SUMS";

/// Name of the description.
pub const MANIFEST: &str = "manifest.json";

/// The root image, which is checked by its own tree as well.
const ROOT: &str = "rootfs.img";

/// One file of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Path below the folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// What a folder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the product.
    pub version: String,
    /// Name of the profile.
    pub profile: String,
    /// Debian's name of the architecture.
    pub arch: String,
    /// Kernel release.
    pub kernel: String,
    /// Root hash of the verity tree.
    pub root_hash: String,
    /// Kernel command line.
    pub cmdline: String,
    /// Build time, seconds since 1970.
    pub epoch: u64,
    /// The files, without the manifest and the checksums.
    pub artifacts: Vec<Artifact>,
}

/// Describes the files below `folder`, by name.
///
/// # Errors
/// When one cannot be read.
pub fn artifacts(folder: &Path) -> Result<Vec<Artifact>> {
    let mut found = Vec::new();
    collect(folder, "", &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<Artifact>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().context("looking at a file")?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), found)?;
        } else if !name.starts_with('.') && name != SUMS && name != MANIFEST {
            found.push(describe(folder, &entry.path(), name)?);
        }
    }
    Ok(())
}

fn describe(folder: &Path, path: &Path, name: String) -> Result<Artifact> {
    let mut file = fs::File::open(path)
        .with_context(|| format!("opening {} in {}", name, folder.display()))?;
    let mut hash = Hasher(Sha256::new());
    let size = std::io::copy(&mut file, &mut hash).with_context(|| format!("reading {name}"))?;
    Ok(Artifact {
        name,
        size,
        sha256: hex(&hash.0.finalize()),
    })
}

/// A hash that can be copied to.
struct Hasher(Sha256);

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes a manifest into `folder`, and the checksums of that and the artifacts.
///
/// # Errors
/// When they cannot be written.
pub fn write(folder: &Path, manifest: &impl Serialize, artifacts: Vec<Artifact>) -> Result<()> {
    let mut text = serde_json::to_string_pretty(manifest).context("writing the manifest")?;
    text.push('\n');
    let path = folder.join(MANIFEST);
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    let mut all = artifacts;
    all.push(describe(folder, &path, MANIFEST.to_owned())?);
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let sums: String = all
        .iter()
        .map(|a| format!("{}  {}\n", a.sha256, a.name))
        .collect();
    fs::write(folder.join(SUMS), sums).context("writing the checksums")
}

/// Reads the manifest of `folder`.
///
/// # Errors
/// When there is none or it is not well formed.
pub fn read(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
}

/// Checks every file of `folder` against its checksum.
///
/// # Errors
/// With every finding, one per line.
pub fn check_sums(folder: &Path) -> Result<()> {
    let path = folder.join(SUMS);
    let sums = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut findings = Vec::new();
    for line in sums.lines() {
        let Some((wanted, name)) = line.split_once("  ") else {
            bail!("{}: {line:?}", path.display())
        };
        match describe(folder, &folder.join(name), name.to_owned()) {
            Ok(found) if found.sha256 == wanted => {}
            Ok(_) => findings.push(format!("{name}: other bytes than were built")),
            Err(error) => findings.push(format!("{error:#}")),
        }
    }
    ensure!(
        findings.is_empty(),
        "{} is damaged:\n  {}",
        folder.display(),
        findings.join("\n  ")
    );
    Ok(())
}

/// Checks every file of `folder` against its checksum, and the root against its hash tree.
///
/// # Errors
/// With what is wrong.
pub fn verify(folder: &Path) -> Result<Manifest> {
    check_sums(folder)?;
    let manifest = read(folder)?;
    let root = verity::verify(&folder.join(ROOT)).context("checking the root's hash tree")?;
    ensure!(
        root == manifest.root_hash,
        "the root's hash is {root}, the manifest says {}",
        manifest.root_hash
    );
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pxe")).unwrap();
        fs::write(folder.path().join("pxe/a"), "a").unwrap();
        fs::write(folder.path().join("b"), "b").unwrap();
        fs::write(folder.path().join(".stamp"), "x").unwrap();
        let manifest = Manifest {
            version: "1".into(),
            profile: "cloud".into(),
            arch: "amd64".into(),
            kernel: "6".into(),
            root_hash: "0".into(),
            cmdline: String::new(),
            epoch: 0,
            artifacts: artifacts(folder.path()).unwrap(),
        };
        let names: Vec<&str> = manifest.artifacts.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["b", "pxe/a"]);
        write(folder.path(), &manifest, manifest.artifacts.clone()).unwrap();
        assert_eq!(read(folder.path()).unwrap(), manifest);
        fs::write(folder.path().join("pxe/a"), "c").unwrap();
        fs::remove_file(folder.path().join("b")).unwrap();
        let error = verify(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("pxe/a: other bytes") && error.contains("opening b"),
            "{error}"
        );
    }
}
