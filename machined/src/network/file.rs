//! Small files under `/run` that others read at any moment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file could not be replaced.
#[derive(Debug, thiserror::Error)]
#[error("write {}", path.display())]
pub(crate) struct ReplaceError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Makes the file hold this text, so that a reader sees the old or the new text and never a part.
/// It does not outlive the machine, so nothing is synced. Until it is whole its name is a hidden one: whoever reads all files
/// of a folder leaves those out.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), ReplaceError> {
    let replaced = replace_by(path, text, |unfinished| fs::write(unfinished, text));
    replaced.map_err(|source| ReplaceError {
        path: path.to_owned(),
        source,
    })
}

/// The same where `write` makes the new file, which is not there before: for one with an owner or a mode of its own.
pub(crate) fn replace_by(
    path: &Path,
    text: &str,
    write: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().display();
    let unfinished = path.with_file_name(format!(".{name}.unfinished"));
    // One of a life before may be another one's, or have another mode.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write(&unfinished)?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_whole_and_nothing_left_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hostname");
        replace(&path, "a\n").unwrap();
        replace(&path, "b\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("no/folder"), "a").is_err());
    }
}
