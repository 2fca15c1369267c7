//! A product of the builder: a folder that is made anew when what it depends on has changed, and replaced at once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::lock::Lock;
use crate::report::line;

/// Holds the hash of the inputs; not part of the product.
const STAMP: &str = ".stamp";

/// What every product is asked for with.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder of the static binaries that it is made from.
    #[arg(long, value_name = "DIR")]
    pub bin_dir: PathBuf,
    /// Where its folder goes.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The only time in it [default: that of the locked Debian release].
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    source_date_epoch: Option<u64>,
    /// Crates in the binaries, for the bill of materials: what
    /// `cargo tree --edges normal --prefix none --format '{p}|{l}'` prints.
    #[arg(long, value_name = "FILE")]
    crates: Option<PathBuf>,
}

impl Options {
    /// The only time in the product, seconds since 1970.
    #[must_use]
    pub fn epoch(&self, lock: &Lock) -> u64 {
        self.source_date_epoch.unwrap_or(lock.released)
    }

    /// The crates in the binaries, as `cargo tree` prints them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn crates(&self) -> Result<String> {
        let Some(path) = &self.crates else {
            return Ok(String::new());
        };
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    }
}

/// A hash over this program, these files, and what else a product depends on.
pub(crate) fn stamp(files: impl IntoIterator<Item = PathBuf>, others: &str) -> Result<String> {
    let mut hash = Sha256::new();
    let program = std::env::current_exe().context("finding this program")?;
    for path in std::iter::once(program).chain(files) {
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        hash.update(Sha256::digest(bytes));
    }
    hash.update(others);
    Ok(hex(&hash.finalize()))
}

/// Has `out/name` filled by `fill`, which gets the new folder and one for its work, unless it has that stamp already.
///
/// Running machines keep the files they have open.
///
/// # Errors
/// Those of `fill`; then what was there stays.
pub(crate) fn make(
    out: &Path,
    name: &str,
    stamp: &str,
    fill: impl FnOnce(&Path, &Path) -> Result<()>,
) -> Result<PathBuf> {
    std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let target = out.join(name);
    if std::fs::read_to_string(target.join(STAMP)).is_ok_and(|found| found == stamp) {
        line(&format!("{} is up to date", target.display()));
        return Ok(target);
    }
    let work = tempfile::Builder::new()
        .prefix(".build-")
        .tempdir_in(out)
        .context("making a work folder")?;
    let folder = work.path().join("new");
    fill(&folder, work.path())?;
    std::fs::write(folder.join(STAMP), stamp).context("writing the stamp")?;
    replace(&folder, &target, &work.path().join("old"))?;
    Ok(target)
}

/// Puts a folder in the place of another, which is moved to `old`.
fn replace(new: &Path, target: &Path, old: &Path) -> Result<()> {
    if target.exists() {
        std::fs::rename(target, old)
            .with_context(|| format!("moving the former {} away", target.display()))?;
    }
    std::fs::rename(new, target).with_context(|| format!("moving to {}", target.display()))
}
