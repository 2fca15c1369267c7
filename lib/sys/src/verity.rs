//! The superblock in front of a dm-verity tree, as `veritysetup format` writes it, and the table line made of it.
//!
//! Owns: parsing and checking. Only what our images use is accepted: version 1, SHA-256, blocks of 4096 bytes. The
//! superblock itself is not covered by the root hash; a forged one can only make verification fail, because the
//! algorithm and the block sizes are fixed here and the salt and the length enter the hashes.

/// The bytes that [`Superblock::parse`] needs.
pub const SIZE: usize = 512;
/// The size of data and hash blocks.
pub const BLOCK: u64 = 4096;
/// The longest salt of the format.
const MAX_SALT: usize = 256;

/// A verity superblock that this system can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// How many blocks of data the tree covers.
    pub data_blocks: u64,
    /// What is hashed in front of every block.
    pub salt: Vec<u8>,
}

/// Why bytes are no usable superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SuperblockError {
    /// There is none.
    #[error("no verity superblock")]
    Signature,
    /// A field has a value that our images never have.
    #[error("verity superblock with another {0} than this system uses")]
    Unsupported(&'static str),
}

impl Superblock {
    /// Parses the first bytes of the hash area.
    pub fn parse(bytes: &[u8]) -> Result<Self, SuperblockError> {
        if bytes.len() < SIZE || !bytes.starts_with(b"verity\0\0") {
            return Err(SuperblockError::Signature);
        }
        let word = |at: usize| {
            bytes
                .get(at..)
                .and_then(|b| b.first_chunk())
                .map_or(0, |b| u32::from_le_bytes(*b))
        };
        let check = |right: bool, what| {
            if right {
                Ok(())
            } else {
                Err(SuperblockError::Unsupported(what))
            }
        };
        check(word(8) == 1, "version")?;
        check(word(12) == 1, "hash type")?;
        check(bytes.get(32..40) == Some(b"sha256\0\0"), "algorithm")?;
        check(u64::from(word(64)) == BLOCK, "data block size")?;
        check(u64::from(word(68)) == BLOCK, "hash block size")?;
        let salt_size = bytes
            .get(80..)
            .and_then(|b| b.first_chunk())
            .map_or(0, |b| u16::from_le_bytes(*b));
        check(usize::from(salt_size) <= MAX_SALT, "salt size")?;
        let salt = bytes
            .get(88..88 + usize::from(salt_size))
            .unwrap_or_default()
            .to_vec();
        let data_blocks = bytes
            .get(72..)
            .and_then(|b| b.first_chunk())
            .map_or(0, |b| u64::from_le_bytes(*b));
        Ok(Self { data_blocks, salt })
    }

    /// The parameters of a device-mapper target whose data and tree lie on one device (`MAJOR:MINOR` or a path), the
    /// superblock directly behind the data. `root` is the root hash in hexadecimal.
    pub fn table(&self, device: &str, root: &str) -> String {
        let blocks = self.data_blocks;
        let tree = blocks + 1;
        let salt = if self.salt.is_empty() {
            "-".to_owned()
        } else {
            hex(&self.salt)
        };
        format!("1 {device} {device} {BLOCK} {BLOCK} {blocks} {tree} sha256 {root} {salt}")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock() -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        bytes[..8].copy_from_slice(b"verity\0\0");
        bytes[8] = 1;
        bytes[12] = 1;
        bytes[32..38].copy_from_slice(b"sha256");
        bytes[65] = 0x10;
        bytes[69] = 0x10;
        bytes[72] = 7;
        bytes[80] = 2;
        bytes[88..90].copy_from_slice(&[0xab, 0x01]);
        bytes
    }

    #[test]
    fn makes_the_table_that_the_kernel_wants() {
        let superblock = Superblock::parse(&superblock()).unwrap();
        assert_eq!(
            superblock.table("253:0", "c0ffee"),
            "1 253:0 253:0 4096 4096 7 8 sha256 c0ffee ab01"
        );
    }

    #[test]
    fn refuses_what_our_images_never_have() {
        assert_eq!(
            Superblock::parse(&superblock()[1..]),
            Err(SuperblockError::Signature)
        );
        for (at, what) in [
            (8, "version"),
            (12, "hash type"),
            (33, "algorithm"),
            (38, "algorithm"),
            (81, "salt size"),
        ] {
            let mut bytes = superblock();
            bytes[at] += 2;
            assert_eq!(
                Superblock::parse(&bytes),
                Err(SuperblockError::Unsupported(what)),
                "{at}"
            );
        }
    }
}
