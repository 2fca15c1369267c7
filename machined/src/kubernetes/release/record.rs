//! What has run on this node, on its disk: it is lost with what the node wrote there for the cluster.

use std::fs;
use std::io;
use std::path::Path;

use super::plan::{Record, Text};
use crate::kubernetes::folder;

/// Where it is kept.
pub const FOLDER: &str = "/var/lib/garboard";

/// The file in there.
const NAME: &str = "kubernetes.json";

/// What is kept. None, or one that is spoilt, is a record of nothing: then nobody holds the node back, and it runs.
///
/// # Errors
/// The disk cannot be read.
pub fn read(folder: &Path) -> io::Result<Record> {
    match fs::read(folder.join(NAME)) {
        Ok(bytes) => {
            let text: Text = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(text.into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
        Err(error) => Err(error),
    }
}

/// Keeps a record, for good: when the power goes, the one before or this one is there.
///
/// # Errors
/// It cannot be written; the one before is there still.
pub fn write(folder: &Path, record: Record) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let text = serde_json::to_string(&Text::from(record))?;
    folder::put(folder, NAME, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_again_and_what_is_spoilt_is_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("new");
        assert_eq!(read(&folder).unwrap(), Record::default());
        let record = Record {
            served: None,
            clients: Some("1.36.3".parse().unwrap()),
        };
        write(&folder, record).unwrap();
        assert_eq!(read(&folder).unwrap(), record);
        let record = Record {
            served: Some("1.37.1".parse().unwrap()),
            ..record
        };
        write(&folder, record).unwrap();
        assert_eq!(read(&folder).unwrap(), record);
        fs::write(folder.join(NAME), "{").unwrap();
        assert_eq!(read(&folder).unwrap(), Record::default());
    }
}
