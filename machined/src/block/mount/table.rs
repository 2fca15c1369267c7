//! What the kernel says of mounts, in words for people.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use procfs::ProcError;
use procfs::process::{MountInfo, Process};
use resources::block::Mount;

/// A mount, and the folder it is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// The folder.
    pub target: PathBuf,
    /// What is told of it.
    pub mount: Mount,
}

/// Everything that is mounted where this process sees it, in the order of mounting.
///
/// # Errors
/// The kernel's table cannot be read.
pub fn read() -> Result<Vec<Mounted>, ProcError> {
    let mounts = Process::myself()?.mountinfo()?;
    Ok(mounts.0.iter().map(described).collect())
}

fn described(mount: &MountInfo) -> Mounted {
    Mounted {
        target: unescaped(&mount.mount_point),
        mount: Mount {
            source: mount.mount_source.clone().unwrap_or_default(),
            filesystem: mount.fs_type.clone(),
            options: options(mount),
        },
    }
}

/// Those of the place and of the filesystem together, each once.
fn options(mount: &MountInfo) -> Vec<String> {
    let both = mount.mount_options.iter().chain(&mount.super_options);
    let mut options: Vec<String> = both
        .map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        })
        .collect();
    // Of two that differ the stricter one holds, and that is what the kernel says of the place.
    if mount.mount_options.contains_key("ro") {
        options.retain(|option| option != "rw");
    }
    options.sort();
    options.dedup();
    options
}

/// A path of mountinfo as it is: spaces and the like are written as a backslash and three octal digits (proc(5)).
fn unescaped(path: &Path) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = path.as_os_str().as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'\\').then(|| after.get(..3)).flatten();
        let code = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(line: &str) -> MountInfo {
        MountInfo::from_line(line).unwrap()
    }

    #[test]
    fn the_stricter_of_two_options_holds() {
        let line =
            "36 35 98:0 / /var/a\\040b ro,nosuid - ext4 /dev/vda2 rw,errors=remount-ro,nosuid";
        let shown = described(&mount(line));
        assert_eq!(shown.target, Path::new("/var/a b"));
        assert_eq!(shown.mount.source, "/dev/vda2");
        assert_eq!(shown.mount.options, ["errors=remount-ro", "nosuid", "ro"]);
    }

    #[test]
    fn paths_come_back_as_they_were() {
        for (written, path) in [
            ("/a\\040b\\011c", "/a b\tc"),
            ("/back\\134slash", "/back\\slash"),
            ("/\\04", "/\\04"),
            ("/\\999", "/\\999"),
        ] {
            assert_eq!(unescaped(Path::new(written)), Path::new(path));
        }
    }
}
