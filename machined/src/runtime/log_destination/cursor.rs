//! How far each log was sent, kept across our death.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::network::file;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// Another destination of the same name has been sent nothing yet.
    url: String,
    /// Where each log is to be read on, by its source.
    places: BTreeMap<String, u64>,
    /// Lines that were lost without a word of it yet.
    unsaid: u64,
}

/// How far each log was sent. It is written when it is dropped, too: only a death by force lets it be behind.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    kept: Kept,
    written: Kept,
}

impl Cursor {
    /// As it was left; from the beginning, when it was left by nobody or by a destination elsewhere.
    pub(super) fn open(path: PathBuf, url: &str) -> Self {
        let bytes = fs::read(&path).unwrap_or_default();
        let written = serde_json::from_slice(&bytes).unwrap_or_default();
        let kept = match written {
            Kept { url: ref was, .. } if was == url => written.clone(),
            _ => Kept {
                url: url.to_owned(),
                ..Kept::default()
            },
        };
        Self {
            path,
            kept,
            written,
        }
    }

    /// Where a log is to be read on.
    pub(super) fn place(&self, source: &str) -> Option<u64> {
        self.kept.places.get(source).copied()
    }

    /// What comes before this place of a log is not to be sent again.
    pub(super) fn advance(&mut self, source: &str, place: u64) {
        match self.kept.places.get_mut(source) {
            Some(was) => *was = place.max(*was),
            None => {
                self.kept.places.insert(source.to_owned(), place);
            }
        }
    }

    /// How many lines were lost that nobody was told of.
    pub(super) fn unsaid(&self) -> u64 {
        self.kept.unsaid
    }

    /// So many are now.
    pub(super) fn set_unsaid(&mut self, lost: u64) {
        self.kept.unsaid = lost;
    }

    /// Whether the file is behind.
    pub(super) fn is_ahead(&self) -> bool {
        self.kept != self.written
    }

    /// Writes it down.
    pub(super) fn save(&mut self) {
        if !self.is_ahead() {
            return;
        }
        let Ok(text) = serde_json::to_string(&self.kept) else {
            return;
        };
        // Without it lines are sent twice after the next start, which is better than not at all.
        if let Err(error) = file::replace(&self.path, &text) {
            tracing::debug!("{}", cosi::report(&error));
        }
        self.written = self.kept.clone();
    }

    /// Forgets a destination that is none any more.
    pub(super) fn forget(path: &Path) {
        // It may never have been sent anything.
        drop(fs::remove_file(path));
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.save();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_where_it_was_left_for_the_same_destination_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let mut cursor = Cursor::open(path.clone(), "tcp://a:1");
        assert_eq!(cursor.place("kernel"), None);
        cursor.advance("kernel", 7);
        cursor.advance("kernel", 5);
        cursor.set_unsaid(3);
        assert!(cursor.is_ahead());
        drop(cursor);
        let cursor = Cursor::open(path.clone(), "tcp://a:1");
        assert_eq!((cursor.place("kernel"), cursor.unsaid()), (Some(7), 3));
        assert!(!cursor.is_ahead());
        let other = Cursor::open(path.clone(), "tcp://b:1");
        assert_eq!(other.place("kernel"), None);
        drop((cursor, other));
        fs::write(&path, "{").unwrap();
        assert_eq!(
            Cursor::open(path.clone(), "tcp://a:1").place("kernel"),
            None
        );
        Cursor::forget(&path);
        Cursor::forget(&path);
        assert!(!path.exists());
    }
}
