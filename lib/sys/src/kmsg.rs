//! Writing to the kernel log.
//!
//! Owns: the record format of `/dev/kmsg`. Never fails loudly: a line that cannot be written is lost, because there is
//! no better place left to say so.

use std::fs::File;
use std::io::{self, Write};

/// The facility `daemon` of syslog, so that readers can tell these lines from the kernel's own.
const FACILITY: u8 = 3;
/// Where a line is cut: the kernel takes 1024 bytes with its own prefix.
const MAX_LINE: usize = 960;

/// How serious a line is, with the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The system cannot go on.
    Critical = 2,
    /// Something failed.
    Error = 3,
    /// Something is not as it should be.
    Warning = 4,
    /// Something happened.
    Info = 6,
}

/// The kernel log, open for writing.
#[derive(Debug)]
pub struct Kmsg {
    file: File,
}

impl Kmsg {
    /// Opens `/dev/kmsg`.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            file: File::options().write(true).open("/dev/kmsg")?,
        })
    }

    /// Writes each line of `text` as one record.
    pub fn write(&self, level: Level, text: &str) {
        for line in text.lines() {
            // One write is one record. A lost line is no reason to stop.
            let _ = (&self.file).write(record(level, line).as_bytes());
        }
    }
}

fn record(level: Level, line: &str) -> String {
    let mut end = line.len().min(MAX_LINE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    format!(
        "<{}>{}\n",
        FACILITY << 3 | level as u8,
        line.get(..end).unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_priority_and_bounded_text() {
        assert_eq!(record(Level::Info, "init: x"), "<30>init: x\n");
        assert_eq!(
            record(Level::Error, &"\u{20ac}".repeat(400)).len(),
            4 + MAX_LINE + 1
        );
    }
}
