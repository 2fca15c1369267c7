//! Appending one file to an initramfs: the kernel unpacks archives one after the other, whatever the first is packed with.

use anyhow::{Context, Result};

/// The kernel looks for the next archive at multiples of this.
const ALIGN: usize = 4;

/// Appends an archive with one executable file in the root.
///
/// # Errors
/// When the file is larger than the format can tell.
pub(crate) fn append(archive: &mut Vec<u8>, name: &str, file: &[u8]) -> Result<()> {
    pad(archive);
    entry(archive, name, 0o100_755, file)?;
    entry(archive, "TRAILER!!!", 0, &[])
}

/// One entry of the "newc" format (initramfs/buffer-format of the kernel's documentation).
fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, data: &[u8]) -> Result<()> {
    let size = u32::try_from(data.len()).context("a file of 4 GiB")?;
    let name_size = u32::try_from(name.len() + 1).context("a name of 4 GiB")?;
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    let fields = [0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
    archive.extend_from_slice(b"070701");
    for field in fields {
        archive.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    pad(archive);
    archive.extend_from_slice(data);
    pad(archive);
    Ok(())
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(ALIGN), 0);
}
