//! The files of logs in the folder of a boot: `NAME@PLACE.log`, the place being that of its first byte in the whole log.

use std::fs;
use std::io;
use std::path::Path;

/// A file with a part of a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// Whose log.
    pub(super) name: String,
    /// Where it begins in the whole log, in bytes.
    pub(super) start: u64,
    /// How long it is.
    pub(super) bytes: u64,
}

impl Segment {
    /// Where the next one goes on.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes)
    }

    pub(super) fn file(&self) -> String {
        file(&self.name, self.start)
    }
}

/// The name of the file of a log that begins at a place.
pub(super) fn file(name: &str, start: u64) -> String {
    format!("{name}@{start:020}.log")
}

/// What a file's name says; `None` for one that is no part of a log.
pub(super) fn parse(file: &str) -> Option<(&str, u64)> {
    let (name, start) = file.strip_suffix(".log")?.rsplit_once('@')?;
    let plain = start.len() == 20 && start.bytes().all(|byte| byte.is_ascii_digit());
    let start = plain.then(|| start.parse().ok())??;
    (!name.is_empty()).then_some((name, start))
}

/// All parts of all logs in a folder, each log's in order.
pub(super) fn all(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        if let Some((name, start)) = file.to_str().and_then(parse) {
            segments.push(Segment {
                name: name.to_owned(),
                start,
                bytes: entry.metadata()?.len(),
            });
        }
    }
    segments.sort();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_and_where_and_nothing_else_passes_for_one() {
        let name = file("containerd", 4096);
        assert_eq!(name, "containerd@00000000000000004096.log");
        assert_eq!(parse(&name), Some(("containerd", 4096)));
        for other in [
            "boot.json",
            "a@1.log",
            "@00000000000000000001.log",
            "a@0000000000000000000x.log",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(parse(&file("a", u64::MAX)), Some(("a", u64::MAX)));
    }
}
