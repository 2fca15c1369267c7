//! The filesystems the node itself sees, and how full they are.

use ::api::v1alpha1::{Mount, MountsResponse, Usage};
use nix::sys::statvfs::{Statvfs, statvfs};

use super::InspectError;
use crate::block::mount::{self, table::Mounted};

/// Filesystems whose size is known only to somebody who may not answer: another machine, or a program.
const ELSEWHERE: [&str; 6] = ["9p", "ceph", "cifs", "fuse", "nfs", "smb3"];

pub(super) fn read() -> Result<MountsResponse, InspectError> {
    let all = mount::table::read().map_err(InspectError::of("/proc/self/mountinfo"))?;
    Ok(MountsResponse {
        mounts: all.into_iter().map(described).collect(),
    })
}

fn described(mounted: Mounted) -> Mount {
    let Mounted { target, mount } = mounted;
    let usage = if is_elsewhere(&mount.filesystem) {
        None
    } else {
        statvfs(&target).ok().and_then(|stat| usage(&stat))
    };
    Mount {
        target: target.to_string_lossy().into_owned(),
        source: mount.source,
        filesystem: mount.filesystem,
        options: mount.options,
        usage,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
