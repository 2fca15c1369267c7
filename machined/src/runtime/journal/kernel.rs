//! The kernel's log on disk, a line for each record in the kernel's own form: `PRIORITY,SEQUENCE,MICROSECONDS,-;TEXT`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::JournalError;
use super::copy::Writer;
use crate::runtime::kmsg::{Reader, Record, parse};

/// Where the last line is looked for: longer than the kernel's longest record.
const TAIL: u64 = 16 * 1024;

/// Lines written at once.
const BATCH: usize = 64 * 1024;

/// Reads the kernel's log for its copy.
#[derive(Debug)]
pub(super) struct Kernel {
    reader: Reader,
    /// The sequence number of the last record on disk, once it was looked for.
    last: Option<Option<u64>>,
}

impl Kernel {
    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self {
            reader: Reader::open(path).map_err(JournalError::Kernel)?,
            last: None,
        })
    }

    /// Copies the records that are not on disk yet. What cannot be written is lost: the kernel gives it only once.
    pub(super) fn copy(&mut self, writer: &mut Writer<'_>) -> Result<(), JournalError> {
        let last = match self.last {
            Some(last) => last,
            None => match writer.last_file() {
                Some(path) => last_sequence(&path).map_err(JournalError::at(path))?,
                None => None,
            },
        };
        self.last = Some(last);
        let mut lines = Vec::new();
        while let Some(record) = self.reader.next_ready().map_err(JournalError::Kernel)? {
            if self
                .last
                .flatten()
                .is_some_and(|last| record.sequence <= last)
            {
                continue;
            }
            self.last = Some(Some(record.sequence));
            line(&record, &mut lines);
            if lines.len() >= BATCH {
                writer.write(writer.end(), &lines)?;
                lines.clear();
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        writer.write(writer.end(), &lines)
    }
}

fn line(record: &Record, lines: &mut Vec<u8>) {
    let priority = record.facility << 3 | u32::from(record.level);
    let text = format!(
        "{priority},{},{},-;{}\n",
        record.sequence, record.micros, record.text
    );
    lines.extend_from_slice(text.as_bytes());
}

/// The sequence number of the last whole line in a file.
fn last_sequence(path: &Path) -> io::Result<Option<u64>> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let from = end.saturating_sub(TAIL);
    let mut tail = vec![0; usize::try_from(end - from).map_err(io::Error::other)?];
    file.read_exact_at(&mut tail, from)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let lines = tail
        .get(..whole)
        .unwrap_or_default()
        .rsplit(|byte| *byte == b'\n');
    Ok(lines.filter_map(parse).map(|record| record.sequence).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_line_that_reads_as_the_same_record() {
        let record = Record {
            level: 3,
            facility: 3,
            sequence: 12,
            micros: 34,
            text: "a;b,c".to_owned(),
        };
        let mut lines = Vec::new();
        line(&record, &mut lines);
        assert_eq!(lines, b"27,12,34,-;a;b,c\n");
        assert_eq!(parse(&lines), Some(record));
    }

    #[test]
    fn the_last_whole_line_says_where_to_go_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let last = |text: &str| {
            std::fs::write(&path, text).expect("written");
            last_sequence(&path).expect("read")
        };
        assert_eq!(last(""), None);
        assert_eq!(last("6,1,2,-;a\n6,2,3,-;b\n"), Some(2));
        assert_eq!(last("6,1,2,-;a\n6,2,3,-;cut of"), Some(1));
        assert_eq!(
            last(&format!("{}6,9,3,-;b\n", "6,1,2,-;a\n".repeat(5000))),
            Some(9)
        );
    }
}
