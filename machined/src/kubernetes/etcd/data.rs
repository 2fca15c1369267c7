//! The folder of etcd's data, and whether it may begin.
//!
//! A member with data goes on with it. One without must never begin by itself: it may be a node that lost its disk, whose
//! cluster goes on elsewhere, and a second cluster in its place would lose all that the first one knows. So somebody says
//! once, on one node, that a cluster begins: that is kept beside the data, on the same disk, so that it is lost with it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Where etcd keeps what it knows.
pub const FOLDER: &str = "/var/lib/etcd";

/// What it makes in there first: its log and what it has applied of it.
const MEMBER: &str = "member";

/// The file that says that a cluster begins here.
const BEGIN: &str = "begin";

/// What is there to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// A member's.
    Member,
    /// None, and the order to begin.
    Begins,
    /// None.
    None,
}

/// Looks at a folder of data. An order that was carried out is taken away.
///
/// # Errors
/// It cannot be read.
pub fn look(folder: &Path) -> io::Result<Data> {
    // Not the folder alone: one that a life before made and did not fill is no data.
    if folder.join(MEMBER).join("wal").try_exists()? {
        // It has begun: who loses this data later loses the order with it.
        if folder.join(BEGIN).try_exists()? {
            fs::remove_file(folder.join(BEGIN))?;
            File::open(folder)?.sync_all()?;
        }
        return Ok(Data::Member);
    }
    Ok(match folder.join(BEGIN).try_exists()? {
        true => Data::Begins,
        false => Data::None,
    })
}

/// Says that a cluster begins here, so that it holds when the power goes right after.
///
/// # Errors
/// It cannot be written.
pub fn begin(folder: &Path) -> io::Result<()> {
    File::create(folder.join(BEGIN))?.sync_all()?;
    File::open(folder)?.sync_all()?;
    // The folder itself may be new as well.
    folder
        .parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::folder::make;

    #[test]
    fn it_begins_only_when_somebody_said_so() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("etcd");
        let own = nix::unistd::getuid().as_raw();
        make(&folder, own).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::None);
        begin(&folder).unwrap();
        // A life before may have done either.
        make(&folder, own).unwrap();
        begin(&folder).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::Begins);
        fs::create_dir(folder.join(MEMBER)).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::Begins);
        fs::create_dir(folder.join(MEMBER).join("wal")).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::Member);
        // The data is lost, and nobody says again that a cluster begins.
        fs::remove_dir_all(folder.join(MEMBER)).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::None);
    }
}
