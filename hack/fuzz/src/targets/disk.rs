//! The first bytes of whatever disk somebody plugs in.

use sys::{iso9660, squashfs, verity};

pub(super) fn run(data: &[u8]) {
    if let Some(label) = iso9660::label(data) {
        assert!(label.len() <= 32);
    }
    if let Some(root) = iso9660::root(data) {
        assert!(root.start.is_multiple_of(2048));
    }
    if let Some(entry) = iso9660::find(data, "bundle.img") {
        let (iso9660::Entry::File(it) | iso9660::Entry::Folder(it)) = entry;
        assert!(it.start.is_multiple_of(2048) && it.bytes <= u32::MAX.into());
    }
    if let Ok(root) = squashfs::Superblock::parse(data) {
        let padded = root.padded_size();
        assert!(padded.is_multiple_of(verity::BLOCK) && padded >= root.bytes_used);
    }
    if let Some(label) = squashfs::label(data) {
        let written = squashfs::label_block(label);
        let written = written.as_ref().and_then(|it| squashfs::label(it));
        assert_eq!(written, Some(label));
    }
    if let Ok(tree) = verity::Superblock::parse(data) {
        let table = tree.table("253:0", &"ab".repeat(32));
        let words: Vec<_> = table.split(' ').collect();
        assert_eq!(words.len(), 10, "{table:?} is no table of a verity target");
        assert!(table.is_ascii() && table.len() < 1024);
    }
}
