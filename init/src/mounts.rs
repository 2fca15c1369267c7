//! The table of file systems of a running node.
//!
//! Owns: what is mounted where, with which flags and limits, and why. Disks are not here: they are machined's.
//! Nor is bpffs: mounting it was measured to take longer than everything else here together, and only pods use it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::statfs;

use crate::log::Log;

/// One file system.
struct Mount {
    target: &'static str,
    kind: &'static str,
    flags: MsFlags,
    data: &'static str,
}

const STRICT: MsFlags = MsFlags::MS_NOSUID
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

/// Mounted by whichever stage runs first; they move along to the real root.
const EARLY: [Mount; 3] = [
    // Only root needs to see other users' processes; networkd, which reads hostile packets, does not.
    Mount {
        target: "/proc",
        kind: "proc",
        flags: STRICT,
        data: "hidepid=invisible",
    },
    Mount {
        target: "/sys",
        kind: "sysfs",
        flags: STRICT,
        data: "",
    },
    Mount {
        target: "/dev",
        kind: "devtmpfs",
        flags: MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC),
        data: "mode=0755",
    },
];

/// Mounted in the real root. Sizes are upper bounds, not reservations: a full one must not starve the daemons.
const LATE: [Mount; 8] = [
    Mount {
        target: "/dev/pts",
        kind: "devpts",
        flags: MsFlags::MS_NOSUID.union(MsFlags::MS_NOEXEC),
        data: "mode=0620,ptmxmode=0666",
    },
    Mount {
        target: "/dev/shm",
        kind: "tmpfs",
        flags: STRICT,
        data: "mode=1777,size=16m",
    },
    // Config and logs live here until the node has found its disk, and for good if it has none.
    Mount {
        target: "/run",
        kind: "tmpfs",
        flags: STRICT,
        data: "mode=0755,size=25%",
    },
    Mount {
        target: "/tmp",
        kind: "tmpfs",
        flags: STRICT,
        data: "mode=1777,size=64m",
    },
    // Replaced by the disk once there is one. Programs of containers lie below it, so it can execute.
    Mount {
        target: "/var",
        kind: "tmpfs",
        flags: MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV),
        data: "mode=0755,size=25%",
    },
    Mount {
        target: "/sys/fs/cgroup",
        kind: "cgroup2",
        flags: STRICT,
        data: "nsdelegate,memory_recursiveprot",
    },
    Mount {
        target: "/sys/kernel/security",
        kind: "securityfs",
        flags: STRICT,
        data: "",
    },
    Mount {
        target: "/sys/fs/pstore",
        kind: "pstore",
        flags: STRICT,
        data: "",
    },
];

/// Mounts `/proc`, `/sys` and `/dev` where they are not mounted yet.
pub(crate) fn early(log: &Log) {
    apply(&EARLY, log);
}

/// Mounts everything else of a running node.
pub(crate) fn late(log: &Log) {
    apply(&LATE, log);
    // Kubernetes mounts volumes into running containers, which needs mounts to propagate.
    let flags = MsFlags::MS_REC | MsFlags::MS_SHARED;
    if let Err(errno) = mount(None::<&str>, "/", None::<&str>, flags, None::<&str>) {
        log.error(&format!("make mounts propagate: {errno}"));
    }
}

/// Whether `/` is the initramfs.
pub fn root_is_in_memory() -> bool {
    // TMPFS_MAGIC and RAMFS_MAGIC of <linux/magic.h>; the kernel takes one or the other for the initramfs.
    const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];
    statfs("/").is_ok_and(|root| IN_MEMORY.contains(&root.filesystem_type().0))
}

fn apply(table: &[Mount], log: &Log) {
    for entry in table
        .iter()
        .filter(|entry| !is_mount_point(Path::new(entry.target)))
    {
        if !Path::new(entry.target).is_dir() && fs::create_dir_all(entry.target).is_err() {
            // Read-only or absent in this kernel: mounting says which.
        }
        let (target, kind) = (entry.target, entry.kind);
        if let Err(errno) = mount(
            Some(kind),
            target,
            Some(kind),
            entry.flags,
            Some(entry.data),
        ) {
            log.warn(&format!("mount {kind} on {target}: {errno}"));
        }
    }
}

/// Whether something is mounted there: it lies on another device than its parent.
fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev());
    let parent = path.parent().unwrap_or(path);
    matches!((device(path), device(parent)), (Ok(here), Ok(above)) if here != above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_can_execute_or_hold_devices() {
        for entry in EARLY.iter().chain(&LATE) {
            assert!(entry.flags.contains(MsFlags::MS_NOSUID), "{}", entry.target);
            let devices = entry.target.starts_with("/dev") && entry.target != "/dev/shm";
            assert_eq!(
                entry.flags.contains(MsFlags::MS_NODEV),
                !devices,
                "{}",
                entry.target
            );
            assert_eq!(
                entry.flags.contains(MsFlags::MS_NOEXEC),
                entry.target != "/var",
                "{}",
                entry.target
            );
        }
    }

    #[test]
    fn a_parent_is_mounted_before_its_child() {
        let all: Vec<_> = EARLY
            .iter()
            .chain(&LATE)
            .map(|entry| entry.target)
            .collect();
        for (at, target) in all.iter().enumerate() {
            let child = all
                .iter()
                .position(|other| other.starts_with(&format!("{target}/")));
            assert!(child.is_none_or(|child| child > at), "{target}");
        }
    }

    #[test]
    fn knows_a_mount_point() {
        assert!(is_mount_point(Path::new("/proc")));
        assert!(!is_mount_point(Path::new("/proc/1")));
        assert!(!is_mount_point(Path::new("/nonexistent")));
    }
}
