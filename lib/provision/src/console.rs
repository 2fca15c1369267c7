//! What a machine says on its serial console.
//!
//! A node draws facts about itself, all of them anew on every change, as lines that begin with `garboard:`. The kernel
//! writes to the same wire at any moment, in the middle of such a line too: it is put together again (`lines`), and
//! taken only when it is whole and right. Parsing is pure ([`Facts`]); [`Console`] reads the file that QEMU keeps.

mod lines;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lines::Lines;

/// What machine-readable lines begin with.
const PREFIX: &str = "garboard: ";

/// What a kernel says first of all, at the zero of its own time.
const BEGINNING: &str = "[    0.000000] Linux version ";

/// The letters of Crockford's base 32: no I, L, O, U.
const LETTERS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A pairing string: six groups of four, the server key's fingerprint in the first four, the secret in the last two.
#[derive(Clone, PartialEq, Eq)]
pub struct Pairing(String);

impl Pairing {
    /// The string as printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pairing(..)")
    }
}

/// A text that is no pairing string.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a pairing string is six groups of four letters and digits, joined by hyphens")]
pub struct PairingError;

impl FromStr for Pairing {
    type Err = PairingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let group = |group: &str| group.len() == 4 && group.chars().all(|c| LETTERS.contains(c));
        let fine = text.split('-').count() == 6 && text.split('-').all(group);
        fine.then(|| Self(text.to_owned())).ok_or(PairingError)
    }
}

/// An address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of its network's prefix.
    pub prefix: u8,
}

/// What a console shows: the facts of the node's last drawing, which begins with its version. A kernel that starts
/// knows nothing yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The version of the system.
    pub version: Option<String>,
    /// The node's name, once it has one.
    pub name: Option<String>,
    /// The name of its cluster, where its config says that.
    pub cluster: Option<String>,
    /// The stage the node is in.
    pub stage: Option<String>,
    /// The state of each link, in the kernel's words.
    pub links: BTreeMap<String, String>,
    /// The addresses per link.
    pub addresses: BTreeMap<String, Vec<LinkAddress>>,
    /// Where the API listens, once it answers.
    pub api: Option<SocketAddr>,
    /// The pairing string, in maintenance.
    pub pairing: Option<Pairing>,
    /// What the node waits for.
    pub waiting: Vec<String>,
    /// The last thing that went wrong.
    pub error: Option<String>,
}

impl Facts {
    /// Takes in one line; gives whether it was a fact.
    pub fn take(&mut self, line: &str) -> bool {
        let line = without_escapes(line);
        if line.contains(BEGINNING) {
            *self = Self::default();
        }
        let Some((_, said)) = line.rsplit_once(PREFIX) else {
            return false;
        };
        self.fact(said.trim()).is_some()
    }

    fn fact(&mut self, said: &str) -> Option<()> {
        let (subject, rest) = said.split_once(' ')?;
        let mut words = rest.split_ascii_whitespace();
        let first = words.next()?;
        match subject {
            "version" => {
                *self = Self {
                    version: Some(first.to_owned()),
                    ..Self::default()
                };
            }
            "name" => self.name = Some(first.to_owned()),
            "cluster" => self.cluster = Some(first.to_owned()),
            "stage" => {
                let plain = |c: char| c.is_ascii_lowercase() || c == '-';
                first.chars().all(plain).then_some(())?;
                self.stage = Some(first.to_owned());
            }
            "link" => {
                let state = words.next()?;
                self.links.insert(first.to_owned(), state.to_owned());
            }
            "address" => {
                let found = cidr(words.next()?)?;
                let addresses = self.addresses.entry(first.to_owned()).or_default();
                addresses.retain(|known| *known != found);
                addresses.push(found);
            }
            "api" => {
                let address = first.parse().ok()?;
                (words.next()? == "ready").then_some(())?;
                self.api = Some(address);
            }
            "pairing" => self.pairing = Some(first.parse().ok()?),
            "waiting" => self.waiting.push(rest.to_owned()),
            "error" => self.error = Some(rest.to_owned()),
            _ => return None,
        }
        Some(())
    }

    /// The first IPv4 address of any link.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        let all = self.addresses.values().flatten();
        all.filter_map(|found| match found.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .next()
    }
}

fn cidr(text: &str) -> Option<LinkAddress> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix = prefix.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (prefix <= most).then_some(LinkAddress { address, prefix })
}

/// A line without terminal escapes and other control characters; firmware and kernels send both.
#[must_use]
pub fn without_escapes(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.next_if_eq(&'[').is_some() {
                // Parameters until the letter that ends the sequence.
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
        } else if !c.is_control() || c == '\t' {
            plain.push(c);
        }
    }
    plain
}

/// Why a console cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct ConsoleError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// A reader of one machine's console, from its first line on or from where it was told to forget the rest.
#[derive(Clone, Debug)]
pub struct Console {
    path: PathBuf,
    offset: u64,
    lines: Lines,
    facts: Facts,
}

impl Console {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            offset: 0,
            lines: Lines::default(),
            facts: Facts::default(),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is shown, as of the last [`Console::read`].
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Forgets what was said until now, the line under way included: only what follows counts.
    ///
    /// A node may be at drawing: what it had begun to say still comes. So this alone does not tell a fact that is new
    /// from an old one; what is waited for must be something that was not so before.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn forget(&mut self) -> Result<(), ConsoleError> {
        self.read()?;
        self.lines.forget();
        self.facts = Facts::default();
        Ok(())
    }

    /// Reads what is new and gives its whole lines. A file that is not there yet is empty.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&mut self) -> Result<Vec<String>, ConsoleError> {
        let new = self.bytes().map_err(|source| ConsoleError {
            path: self.path.clone(),
            source,
        })?;
        self.offset += u64::try_from(new.len()).unwrap_or(u64::MAX);
        let lines = self.lines.take(&new);
        for line in &lines {
            self.facts.take(line);
        }
        Ok(lines)
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut new = Vec::new();
        match File::open(&self.path) {
            Ok(mut file) => {
                file.seek(SeekFrom::Start(self.offset))?;
                file.read_to_end(&mut new)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(new)
    }
}

/// The last lines of a text file, for messages; empty when there is none.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text
        .lines()
        .map(without_escapes)
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(count);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests;
