//! The lock: every Debian package the image is made from, by version, path, size and SHA-256.
//!
//! Owns the file format and the sets (which roots, and whether their dependencies come along). It
//! names no host: a path is relative to the root of whatever mirror or snapshot archive is asked.
//! Never downloads; that is `fetch`, and `resolve` fills it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::nft::with_nft;

/// The lock this builder was compiled with.
const BUILT_IN: &str = include_str!("../lock/amd64.json");

/// One pinned package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Debian version.
    pub version: String,
    /// Source package, for the bill of materials.
    pub source: String,
    /// Path below the root of the archive.
    pub path: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
}

/// The pinned packages of one architecture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Debian's name of the architecture.
    pub arch: String,
    /// Suite the packages were taken from.
    pub suite: String,
    /// Time of the suite's release file, seconds since 1970: the default build time.
    pub released: u64,
    /// A time at which a snapshot archive holds all of it, as those archives write it.
    pub snapshot: String,
    /// Names of the packages in each set.
    pub sets: BTreeMap<String, BTreeSet<String>>,
    /// The packages by name.
    pub packages: BTreeMap<String, Package>,
}

/// A set of packages that one step of the build needs.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// Its name in the lock.
    pub name: &'static str,
    /// The packages asked for; a trailing `*` takes the newest whose name fits.
    pub roots: &'static [&'static str],
    /// Whether dependencies come along.
    pub closure: bool,
}

/// The sets of amd64.
pub const SETS: &[Set] = &[
    Set {
        name: "kernel-generic",
        roots: &["linux-image-6.12.*-amd64"],
        closure: false,
    },
    Set {
        name: "kernel-cloud",
        roots: &["linux-image-6.12.*-cloud-amd64"],
        closure: false,
    },
    Set {
        name: "firmware",
        roots: &[
            "firmware-bnx2",
            "firmware-bnx2x",
            "firmware-cavium",
            "firmware-intel-misc",
            "firmware-misc-nonfree",
            "firmware-myricom",
            "firmware-netronome",
            "firmware-netxen",
            "firmware-qlogic",
            "firmware-realtek",
        ],
        closure: false,
    },
    Set {
        name: "microcode",
        roots: &["amd64-microcode", "intel-microcode"],
        closure: false,
    },
    Set {
        name: "stub",
        roots: &["systemd-boot-efi"],
        closure: false,
    },
    Set {
        name: "bios",
        roots: &["isolinux", "syslinux-common"],
        closure: false,
    },
    Set {
        name: "ext4",
        // By name, without what they depend on besides: only what is copied into the root is part of the image.
        roots: &[
            "e2fsprogs",
            "libblkid1",
            "libc6",
            "libcom-err2",
            "libext2fs2t64",
            "libuuid1",
        ],
        closure: false,
    },
    Set {
        name: "certificates",
        roots: &["ca-certificates"],
        closure: false,
    },
    Set {
        name: "kubelet",
        // What it executes, and the libraries of that; by name, as for ext4.
        roots: &[
            "e2fsprogs",
            "libblkid1",
            "libc6",
            "libcom-err2",
            "libext2fs2t64",
            "libmount1",
            "libpcre2-8-0",
            "libselinux1",
            "libsmartcols1",
            "libuuid1",
            "mount",
            "util-linux",
        ],
        closure: false,
    },
    Set {
        name: "kube-proxy",
        // The same.
        roots: with_nft!("libc6"),
        closure: false,
    },
    Set {
        name: "runtime",
        // The same, for crun and nft; their libc is that of the programs for ext4.
        roots: with_nft!("crun", "libcap2", "libseccomp2", "libsystemd0", "libyajl2"),
        closure: false,
    },
    Set {
        name: "tools",
        roots: &["squashfs-tools-ng", "xorriso", "mtools", "kmod"],
        closure: true,
    },
    Set {
        name: "debian-go",
        // Only fetches the compiler that builds the Go programs.
        roots: &["golang-1.*-go"],
        closure: false,
    },
    Set {
        name: "toolchain",
        roots: &["gcc-14-x86-64-linux-gnu", "libc6-dev"],
        closure: true,
    },
];

impl Lock {
    /// Reads `path`, or the lock this builder was compiled with.
    ///
    /// # Errors
    /// When the file cannot be read or is not a lock.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        match path {
            None => serde_json::from_str(BUILT_IN).context("the built-in lock"),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("reading {}", path.display()))?;
                serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
            }
        }
    }

    /// Where `image lock` writes when not told otherwise: the source folder.
    #[must_use]
    pub fn source_path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("lock/amd64.json")
    }

    /// The packages of a set, by name.
    ///
    /// # Errors
    /// When the lock has no such set or a set names a package it does not hold.
    pub fn set(&self, name: &str) -> Result<Vec<(&str, &Package)>> {
        let Some(names) = self.sets.get(name) else {
            bail!("the lock has no set {name:?}: run `cargo run -p garboard-image -- lock`");
        };
        names
            .iter()
            .map(|n| match self.packages.get_key_value(n) {
                Some((n, p)) => Ok((n.as_str(), p)),
                None => bail!("the lock's set {name:?} names {n:?}, which it does not hold"),
            })
            .collect()
    }

    /// The one package of a set that has exactly one.
    ///
    /// # Errors
    /// As [`Lock::set`], and when there is not exactly one.
    pub fn only(&self, name: &str) -> Result<(&str, &Package)> {
        match self.set(name)?.as_slice() {
            [one] => Ok(*one),
            many => bail!(
                "the lock's set {name:?} has {} packages instead of one",
                many.len()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_lock_is_whole() {
        let lock = Lock::load(None).unwrap();
        assert_eq!(lock.arch, "amd64");
        for set in SETS {
            assert!(!lock.set(set.name).unwrap().is_empty(), "{}", set.name);
        }
        for (name, package) in &lock.packages {
            assert_eq!(package.sha256.len(), 64, "{name}");
            assert!(
                package.path.starts_with("pool/"),
                "{name}: {}",
                package.path
            );
            assert!(
                lock.sets.values().any(|s| s.contains(name)),
                "{name} is in no set"
            );
        }
    }

    #[test]
    fn a_set_that_is_missing_names_the_command() {
        let mut lock = Lock::load(None).unwrap();
        lock.sets.remove("stub");
        let error = lock.set("stub").unwrap_err().to_string();
        assert!(error.contains("-- lock"), "{error}");
    }
}
