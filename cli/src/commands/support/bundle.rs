//! The file itself: a tar archive, packed by gzip, which everybody can open.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use crate::files::{Existing, write_whole};

/// One file in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    name: String,
    content: Vec<u8>,
}

impl File {
    pub(super) fn new(name: &str, content: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            content,
        }
    }

    /// The same in a folder.
    pub(super) fn below(&self, folder: &str) -> Self {
        Self {
            name: format!("{folder}/{}", self.name),
            content: self.content.clone(),
        }
    }
}

/// A name that is safe as one part of a path: what nodes call things may be anything.
pub(super) fn name(text: &str) -> String {
    let safe = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | ':' => character,
        _ => '_',
    };
    let name: String = text.chars().map(safe).collect();
    if name.starts_with('.') || name.is_empty() {
        format!("_{name}")
    } else {
        name
    }
}

/// Writes the archive: whole or not at all, for its owner's eyes, and never over something else.
pub(super) fn write(path: &Path, files: &[File], now: Timestamp) -> Result<()> {
    write_whole(path, Existing::Keep, |file| pack(file, files, now))
}

fn pack(file: &mut fs::File, files: &[File], now: Timestamp) -> io::Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for File { name, content } in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(content.len()).map_err(io::Error::other)?);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now.as_second()).unwrap_or_default());
        archive.append_data(&mut header, format!("support/{name}"), content.as_slice())?;
    }
    archive.into_inner()?.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.tar.gz");
        let long = name(&"x".repeat(150));
        let files = [
            File::new("osctl.txt", b"own".to_vec()),
            File::new("dmesg.log", vec![7; 100_000]).below(&long),
        ];
        write(&path, &files, Timestamp::UNIX_EPOCH).unwrap();
        let packed = fs::read(&path).unwrap();
        let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.insert(entry.path().unwrap().display().to_string(), content);
        }
        let expected = [
            ("support/osctl.txt".to_owned(), b"own".to_vec()),
            (format!("support/{long}/dmesg.log"), vec![7; 100_000]),
        ];
        assert_eq!(found, expected.into());

        assert!(write(&path, &files, Timestamp::UNIX_EPOCH).is_err());
        assert_eq!(fs::read(&path).unwrap(), packed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_nodes_names_stay_in_their_folder() {
        for (text, safe) in [
            ("cp-1", "cp-1"),
            ("10.0.0.1:50000", "10.0.0.1:50000"),
            ("../../etc", "_.._.._etc"),
            ("a/b\u{1b}", "a_b_"),
            ("", "_"),
        ] {
            assert_eq!(name(text), safe);
        }
    }
}
