//! Files that osctl writes: whole or not at all, secrets for the owner's eyes only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;

/// Only the owner may read or write.
const SECRET_MODE: u32 = 0o600;

/// Whether an existing file may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Refuse, and say how to insist.
    Keep,
    /// Replace it in one step.
    Replace,
}

/// Writes a file that holds secrets: mode 0600, complete before it gets its name.
///
/// # Errors
/// The file exists and may not be replaced, or cannot be written.
pub(crate) fn write_secret(path: &Path, content: &str, existing: Existing) -> Result<()> {
    write_whole(path, existing, |file| file.write_all(content.as_bytes()))
}

/// The same for whatever `fill` writes.
///
/// # Errors
/// As [`write_secret`], and when `fill` fails.
pub(crate) fn write_whole(
    path: &Path,
    existing: Existing,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<()> {
    let mut half = Half::begin(path, existing)?;
    fill(&mut half.file).with_context(|| half.failed())?;
    half.finish()
}

/// A file that gets its name when it is whole: mode 0600, and gone with this value before that.
pub(crate) struct Half {
    path: PathBuf,
    half: PathBuf,
    existing: Existing,
    file: File,
}

impl Half {
    /// Begins one, in a folder that is made when it is not there.
    ///
    /// # Errors
    /// The file exists and may not be replaced, or cannot be written.
    pub(crate) fn begin(path: &Path, existing: Existing) -> Result<Self> {
        let failed = || format!("writing {}", path.display());
        if path.is_dir() {
            bail!("{} is a folder; name a file in it", path.display());
        }
        if existing == Existing::Keep && path.symlink_metadata().is_ok() {
            bail!("{} exists; --force replaces it", path.display());
        }
        fs::create_dir_all(folder(path)).with_context(failed)?;
        let half = half_name(path);
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(SECRET_MODE);
        let file = options.open(&half).with_context(failed)?;
        Ok(Self {
            path: path.to_owned(),
            half,
            existing,
            file,
        })
    }

    /// Writes what comes next.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).with_context(|| self.failed())
    }

    /// Gives it its name, for good.
    ///
    /// # Errors
    /// It cannot be written, or somebody else made a file of that name that may not be replaced.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { path, half, .. } = &self;
        let synced = self.file.sync_all();
        let named = synced.and_then(|()| match self.existing {
            Existing::Replace => fs::rename(half, path),
            // Unlike a rename, a link refuses when somebody else made the file in the meantime.
            Existing::Keep => fs::hard_link(half, path),
        });
        let kept = named.and_then(|()| File::open(folder(path))?.sync_all());
        kept.with_context(|| self.failed())
    }

    fn failed(&self) -> String {
        format!("writing {}", self.path.display())
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // It has its own name by then, or whatever went wrong is what matters.
        drop(fs::remove_file(&self.half));
    }
}

/// The folder of a file, made when it is not there and locked until the value is dropped.
pub(crate) fn lock_folder(path: &Path) -> Result<File> {
    let folder = folder(path);
    fs::create_dir_all(folder)
        .and_then(|()| File::open(folder))
        .and_then(|folder| folder.lock().map(|()| folder))
        .with_context(|| format!("locking {}", folder.display()))
}

/// Reads YAML that holds keys: an error shows no piece of it.
pub(crate) fn parse_secret<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_yaml::from_str(text).map_err(|error| {
        let message = error.without_snippet().to_string();
        match error.location() {
            Some(place) if config::looks_secret(&message) => anyhow!(
                "line {}, column {} is not as osctl wrote it",
                place.line(),
                place.column()
            ),
            None if config::looks_secret(&message) => anyhow!("it is not as osctl wrote it"),
            _ => anyhow!(message),
        }
    })
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The name that a file has until it is whole.
pub(crate) fn half_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.half", std::process::id()));
    path.with_file_name(name)
}

/// The folder of a user's configuration, as the XDG base directory specification has it.
pub(crate) fn config_home() -> Result<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config")
}

fn xdg(variable: &str, below_home: &str) -> Result<PathBuf> {
    // A relative path in the variable is to be ignored, says the specification.
    let absolute = |variable| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)));
    Ok(folder
        .with_context(|| format!("neither {variable} nor HOME says where your files are"))?
        .join("garboard"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_file_is_for_its_owner_and_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("below/secrets.yaml");
        write_secret(&path, "one", Existing::Keep).expect("written");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            SECRET_MODE
        );

        let refused = write_secret(&path, "two", Existing::Keep).expect_err("refused");
        assert!(
            refused.to_string().ends_with("exists; --force replaces it"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(&path).expect("read"), "one");

        let folder_itself = write_secret(folder.path(), "two", Existing::Replace);
        let refused = folder_itself.expect_err("refused").to_string();
        assert!(refused.ends_with("is a folder; name a file in it"));

        write_secret(&path, "three", Existing::Replace).expect("replaced");
        assert_eq!(fs::read_to_string(&path).expect("read"), "three");
        assert_eq!(
            fs::read_dir(folder.path().join("below"))
                .expect("listed")
                .count(),
            1
        );
    }
}
