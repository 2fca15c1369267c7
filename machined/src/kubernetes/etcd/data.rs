//! The folder of etcd's data, and whether it may begin.
//!
//! A member with data goes on with it. One without must never begin by itself: it may be a node that lost its disk, whose
//! cluster goes on elsewhere, and a second cluster in its place would lose all that the first one knows. So somebody says
//! once, on one node, that a cluster begins, from nothing or from a snapshot; every other node joins. What was said is kept
//! beside the data, on the same disk, so that it is lost with it.
//!
//! Each of these files is whole before it has its name, and in every one of them its being there says all: power may go at any
//! line here.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use crate::kubernetes::folder::{put, sync};

/// Where etcd keeps what it knows.
pub const FOLDER: &str = "/var/lib/etcd";

/// What it makes in there first: its log and what it has applied of it.
const MEMBER: &str = "member";

/// The file that says that a cluster begins here.
const BEGIN: &str = "begin";

/// The snapshot that a cluster begins from here, while it has not.
pub const SNAPSHOT: &str = "recover.db";

/// The file with the members that this one was told of when it joined.
const JOIN: &str = "join";

/// The file that says that the node has left, and does not join by itself.
const LEFT: &str = "left";

/// The data of a member that it was before. Nobody reads it but people.
const OLD: &str = "old";

/// How the folders begin in which snapshots become data.
const RESTORED: &str = "restored-";

/// What is there to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A member's. Those it was told of when it joined; `None` of one that a cluster began with.
    Member(Option<String>),
    /// None, and a snapshot to make it from. The number tells it from any other one.
    Recovers(u64),
    /// None, and the order to begin.
    Begins,
    /// None, or none that counts: the node has left.
    Left,
    /// None, and the members to join.
    Joins(String),
    /// None.
    None,
}

