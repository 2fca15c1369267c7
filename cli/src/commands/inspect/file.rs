//! Files as `ls -l` shows them.

use api::v1alpha1::{FileKind, ListFilesResponse};
use serde::Serialize;

use super::Row;
use crate::commands::stream::time;
use crate::output::size;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File {
    pub(super) name: String,
    kind: &'static str,
    mode: String,
    uid: u32,
    gid: u32,
    bytes: u64,
    modified: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    target: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
}

impl File {
    /// One of the files at a path; what has no name there is what the path names.
    pub(super) fn of(path: &str, said: ListFilesResponse) -> Self {
        let kind = said.kind();
        let modified = said.modified.as_ref().map(time);
        Self {
            kind: word(kind),
            mode: mode(kind, said.mode),
            name: match said.name {
                name if name.is_empty() => path.to_owned(),
                name => name,
            },
            uid: said.uid,
            gid: said.gid,
            bytes: said.bytes,
            modified: modified.unwrap_or_default(),
            target: said.target,
            error: said.error,
        }
    }
}

fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Other => "other",
        FileKind::Regular => "regular",
        FileKind::Folder => "folder",
        FileKind::Link => "link",
        FileKind::BlockDevice => "block-device",
        FileKind::CharacterDevice => "character-device",
        FileKind::Pipe => "pipe",
        FileKind::Socket => "socket",
    }
}

/// The ten characters of `ls -l`.
fn mode(kind: FileKind, bits: u32) -> String {
    let first = match kind {
        FileKind::Other => '?',
        FileKind::Regular => '-',
        FileKind::Folder => 'd',
        FileKind::Link => 'l',
        FileKind::BlockDevice => 'b',
        FileKind::CharacterDevice => 'c',
        FileKind::Pipe => 'p',
        FileKind::Socket => 's',
    };
    // Who (user, group, others), the bit that changes how execution reads, and the letter for it.
    let whose = [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')];
    let mut text = String::from(first);
    for (shift, special, letter) in whose {
        let has = |bit: u32| bits >> shift & bit != 0;
        text.push(if has(4) { 'r' } else { '-' });
        text.push(if has(2) { 'w' } else { '-' });
        text.push(match (bits & special != 0, has(1)) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

impl Row for File {
    const HEADINGS: &'static [&'static str] = &["MODE", "OWNER", "SIZE", "MODIFIED", "NAME"];

    fn cells(&self) -> Vec<String> {
        let mut name = self.name.clone();
        for (sign, what) in [(" -> ", &self.target), (": ", &self.error)] {
            if !what.is_empty() {
                name.push_str(sign);
                name.push_str(what);
            }
        }
        vec![
            self.mode.clone(),
            format!("{}:{}", self.uid, self.gid),
            size(self.bytes),
            self.modified.clone(),
            name,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_as_everybody_knows_them() {
        for (kind, bits, text) in [
            (FileKind::Regular, 0o644, "-rw-r--r--"),
            (FileKind::Folder, 0o1777, "drwxrwxrwt"),
            (FileKind::Regular, 0o4750, "-rwsr-x---"),
            (FileKind::Regular, 0o2640, "-rw-r-S---"),
            (FileKind::Socket, 0, "s---------"),
        ] {
            assert_eq!(mode(kind, bits), text);
        }
    }

    #[test]
    fn links_and_what_cannot_be_seen_say_so() {
        let mut said = ListFilesResponse {
            name: "mtab".into(),
            target: "/proc/mounts".into(),
            ..ListFilesResponse::default()
        };
        let last = |said: &ListFilesResponse| {
            let file = File::of("/etc/mtab", said.clone());
            file.cells().pop().unwrap()
        };
        assert_eq!(last(&said), "mtab -> /proc/mounts");
        said.target.clear();
        said.error = "Permission denied (os error 13)".into();
        assert_eq!(last(&said), "mtab: Permission denied (os error 13)");
        (said.name, said.error) = (String::new(), String::new());
        assert_eq!(last(&said), "/etc/mtab");
    }
}
