//! Modules that a kernel has without loading anything.
//!
//! Owns: reading `modules.builtin`. It is read when somebody asks, which is seldom.

use std::fs;
use std::io;
use std::path::Path;

use super::canonical_name;

/// Whether the kernel whose module folder this is has a module of this name built in.
pub fn is_built_in(folder: &Path, name: &str) -> io::Result<bool> {
    let text = fs::read_to_string(folder.join("modules.builtin"))?;
    Ok(lists(&text, name))
}

fn lists(text: &str, name: &str) -> bool {
    let name = canonical_name(name);
    text.lines().any(|file| canonical_name(file) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_modules_name() {
        let text = "kernel/fs/efivarfs/efivarfs.ko\nkernel/crypto/cbc-x.ko\n";
        for name in ["efivarfs", "cbc_x", "cbc-x"] {
            assert!(lists(text, name), "{name}");
        }
        for name in ["efi", "fs", "kernel"] {
            assert!(!lists(text, name), "{name}");
        }
    }
}
