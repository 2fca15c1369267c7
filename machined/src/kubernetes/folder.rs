//! Folders with files for one user alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::network::file::replace_by;

/// A folder could not be made what it should be.
#[derive(Debug, Error)]
#[error("write {}", path.display())]
pub struct FolderError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Makes a folder for one user, unless it is there.
///
/// # Errors
/// It cannot be made, or given to him.
pub fn make(folder: &Path, uid: u32) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    chown(folder, Some(uid), Some(uid))
}

/// Makes a folder hold just these files, each old or new and never a part, and nobody but `uid` (and root) reads them.
///
/// It is in memory and does not outlive the boot, so nothing is synced.
///
/// # Errors
/// Something cannot be written; what was there before stays.
pub fn fill(folder: &Path, uid: u32, files: &BTreeMap<String, String>) -> Result<(), FolderError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| FolderError { path, source }
    };
    make(folder, uid).map_err(failed(folder))?;
    for (name, text) in files {
        let path = folder.join(name);
        replace(&path, uid, text).map_err(failed(&path))?;
    }
    let others = others(folder, files).map_err(failed(folder))?;
    for path in others {
        fs::remove_file(&path).map_err(failed(&path))?;
    }
    Ok(())
}

/// Takes a folder away with all that is in it, if it is there.
///
/// # Errors
/// It stays, or a part of it.
pub fn remove(folder: &Path) -> Result<(), FolderError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(FolderError {
            path: folder.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Writes a file that is there whole or not at all, for good.
///
/// # Errors
/// It cannot be written; what was there before stays.
pub fn put(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let unfinished = folder.join(format!(".{name}.unfinished"));
    let mut file = File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    sync(folder)?;
    // The folder itself may be new as well.
    folder.parent().map_or(Ok(()), sync)
}

/// Has what happened to the names in a folder outlive the power.
///
/// # Errors
/// The disk fails.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn replace(path: &Path, uid: u32, text: &str) -> io::Result<()> {
    replace_by(path, text, |unfinished| {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(unfinished)?;
        file.write_all(text.as_bytes())?;
        chown(unfinished, Some(uid), Some(uid))
    })
}

/// What else is in the folder.
fn others(folder: &Path, files: &BTreeMap<String, String>) -> io::Result<BTreeSet<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let others = entries.into_iter().filter(|entry| {
        let name = entry.file_name();
        name.to_str().is_none_or(|name| !files.contains_key(name))
    });
    Ok(others.map(|entry| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn just_these_files_for_nobody_else() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a");
        let own = nix::unistd::getuid().as_raw();
        let files = |names: &[&str]| {
            let each = names
                .iter()
                .map(|name| ((*name).to_owned(), format!("{name}\n")));
            each.collect::<BTreeMap<_, _>>()
        };
        fill(&folder, own, &files(&["one", "two"])).unwrap();
        // What a life before left half written.
        fs::write(folder.join(".three.unfinished"), "th").unwrap();
        fill(&folder, own, &files(&["two", "three"])).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let mut there: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        there.sort();
        assert_eq!(there, ["three", "two"]);
        assert_eq!(fs::read_to_string(folder.join("three")).unwrap(), "three\n");
        assert_eq!((mode(&folder), mode(&folder.join("two"))), (0o700, 0o400));
    }
}
