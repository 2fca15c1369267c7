//! What is known of a generation beside its text: when it was applied, by whom, how. In a file of its own, so that the text
//! stays what its hash says; losing it loses nothing but this knowledge.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was applied, by the node's clock.
    pub time: Timestamp,
    /// Who applied it, for a person.
    pub by: String,
    /// How.
    pub mode: Mode,
    /// Whether it has ever been the active one. A trial that was not confirmed has not.
    pub taken: bool,
}

/// How a config takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// At once.
    Auto,
    /// With the next boot.
    Staged,
    /// At once, and for a while unless it is confirmed.
    Try,
}

impl Mode {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Staged => "staged",
            Self::Try => "try",
        }
    }
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Text {
    time: String,
    by: String,
    mode: Mode,
    taken: bool,
}

impl Record {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let Self {
            time,
            by,
            mode,
            taken,
        } = self.clone();
        let text = Text {
            time: time.to_string(),
            by,
            mode,
            taken,
        };
        // There is nothing in it that JSON cannot say.
        serde_json::to_vec(&text).unwrap_or_default()
    }

    /// `None` when it is damaged.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let Text {
            time,
            by,
            mode,
            taken,
        } = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            time: time.parse().ok()?,
            by,
            mode,
            taken,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_part_of_it() {
        for mode in [Mode::Auto, Mode::Staged, Mode::Try] {
            let record = Record {
                time: Timestamp::from_second(1_790_000_000).unwrap(),
                by: "admin \"of\" all\nnodes".to_owned(),
                mode,
                taken: mode == Mode::Auto,
            };
            let bytes = record.to_bytes();
            assert_eq!(Record::from_bytes(&bytes), Some(record));
            for length in 0..bytes.len() {
                assert_eq!(Record::from_bytes(&bytes[..length]), None);
            }
        }
    }
}
