//! Where configs are kept: told to the head when it is known, since the disk is found only after drivers have loaded.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Where configs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Nobody knows yet: drivers load, disks appear. Left when the disk is there or given up.
    Looking,
    /// In memory alone: a restart of the machine forgets them.
    Memory {
        /// Why, for a person.
        reason: String,
    },
    /// On STATE, which is mounted there.
    State(PathBuf),
}

impl Storage {
    /// What is known before anybody has looked: STATE stays mounted over a restart of this daemon.
    #[must_use]
    pub fn at_start(state: &Path) -> Self {
        if is_mounted(state) {
            Self::State(state.to_owned())
        } else {
            Self::Looking
        }
    }
}

/// Whether a file system begins at this folder.
fn is_mounted(folder: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|it| it.dev()).ok();
    let above = folder.parent().and_then(device);
    device(folder).is_some_and(|own| above.is_some_and(|above| above != own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_state_is_known_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["", "missing"] {
            let path = folder.path().join(path);
            assert_eq!(Storage::at_start(&path), Storage::Looking);
        }
        let mounted = Path::new("/proc");
        assert_eq!(
            Storage::at_start(mounted),
            Storage::State(mounted.to_owned())
        );
    }
}
