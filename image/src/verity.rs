//! Appends a dm-verity hash tree to a file system image.
//!
//! The layout is that of `veritysetup format` (superblock version 1, hash type 1, SHA-256, blocks of
//! 4096 bytes), with the superblock in the first block after the data. The salt is fixed and the UUID
//! is taken from the root hash, so the same image always gets the same tree.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::hex;

/// Size of data and hash blocks.
pub const BLOCK: usize = 4096;

/// Length of a SHA-256 hash.
const HASH: usize = 32;

/// Names what the salt's hash is made from; a salt only has to differ from other products'.
const SALT_NAME: &[u8] = b"garboard root verity salt 1";

/// A hash tree: the root, and the levels from the top down.
struct HashTree {
    root: [u8; HASH],
    levels: Vec<Vec<u8>>,
}

/// Appends superblock and tree to the image at `path`, and returns the root hash in hexadecimal.
///
/// # Errors
/// When the image is empty, is not whole blocks, or cannot be read or written.
pub fn append(path: &Path) -> Result<String> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))?;
    let size = file
        .seek(std::io::SeekFrom::End(0))
        .context("measuring the image")?;
    ensure!(
        size > 0 && size.is_multiple_of(BLOCK as u64),
        "the image is {size} bytes, not whole blocks"
    );
    file.rewind().context("going to the start of the image")?;
    let salt = salt();
    let tree = build(
        &mut BufReader::with_capacity(1 << 20, &mut file),
        size / BLOCK as u64,
        &salt,
    )?;
    file.write_all(&superblock(&tree.root, size / BLOCK as u64, &salt))
        .context("writing the superblock")?;
    for level in &tree.levels {
        file.write_all(level).context("writing the hash tree")?;
    }
    Ok(hex(&tree.root))
}

/// Checks the image at `path` against the tree behind it, and returns its root hash.
///
/// # Errors
/// When it is not a SquashFS image with such a tree, or any byte of either is wrong.
pub fn verify(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut head = [0; 48];
    file.read_exact(&mut head)
        .context("reading the file system's head")?;
    let (magic, used) = (head.first_chunk::<4>(), head.last_chunk::<8>());
    ensure!(magic == Some(b"hsqs"), "not a SquashFS image");
    let used = u64::from_le_bytes(*used.context("the head has 48 bytes")?);
    let blocks = used.div_ceil(BLOCK as u64);
    file.rewind().context("going to the start of the image")?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let tree = build(&mut reader, blocks, &salt())?;
    let mut wanted = superblock(&tree.root, blocks, &salt());
    wanted.extend(tree.levels.concat());
    let mut found = Vec::new();
    reader
        .read_to_end(&mut found)
        .context("reading the hash tree")?;
    ensure!(found == wanted, "data and hash tree do not agree");
    Ok(hex(&tree.root))
}

fn salt() -> [u8; HASH] {
    Sha256::digest(SALT_NAME).into()
}

fn build(data: &mut impl Read, blocks: u64, salt: &[u8]) -> Result<HashTree> {
    let mut hashes = Vec::new();
    let mut block = [0; BLOCK];
    for _ in 0..blocks {
        data.read_exact(&mut block).context("reading the image")?;
        hashes.extend_from_slice(&hash(salt, &block));
    }
    let mut levels = Vec::new();
    while hashes.len() > HASH {
        hashes.resize(hashes.len().next_multiple_of(BLOCK), 0);
        let above = hashes
            .chunks_exact(BLOCK)
            .flat_map(|b| hash(salt, b))
            .collect();
        levels.insert(0, std::mem::replace(&mut hashes, above));
    }
    let root = hashes.try_into().ok().context("the tree has no root")?;
    Ok(HashTree { root, levels })
}

fn hash(salt: &[u8], block: &[u8]) -> [u8; HASH] {
    Sha256::new()
        .chain_update(salt)
        .chain_update(block)
        .finalize()
        .into()
}

fn superblock(root: &[u8; HASH], blocks: u64, salt: &[u8; HASH]) -> Vec<u8> {
    let size = 4096u32.to_le_bytes(); // BLOCK
    let mut out = b"verity\0\0".to_vec();
    out.extend(1u32.to_le_bytes()); // superblock version
    out.extend(1u32.to_le_bytes()); // hash type: salt first
    out.extend(uuid(root));
    out.extend(b"sha256");
    out.resize(64, 0); // the algorithm's name has 32 bytes
    out.extend(size);
    out.extend(size);
    out.extend(blocks.to_le_bytes());
    out.extend(32u16.to_le_bytes()); // length of the salt
    out.resize(88, 0); // six bytes of padding
    out.extend(salt);
    out.resize(BLOCK, 0);
    out
}

/// A UUID of version 8 (made by the owner's own rules) from the root hash.
fn uuid(root: &[u8; HASH]) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(root) {
        *to = *from;
    }
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut out;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn image(blocks: usize) -> (tempfile::TempDir, std::path::PathBuf, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let data: Vec<u8> = (0..=250).cycle().take(blocks * BLOCK).collect();
        std::fs::write(&path, data).unwrap();
        let root = append(&path).unwrap();
        (folder, path, root)
    }

    fn veritysetup(path: &Path, blocks: usize, root: &str) -> bool {
        let output = Command::new("/usr/sbin/veritysetup")
            .arg("verify")
            .args([path, path])
            .arg(root)
            .arg(format!("--hash-offset={}", blocks * BLOCK))
            .output()
            .expect("veritysetup (cryptsetup-bin) is installed");
        output.status.success()
    }

    #[test]
    fn veritysetup_agrees() {
        // One block: no tree. 128: one full hash block. 129 and 16385: another level each.
        for blocks in [1, 2, 128, 129, 16_385] {
            let (_folder, path, root) = image(blocks);
            assert!(veritysetup(&path, blocks, &root), "{blocks} blocks");
        }
    }

    #[test]
    fn a_flipped_bit_is_found() {
        for at in [5 * BLOCK + 17, 201 * BLOCK + 3] {
            let (_folder, path, root) = image(200);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[at] ^= 4;
            std::fs::write(&path, bytes).unwrap();
            assert!(!veritysetup(&path, 200, &root), "at {at}");
        }
    }

    #[test]
    fn two_trees_are_the_same() {
        let (_a, first, root) = image(300);
        let (_b, second, again) = image(300);
        assert_eq!(root, again);
        assert_eq!(
            std::fs::read(first).unwrap(),
            std::fs::read(second).unwrap()
        );
    }

    #[test]
    fn verify_finds_what_append_wrote_and_every_flip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let mut data = vec![3; 140 * BLOCK];
        data[..4].copy_from_slice(b"hsqs");
        // The file system ends inside the last block.
        data[40..48].copy_from_slice(&(139 * BLOCK as u64 + 9).to_le_bytes());
        std::fs::write(&path, data).unwrap();
        let root = append(&path).unwrap();
        assert_eq!(verify(&path).unwrap(), root);
        let good = std::fs::read(&path).unwrap();
        for at in [5000, 140 * BLOCK + 20, 141 * BLOCK + 1, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            assert!(verify(&path).is_err(), "at {at}");
        }
    }

    #[test]
    fn odd_sizes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for size in [0, 1, BLOCK + 1] {
            std::fs::write(&path, vec![1; size]).unwrap();
            assert!(append(&path).is_err(), "{size}");
        }
    }
}
