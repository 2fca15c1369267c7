//! The form of a snapshot: etcd's file of data, and the SHA-256 of that behind it.
//!
//! A file of data is made of pages, so its length is a multiple of 512, and one with a checksum behind it is 32 bytes longer:
//! that is how etcd itself tells whether there is one. A copy of the file from a data folder has none and is refused, as
//! nobody could say whether it is whole.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use thiserror::Error;

/// The length of the checksum.
const HASH: usize = SHA256_OUTPUT_LEN;

/// How many bytes of a snapshot are the checksum behind the data.
pub const CHECKSUM: u64 = HASH as u64;

/// What the length of a file of data is a multiple of (`hasChecksum` of etcd's etcdutl).
const PAGE: u64 = 512;

/// Where bbolt's magic number is in a file of data: behind the header of its first page.
const MAGIC_AT: usize = 16;

/// bbolt's magic number, as it stands in the file of a little-endian machine.
const MAGIC: [u8; 4] = 0xED0C_DAED_u32.to_le_bytes();

/// Why something is no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoSnapshot {
    /// It begins with something else.
    #[error("it is no snapshot of etcd: it does not begin as etcd's data does")]
    Strange,
    /// Its length is not that of a snapshot.
    #[error(
        "it is no whole snapshot of etcd: with {0} bytes a part is missing, or it is a file from a data folder, which has no checksum"
    )]
    Length(u64),
    /// Its bytes are others than they were.
    #[error("the snapshot is damaged: its checksum is another one; take another copy of it")]
    Damaged,
}

/// Looks at the bytes of a snapshot as they come.
pub struct Check {
    hash: Context,
    /// The last bytes, which may be the checksum.
    tail: Vec<u8>,
    head: Vec<u8>,
    length: u64,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Default for Check {
    fn default() -> Self {
        Self {
            hash: Context::new(&SHA256),
            tail: Vec::new(),
            head: Vec::new(),
            length: 0,
        }
    }
}

impl Check {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// It can be no snapshot any more.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), NoSnapshot> {
        const HEAD: usize = MAGIC_AT + MAGIC.len();
        if self.head.len() < HEAD {
            let missing = HEAD - self.head.len();
            self.head.extend(bytes.iter().take(missing));
            if self.head.len() == HEAD && !self.head.ends_with(&MAGIC) {
                return Err(NoSnapshot::Strange);
            }
        }
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.tail.extend_from_slice(bytes);
        let sure = self.tail.len().saturating_sub(HASH);
        self.hash.update(self.tail.get(..sure).unwrap_or_default());
        self.tail.drain(..sure);
        Ok(())
    }

    /// How many bytes there were.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Says whether they were a snapshot; gives its length.
    ///
    /// # Errors
    /// Why they were none.
    pub fn end(self) -> Result<u64, NoSnapshot> {
        if self.length <= CHECKSUM || self.length % PAGE != CHECKSUM {
            return Err(NoSnapshot::Length(self.length));
        }
        match self.hash.finish().as_ref() == self.tail {
            true => Ok(self.length),
            false => Err(NoSnapshot::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Vec<u8> {
        let mut bytes = vec![7; 1024];
        bytes[MAGIC_AT..MAGIC_AT + 4].copy_from_slice(&MAGIC);
        let hash = aws_lc_rs::digest::digest(&SHA256, &bytes);
        bytes.extend_from_slice(hash.as_ref());
        bytes
    }

    fn checked(bytes: &[u8], step: usize) -> Result<u64, NoSnapshot> {
        let mut check = Check::default();
        for part in bytes.chunks(step) {
            check.take(part)?;
        }
        check.end()
    }

    #[test]
    fn a_whole_one_is_known_however_it_comes() {
        let whole = snapshot();
        for step in [1, 19, 31, 32, 33, 512, 4096] {
            assert_eq!(checked(&whole, step), Ok(1056), "{step}");
        }
    }

    #[test]
    fn what_is_missing_or_changed_is_noticed() {
        let whole = snapshot();
        assert_eq!(checked(&whole[..1024], 100), Err(NoSnapshot::Length(1024)));
        assert_eq!(checked(&whole[..544], 100), Err(NoSnapshot::Damaged));
        assert_eq!(checked(&[], 100), Err(NoSnapshot::Length(0)));
        for at in [0, 600, 1023, 1055] {
            let mut other = whole.clone();
            other[at] ^= 1;
            assert_eq!(checked(&other, 100), Err(NoSnapshot::Damaged), "{at}");
        }
        let text = "apiVersion: v1\n".repeat(100);
        assert_eq!(checked(text.as_bytes(), 7), Err(NoSnapshot::Strange));
    }
}
