//! `image lock`: asks the mirror's index for the newest versions and writes the lock.

use std::path::Path;

use anyhow::{Context, Result};

use crate::apt::Index;
use crate::date;
use crate::lock::Lock;
use crate::resolve::Archive;

/// The release the image is made from.
const SUITE: &str = "trixie";

/// `main` for everything that runs; firmware and microcode are in the second.
const COMPONENTS: &str = "main non-free-firmware";

/// Seconds from a release to a time at which every snapshot archive has imported it: they import
/// about four times a day.
const IMPORT: u64 = 86_400;

/// Writes the lock to `path` and returns it.
///
/// # Errors
/// When the index cannot be had, or lacks a package.
pub fn update(mirror: &str, path: &Path) -> Result<Lock> {
    let index = Index::fetch(mirror, SUITE, "amd64", COMPONENTS)?;
    let text = index.packages()?;
    let (sets, packages) = Archive::parse(&text).lock()?;
    let released = date::parse_release(&index.date()?)?;
    let lock = Lock {
        arch: "amd64".to_owned(),
        suite: SUITE.to_owned(),
        released,
        snapshot: date::snapshot(released + IMPORT),
        sets,
        packages,
    };
    let mut json = serde_json::to_string_pretty(&lock).context("writing the lock")?;
    json.push('\n');
    std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    Ok(lock)
}
