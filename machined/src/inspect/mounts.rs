//! The filesystems the node itself sees, and how full they are.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use ::api::v1alpha1::{Mount, MountsResponse, Usage};
use nix::sys::statvfs::{Statvfs, statvfs};
use procfs::process::{MountInfo, Process};

use super::InspectError;

/// Filesystems whose size is known only to somebody who may not answer: another machine, or a program.
const ELSEWHERE: [&str; 6] = ["9p", "ceph", "cifs", "fuse", "nfs", "smb3"];

pub(super) fn read() -> Result<MountsResponse, InspectError> {
    let own = Process::myself().and_then(|this| this.mountinfo());
    let mounts = own.map_err(InspectError::of("/proc/self/mountinfo"))?;
    Ok(MountsResponse {
        mounts: mounts.0.iter().map(described).collect(),
    })
}

fn described(mount: &MountInfo) -> Mount {
    let target = unescaped(&mount.mount_point);
    let usage = if is_elsewhere(&mount.fs_type) {
        None
    } else {
        statvfs(&target).ok().and_then(|stat| usage(&stat))
    };
    Mount {
        target: target.to_string_lossy().into_owned(),
        source: mount.mount_source.clone().unwrap_or_default(),
        filesystem: mount.fs_type.clone(),
        options: options(mount),
        usage,
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

fn is_elsewhere(filesystem: &str) -> bool {
    ELSEWHERE.iter().any(|kind| {
        let rest = filesystem.strip_prefix(kind);
        // `nfs4`, `fuse.sshfs`, and the bare names.
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '4']))
    })
}

/// None for what has no blocks, such as proc.
fn usage(stat: &Statvfs) -> Option<Usage> {
    let blocks = stat.blocks();
    let bytes = |count: u64| count.saturating_mul(stat.fragment_size());
    (blocks > 0).then(|| Usage {
        total_bytes: bytes(blocks),
        used_bytes: bytes(blocks.saturating_sub(stat.blocks_free())),
        available_bytes: bytes(stat.blocks_available()),
        inodes: stat.files(),
        used_inodes: stat.files().saturating_sub(stat.files_free()),
    })
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
        assert_eq!(shown.target, "/var/a b");
        assert_eq!(shown.source, "/dev/vda2");
        assert_eq!(shown.options, ["errors=remount-ro", "nosuid", "ro"]);
        assert_eq!(shown.usage, None, "there is no such folder");
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

    #[test]
    fn nobody_is_waited_for() {
        for far in ["nfs", "nfs4", "cifs", "fuse", "fuse.sshfs"] {
            assert!(is_elsewhere(far), "{far}");
        }
        for near in ["ext4", "fusectl", "tmpfs", "squashfs"] {
            assert!(!is_elsewhere(near), "{near}");
        }
    }

    #[test]
    fn the_root_is_there_and_has_a_size() {
        let all = read().unwrap();
        let root = all.mounts.iter().find(|mount| mount.target == "/");
        let usage = root.and_then(|root| root.usage).unwrap();
        assert!(usage.total_bytes >= usage.used_bytes);
        let proc = all.mounts.iter().find(|mount| mount.filesystem == "proc");
        assert!(proc.is_some_and(|proc| proc.usage.is_none()));
    }
}