/// Removes a file, for good once the folder is synced; says whether it was there.
fn take(folder: &Path, name: &str) -> io::Result<bool> {
    match fs::remove_file(folder.join(name)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn text(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks at a folder of data, and changes nothing.
///
/// # Errors
/// It cannot be read.
pub fn look(folder: &Path) -> io::Result<Data> {
    if folder.join(LEFT).try_exists()? {
        return Ok(Data::Left);
    }
    let join = text(&folder.join(JOIN))?;
    // Not the folder alone: one that a life before made and did not fill is no data.
    if folder.join(MEMBER).join("wal").try_exists()? {
        return Ok(Data::Member(join));
    }
    match fs::metadata(folder.join(SNAPSHOT)) {
        Ok(found) => {
            let nanos = found.mtime().unsigned_abs().wrapping_mul(1_000_000_000);
            return Ok(Data::Recovers(
                nanos.wrapping_add(found.mtime_nsec().unsigned_abs()),
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if folder.join(BEGIN).try_exists()? {
        return Ok(Data::Begins);
    }
    Ok(join.map_or(Data::None, Data::Joins))
}

/// Takes away what was carried out: whoever loses this member's data later loses the order to begin with it.
///
/// # Errors
/// It cannot be taken away.
pub fn tidy(folder: &Path) -> io::Result<()> {
    let mut changed = take(folder, BEGIN)?;
    changed |= take(folder, SNAPSHOT)?;
    changed |= remove_attempts(folder)?;
    match changed {
        true => sync(folder),
        false => Ok(()),
    }
}

/// Removes every folder in which a snapshot was to become data; says whether there was one.
fn remove_attempts(folder: &Path) -> io::Result<bool> {
    let attempts = attempts(folder)?;
    for attempt in &attempts {
        fs::remove_dir_all(restored(folder, *attempt))?;
    }
    Ok(!attempts.is_empty())
}

/// Says that a cluster begins here, so that it holds when the power goes right after.
///
/// # Errors
/// It cannot be written.
pub fn begin(folder: &Path) -> io::Result<()> {
    put(folder, BEGIN, "")?;
    forget(folder)
}

/// Says that a cluster begins here from a snapshot, whose file was `unfinished` until now and is whole.
///
/// # Errors
/// It cannot be moved.
pub fn recover(folder: &Path, unfinished: &Path, uid: u32) -> io::Result<()> {
    chown(unfinished, Some(uid), Some(uid))?;
    fs::rename(unfinished, folder.join(SNAPSHOT))?;
    sync(folder)?;
    folder.parent().map_or(Ok(()), sync)?;
    forget(folder)
}

/// Forgets what else was to become of a folder without data.
fn forget(folder: &Path) -> io::Result<()> {
    take(folder, JOIN)?;
    take(folder, LEFT)?;
    sync(folder)
}

/// Says which members the node is to join; nothing is written when that was said before.
///
/// # Errors
/// It cannot be written.
pub fn join(folder: &Path, members: &str) -> io::Result<()> {
    match text(&folder.join(JOIN))? {
        Some(before) if before == members => Ok(()),
        _ => put(folder, JOIN, members),
    }
}

/// Says that the node has left.
///
/// # Errors
/// It cannot be written.
pub fn leave(folder: &Path) -> io::Result<()> {
    put(folder, LEFT, "")
}

/// Has a node that left join again. Its data, which is of no use any more, is moved away; that of the time before goes, and so does
/// every order to begin: what was to come of the node before it left would be a second cluster beside the one it joins. Neither
/// etcd nor what makes data of a snapshot may run.
///
/// # Errors
/// It cannot be moved. The node has still left, then.
pub fn rejoin(folder: &Path) -> io::Result<()> {
    let (member, old) = (folder.join(MEMBER), folder.join(OLD));
    if member.try_exists()? {
        if old.try_exists()? {
            fs::remove_dir_all(&old)?;
        }
        fs::rename(&member, &old)?;
    }
    take(folder, JOIN)?;
    take(folder, BEGIN)?;
    take(folder, SNAPSHOT)?;
    remove_attempts(folder)?;
    sync(folder)?;
    // Last: until then it has left, whatever else is there.
    take(folder, LEFT)?;
    sync(folder)
}

/// The folder in which a snapshot becomes data, the nth time that is tried.
#[must_use]
pub fn restored(folder: &Path, attempt: u32) -> PathBuf {
    folder.join(format!("{RESTORED}{attempt}"))
}

/// Which times there were, in no order.
///
/// # Errors
/// The folder cannot be read.
pub fn attempts(folder: &Path) -> io::Result<Vec<u32>> {
    let mut attempts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|it| it.strip_prefix(RESTORED));
        attempts.extend(number.and_then(|it| it.parse::<u32>().ok()));
    }
    Ok(attempts)
}

/// Makes what a snapshot became this member's data; `false` when there is no such thing. Whoever made it has ended well.
///
/// # Errors
/// It cannot be moved.
pub fn adopt(folder: &Path, attempt: u32) -> io::Result<bool> {
    let made = restored(folder, attempt).join(MEMBER);
    if !made.join("wal").try_exists()? {
        return Ok(false);
    }
    // All that the program wrote, whether or not it saw to that itself.
    nix::unistd::syncfs(&File::open(folder)?)?;
    let member = folder.join(MEMBER);
    if member.try_exists()? {
        // One without a log: a life before made it, and nothing is in it.
        fs::remove_dir_all(&member)?;
    }
    fs::rename(made, member)?;
    sync(folder)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::folder::make;

    fn own() -> u32 {
        nix::unistd::getuid().as_raw()
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("etcd");
        make(&folder, own()).unwrap();
        (parent, folder)
    }

    fn filled(folder: &Path) {
        fs::create_dir_all(folder.join(MEMBER).join("wal")).unwrap();
    }

    #[test]
    fn it_begins_only_when_somebody_said_so() {
        let (_parent, folder) = folder();
        assert_eq!(look(&folder).unwrap(), Data::None);
        begin(&folder).unwrap();
        // A life before may have done either.
        make(&folder, own()).unwrap();
        begin(&folder).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::Begins);
        fs::create_dir(folder.join(MEMBER)).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::Begins);
        filled(&folder);
        assert_eq!(look(&folder).unwrap(), Data::Member(None));
        tidy(&folder).unwrap();
        // The data is lost, and nobody says again that a cluster begins.
        fs::remove_dir_all(folder.join(MEMBER)).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::None);
    }

    #[test]
    fn a_snapshot_becomes_data_when_all_of_it_is_there() {
        let (_parent, folder) = folder();
        join(&folder, "a=https://10.0.0.1:2380").unwrap();
        let unfinished = folder.join(".recover");
        fs::write(&unfinished, "data").unwrap();
        recover(&folder, &unfinished, own()).unwrap();
        assert!(matches!(look(&folder).unwrap(), Data::Recovers(_)));
        assert!(!adopt(&folder, 1).unwrap());
        let made = restored(&folder, 1).join(MEMBER);
        fs::create_dir_all(made.join("snap")).unwrap();
        assert!(!adopt(&folder, 1).unwrap(), "its log comes last");
        fs::create_dir(made.join("wal")).unwrap();
        fs::create_dir(restored(&folder, 7)).unwrap();
        assert_eq!(attempts(&folder).unwrap().iter().max(), Some(&7));
        // An empty one of a life before is in the way of none.
        fs::create_dir(folder.join(MEMBER)).unwrap();
        assert!(adopt(&folder, 1).unwrap());
        assert_eq!(look(&folder).unwrap(), Data::Member(None));
        tidy(&folder).unwrap();
        assert_eq!(attempts(&folder).unwrap(), [0; 0]);
        assert!(!folder.join(SNAPSHOT).exists());
    }

    #[test]
    fn a_node_that_left_joins_again_only_by_order() {
        let (_parent, folder) = folder();
        join(&folder, "a=https://10.0.0.1:2380").unwrap();
        let joins = Data::Joins("a=https://10.0.0.1:2380".to_owned());
        assert_eq!(look(&folder).unwrap(), joins);
        for life in ["one", "two"] {
            filled(&folder);
            fs::write(folder.join(MEMBER).join("life"), life).unwrap();
            leave(&folder).unwrap();
            assert_eq!(look(&folder).unwrap(), Data::Left);
            rejoin(&folder).unwrap();
            assert_eq!(look(&folder).unwrap(), Data::None);
            let kept = fs::read_to_string(folder.join(OLD).join("life"));
            assert_eq!(kept.unwrap(), life);
        }
        leave(&folder).unwrap();
        begin(&folder).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::Begins);
    }

    #[test]
    fn nothing_is_restored_on_a_node_that_left_and_joins() {
        let (_parent, folder) = folder();
        let unfinished = folder.join(".recover");
        fs::write(&unfinished, "no snapshot that etcd likes").unwrap();
        recover(&folder, &unfinished, own()).unwrap();
        fs::create_dir_all(restored(&folder, 1).join(MEMBER).join("snap")).unwrap();
        leave(&folder).unwrap();
        rejoin(&folder).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::None);
        assert_eq!(attempts(&folder).unwrap(), [0; 0]);
        // A cluster that begins then begins from nothing.
        begin(&folder).unwrap();
        assert_eq!(look(&folder).unwrap(), Data::Begins);
    }
}
