//! What lies at the beginning of a block device.
//!
//! Owns: recognising our root image and our boot medium by their first bytes. Only reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use nix::errno::Errno;
use sys::{iso9660, squashfs, verity};

/// The volume label of our boot media.
const LABEL: &str = "GARBOARD";

/// What a device or file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A root image: SquashFS with its verity tree behind it.
    Root(RootImage),
    /// An ISO 9660 medium with our label.
    Medium,
    /// Something else.
    Other(String),
    /// A drive with nothing in it, or one that does not answer yet.
    NotYet(String),
}

/// A root image by its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RootImage {
    /// The length of the data, in bytes.
    pub(super) data_size: u64,
    /// The header of its tree.
    pub(super) verity: verity::Superblock,
}

/// Looks at a device or file.
pub(super) fn probe(path: &Path) -> Content {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return failed("open", &error),
    };
    let mut head = [0; squashfs::SIZE];
    match file.read_exact_at(&mut head, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Content::Other("empty".to_owned());
        }
        Err(error) => return failed("read", &error),
    }
    match squashfs::Superblock::parse(&head) {
        Ok(superblock) => root_image(&file, superblock),
        Err(squashfs::SuperblockError::Magic) => medium(&file),
        Err(error) => Content::Other(error.to_string()),
    }
}

fn root_image(file: &File, superblock: squashfs::Superblock) -> Content {
    let data_size = superblock.padded_size();
    let mut header = [0; verity::SIZE];
    if let Err(error) = file.read_exact_at(&mut header, data_size) {
        return Content::Other(format!("squashfs without verity tree ({error})"));
    }
    match verity::Superblock::parse(&header) {
        Ok(verity) if verity.data_blocks * verity::BLOCK == data_size => {
            Content::Root(RootImage { data_size, verity })
        }
        Ok(verity) => Content::Other(format!(
            "verity tree over {} blocks behind squashfs of {}",
            verity.data_blocks,
            data_size / verity::BLOCK
        )),
        Err(error) => Content::Other(format!("squashfs, but {error}")),
    }
}

fn medium(file: &File) -> Content {
    let mut descriptor = [0; iso9660::DESCRIPTOR_SIZE];
    if file
        .read_exact_at(&mut descriptor, iso9660::DESCRIPTOR_OFFSET)
        .is_err()
    {
        return Content::Other("too small".to_owned());
    }
    match iso9660::label(&descriptor) {
        Some(LABEL) => Content::Medium,
        Some(label) => Content::Other(format!("iso9660 {label:?}")),
        None => Content::Other("other content".to_owned()),
    }
}

fn failed(action: &str, error: &io::Error) -> Content {
    let text = format!("{action}: {error}");
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOMEDIUM) => Content::NotYet("no medium".to_owned()),
        _ => Content::NotYet(text),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    struct Disk(PathBuf);

    impl Disk {
        fn new(name: &str, parts: &[(usize, &[u8])]) -> Self {
            let mut bytes = vec![0_u8; 64 * 1024];
            for (at, part) in parts {
                bytes[*at..*at + part.len()].copy_from_slice(part);
            }
            let path =
                std::env::temp_dir().join(format!("garboard-probe-{name}-{}", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Self(path)
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    fn squashfs(length: u64) -> Vec<u8> {
        let mut bytes = vec![0; squashfs::SIZE];
        bytes[..4].copy_from_slice(b"hsqs");
        bytes[28] = 4;
        bytes[40..48].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    fn tree(blocks: u8) -> Vec<u8> {
        let mut bytes = vec![0; verity::SIZE];
        bytes[..8].copy_from_slice(b"verity\0\0");
        bytes[8] = 1;
        bytes[12] = 1;
        bytes[32..38].copy_from_slice(b"sha256");
        bytes[65] = 0x10;
        bytes[69] = 0x10;
        bytes[72] = blocks;
        bytes
    }

    #[test]
    fn knows_a_root() {
        let disk = Disk::new("root", &[(0, &squashfs(8000)), (8192, &tree(2))]);
        let Content::Root(image) = probe(&disk.0) else {
            panic!("no root")
        };
        assert_eq!(image.data_size, 8192);
    }

    #[test]
    fn knows_a_medium() {
        let mut descriptor = b"\x01CD001\x01".to_vec();
        descriptor.resize(40, 0);
        descriptor.extend_from_slice(b"GARBOARD                        ");
        let disk = Disk::new("medium", &[(0x8000, &descriptor)]);
        assert_eq!(probe(&disk.0), Content::Medium);
    }

    #[test]
    fn says_what_else_it_is() {
        let blank = Disk::new("blank", &[]);
        assert_eq!(probe(&blank.0), Content::Other("other content".into()));
        let plain = Disk::new("plain", &[(0, &squashfs(8000))]);
        assert_eq!(
            probe(&plain.0),
            Content::Other("squashfs, but no verity superblock".into())
        );
        let wrong = Disk::new("wrong", &[(0, &squashfs(8000)), (8192, &tree(3))]);
        assert_eq!(
            probe(&wrong.0),
            Content::Other("verity tree over 3 blocks behind squashfs of 2".into())
        );
        assert!(matches!(
            probe(Path::new("/nonexistent")),
            Content::NotYet(_)
        ));
    }
}
