//! The files that kubectl reads.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::exit::usage;
use crate::files::{self, Existing};

/// The file that kubectl reads; of several the first, which it writes to as well.
pub(crate) fn usual() -> Result<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").filter(|it| !it.is_empty());
    let mut named = named.iter().flat_map(std::env::split_paths);
    if let Some(first) = named.find(|it| !it.as_os_str().is_empty()) {
        return Ok(first);
    }
    let Some(home) = std::env::home_dir() else {
        return Err(usage("there is no home folder; name a file".to_owned()));
    };
    Ok(home.join(".kube/config"))
}

/// The text of one; empty when there is none yet.
pub(crate) fn read(path: &Path) -> Result<String> {
    if path.metadata().is_ok_and(|it| !it.is_file()) {
        bail!("{} is no file; name one in it", path.display());
    }
    match std::fs::read_to_string(path) {
        Ok(old) => Ok(old),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// Writes what `change` makes of one, while no other osctl does; it stays as it is when that is nothing.
pub(crate) fn change<T>(
    path: &Path,
    change: impl FnOnce(&str) -> Result<(T, Option<String>)>,
) -> Result<T> {
    // What a link leads to is written, and the link stays.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    // Two at once would lose what one of them wrote.
    let _lock = files::lock_folder(path)?;
    let old = read(path)?;
    let changed = change(&old).with_context(|| format!("{} is left as it is", path.display()));
    let (outcome, text) = changed?;
    if let Some(text) = text {
        files::write_secret(path, &text, Existing::Replace)?;
    }
    Ok(outcome)
}
