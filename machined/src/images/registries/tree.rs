//! Puts a whole tree of files in the place of another.
//!
//! Its place is a link to one of two folders beside it. The new tree is written into the other, and the link replaced: a reader finds the
//! old tree or the new one, and never a part. Whatever is cut short is taken away by the next who writes. It is in memory and does not
//! outlive the boot, so nothing is synced.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::render::Tree;

/// The folders.
const FOLDERS: [&str; 2] = ["a", "b"];

/// A tree could not be written.
#[derive(Debug, Error)]
#[error("write {}", path.display())]
pub(super) struct TreeError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Where the two folders are.
fn shelf(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().display();
    place.with_file_name(format!(".{name}"))
}

/// Makes a place hold this tree and nothing else, for nobody but its owner; whether anything was changed.
///
/// # Errors
/// It cannot be written; what was there before stays.
pub(super) fn replace(place: &Path, tree: &Tree) -> Result<bool, TreeError> {
    let shelf = shelf(place);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TreeError { path, source }
    };
    let used = fs::read_link(place).ok();
    let used = used.as_deref().and_then(Path::file_name);
    let [first, second] = FOLDERS;
    let (next, last) = if used == Some(first.as_ref()) {
        (second, first)
    } else {
        (first, second)
    };
    let (next, last) = (shelf.join(next), shelf.join(last));
    remove(&next).map_err(failed(&next))?;
    if used.is_some() && read(place).as_ref() == Some(tree) {
        return Ok(false);
    }
    write(&next, tree)?;
    let link = place.with_file_name(format!("{}.unfinished", shelf_name(&shelf)));
    remove(&link).map_err(failed(&link))?;
    // Seen from where the link is, so that the folder may be mounted elsewhere.
    let target = Path::new(&shelf_name(&shelf)).join(next.file_name().unwrap_or_default());
    symlink(target, &link).map_err(failed(&link))?;
    fs::rename(&link, place).map_err(failed(place))?;
    remove(&last).map_err(failed(&last))?;
    Ok(true)
}

fn shelf_name(shelf: &Path) -> String {
    shelf.file_name().unwrap_or_default().display().to_string()
}

/// Takes away a folder with all that is in it, or a link, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(it) if it.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(folder: &Path, tree: &Tree) -> Result<(), TreeError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    for (name, files) in tree {
        let below = folder.join(name);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TreeError { path, source }
        };
        builder.create(&below).map_err(failed(&below))?;
        for (name, text) in files {
            let path = below.join(name);
            let file = options.open(&path);
            let written = file.and_then(|mut it| it.write_all(text.as_bytes()));
            written.map_err(failed(&path))?;
        }
    }
    Ok(())
}

/// The tree that is there; none if it is none of ours, or cannot be read: then it is written anew.
fn read(place: &Path) -> Option<Tree> {
    let entries = |folder: &Path| -> Option<Vec<(String, PathBuf)>> {
        let entries = fs::read_dir(folder).ok()?.map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().into_string().ok()?, entry.path()))
        });
        entries.collect()
    };
    let folders = entries(place)?.into_iter().map(|(name, folder)| {
        let files = entries(&folder)?
            .into_iter()
            .map(|(name, path)| Some((name, fs::read_to_string(path).ok()?)));
        Some((name, files.collect::<Option<_>>()?))
    });
    folders.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn tree(files: &[(&str, &str, &str)]) -> Tree {
        let mut tree = Tree::new();
        for (folder, name, text) in files {
            let files: &mut BTreeMap<_, _> = tree.entry((*folder).to_owned()).or_default();
            files.insert((*name).to_owned(), (*text).to_owned());
        }
        tree
    }

    fn one() -> Tree {
        tree(&[
            ("a.lab:5000", "hosts.toml", "a"),
            ("_default", "hosts.toml", "b"),
        ])
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_tree_is_there_whole_and_the_one_before_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("registries");
        assert!(replace(&place, &one()).unwrap());
        assert!(!replace(&place, &one()).unwrap());
        assert_eq!(read(&place), Some(one()));
        let other = tree(&[("_default", "hosts.toml", "c")]);
        assert!(replace(&place, &other).unwrap());
        assert_eq!(read(&place), Some(other));
        assert_eq!(names(folder.path()), [".registries", "registries"]);
        assert_eq!(names(&folder.path().join(".registries")), ["b"]);
        // What somebody has changed is mended.
        fs::write(place.join("_default/hosts.toml"), "d").unwrap();
        assert!(replace(&place, &one()).unwrap());
        assert_eq!(read(&place), Some(one()));
    }

    #[test]
    fn nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("registries");
        replace(&place, &one()).unwrap();
        let mode = |path: &str| {
            let metadata = fs::metadata(place.join(path)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!(mode(""), 0o700);
        assert_eq!(mode("_default"), 0o700);
        assert_eq!(mode("_default/hosts.toml"), 0o600);
    }

    #[test]
    fn what_was_cut_short_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("registries");
        let shelf = folder.path().join(".registries");
        // Killed while it wrote the first tree.
        fs::create_dir_all(shelf.join("a/_default")).unwrap();
        assert!(replace(&place, &one()).unwrap());
        // Killed while it wrote another one, and before it replaced the link.
        fs::create_dir_all(shelf.join("b/half")).unwrap();
        symlink("nowhere", folder.path().join(".registries.unfinished")).unwrap();
        assert!(!replace(&place, &one()).unwrap());
        assert_eq!(names(&shelf), ["a"]);
        let other = tree(&[("_default", "hosts.toml", "c")]);
        assert!(replace(&place, &other).unwrap());
        assert_eq!(names(folder.path()), [".registries", "registries"]);
        // Killed after it had replaced the link.
        fs::create_dir_all(shelf.join("a/_default")).unwrap();
        assert!(!replace(&place, &other).unwrap());
        assert_eq!(names(&shelf), ["b"]);
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("registries");
        fs::create_dir(&place).unwrap();
        let error = replace(&place, &one()).unwrap_err();
        assert_eq!(error.to_string(), format!("write {}", place.display()));
    }
}
