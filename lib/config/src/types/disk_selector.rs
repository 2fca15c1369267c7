//! Which disk is meant, in a small typed language over what is known of disks.
//!
//! It is a subset of CEL's grammar with sizes added. All of it is checked when it is read: names, types, words and
//! depth, so a selector that stands in a config says yes or no of any disk, and never an error. See
//! `docs/adr/0007-disk-selector.md` for why it is not an engine of CEL.

mod error;
mod parse;
#[cfg(test)]
mod tests;
mod token;

use std::fmt;
use std::str::FromStr;

use derive::Schema;

pub use error::{DiskSelectorError, DiskSelectorFault};

/// The most characters of a selector: several times what tells any disk from all others.
const MAX_CHARS: usize = 256;

/// A condition that tells disks apart, such as `size >= 100GiB && bus == "nvme" && !rotational` or `serial ==
/// "S64GNE0R123456"`; put it in single quotes where it begins with `!`.
#[derive(Clone, Debug, PartialEq, Eq, Schema)]
#[schema(text)]
pub struct DiskSelector {
    /// As it was written.
    text: String,
    test: Test,
}

/// What a selector looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskFacts<'a> {
    /// The kernel's name of it, such as `sda`, which may be another disk's after the next start.
    pub name: &'a str,
    /// The size in bytes; 0 for a drive without a medium.
    pub size: u64,
    /// The model; empty where the disk does not say.
    pub model: &'a str,
    /// The serial number; empty where the disk does not say.
    pub serial: &'a str,
    /// The world-wide name; empty where the disk has none.
    pub wwid: &'a str,
    /// The innermost PCI address on the way to it; empty for none.
    pub bus_path: &'a str,
    /// How it is attached.
    pub bus: DiskBus,
    /// It has platters that turn.
    pub rotational: bool,
    /// Its medium can be taken out.
    pub removable: bool,
}

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskBus {
    /// A disk of the hypervisor.
    Virtio,
    /// NVM Express.
    Nvme,
    /// ATA, serial or parallel.
    Ata,
    /// SCSI, and what looks like it.
    Scsi,
    /// USB.
    Usb,
    /// An SD card or eMMC.
    Mmc,
    /// None of those.
    Other,
}

impl DiskBus {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Virtio,
        Self::Nvme,
        Self::Ata,
        Self::Scsi,
        Self::Usb,
        Self::Mmc,
        Self::Other,
    ];

    /// The word for it in a selector, and in the resource of a disk.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Nvme => "nvme",
            Self::Ata => "ata",
            Self::Scsi => "scsi",
            Self::Usb => "usb",
            Self::Mmc => "mmc",
            Self::Other => "other",
        }
    }

    /// The one of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }
}

/// A selector as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// All of several are so.
    All(Vec<Test>),
    /// One of several is so.
    Any(Vec<Test>),
    /// The other is not so.
    Not(Box<Test>),
    /// The size, compared with a number of bytes.
    Size(Order, u64),
    /// The text of a field.
    Text(TextField, TextTest, String),
    /// The bus.
    Bus(DiskBus),
    /// A field that is true or false.
    Flag(Flag),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextField {
    Name,
    Model,
    Serial,
    Wwid,
    BusPath,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextTest {
    Equals,
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Rotational,
    Removable,
}

impl DiskSelector {
    /// As it was written, without spaces at its ends.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a disk is as the selector says.
    #[must_use]
    pub fn fits(&self, disk: &DiskFacts<'_>) -> bool {
        self.test.holds(disk)
    }
}

impl Test {
    /// The parser bounds how deep this goes.
    fn holds(&self, disk: &DiskFacts<'_>) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|it| it.holds(disk)),
            Self::Any(tests) => tests.iter().any(|it| it.holds(disk)),
            Self::Not(test) => !test.holds(disk),
            Self::Size(order, bytes) => order.holds(disk.size, *bytes),
            Self::Text(field, test, text) => test.holds(field.of(disk), text),
            Self::Bus(bus) => disk.bus == *bus,
            Self::Flag(Flag::Rotational) => disk.rotational,
            Self::Flag(Flag::Removable) => disk.removable,
        }
    }
}

impl Order {
    fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::More => left > right,
            Self::MoreOrEqual => left >= right,
        }
    }
}

impl TextField {
    fn of<'a>(self, disk: &DiskFacts<'a>) -> &'a str {
        match self {
            Self::Name => disk.name,
            Self::Model => disk.model,
            Self::Serial => disk.serial,
            Self::Wwid => disk.wwid,
            Self::BusPath => disk.bus_path,
        }
    }
}

impl TextTest {
    fn holds(self, of_the_disk: &str, text: &str) -> bool {
        match self {
            Self::Equals => of_the_disk == text,
            Self::StartsWith => of_the_disk.starts_with(text),
            Self::EndsWith => of_the_disk.ends_with(text),
            Self::Contains => of_the_disk.contains(text),
        }
    }
}

impl FromStr for DiskSelector {
    type Err = DiskSelectorError;

    fn from_str(text: &str) -> Result<Self, DiskSelectorError> {
        let text = text.trim_matches(token::is_space);
        let length = text.chars().count();
        if length > MAX_CHARS {
            return Err(DiskSelectorFault::Long(length).whole());
        }
        Ok(Self {
            test: parse::parse(text)?,
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for DiskSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

super::as_text!(DiskSelector);
