//! Control groups of init and its daemons.
//!
//! Owns: `/sys/fs/cgroup/system` with one group each, and the memory that the kernel leaves them under pressure.
//! Groups of services and pods are machined's, but for one: containerd puts the shims of containers into `shims`, which
//! must be there before the first and outlive them all. Nothing is ever killed through a group here: a daemon's children outlive
//! it by design.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::log::Log;

const ROOT: &str = "/sys/fs/cgroup";
const SYSTEM: &str = "/sys/fs/cgroup/system";
/// Controllers for the groups below. All at once, because each change waits for the whole kernel to notice.
const CONTROLLERS: &str = "+cpuset +cpu +io +memory +pids";
/// Memory kept for each group: what our processes may take by budget (24 MiB together), with room for a busy moment, and
/// what the shims of a few pods take.
const MEMORY_LOW: [(&str, &str); 4] = [
    ("init", "4M"),
    ("machined", "32M"),
    ("networkd", "12M"),
    ("shims", "48M"),
];
/// The sum, on the group above.
const MEMORY_LOW_ALL: &str = "96M";

/// The file through which a process joins a daemon's group.
pub(super) fn procs_file(name: &str) -> PathBuf {
    Path::new(SYSTEM).join(name).join("cgroup.procs")
}

/// Makes the groups and joins init's own.
pub(super) fn make(log: &Log) {
    let failed =
        |action: &str, error: &io::Error| log.warn(&format!("control groups: {action}: {error}"));
    for (name, _) in MEMORY_LOW {
        if let Err(error) = fs::create_dir_all(Path::new(SYSTEM).join(name)) {
            failed("make a group", &error);
        }
    }
    for folder in [ROOT, SYSTEM] {
        enable_controllers(Path::new(folder));
    }
    let groups = MEMORY_LOW.map(|(name, low)| (Path::new(SYSTEM).join(name), low));
    for (group, low) in groups
        .into_iter()
        .chain([(PathBuf::from(SYSTEM), MEMORY_LOW_ALL)])
    {
        if let Err(error) = fs::write(group.join("memory.low"), low) {
            failed("protect memory", &error);
        }
    }
    if let Err(error) = fs::write(procs_file("init"), "0") {
        failed("join", &error);
    }
}

/// A kernel that lacks a controller refuses all of them; then each is tried by itself.
fn enable_controllers(folder: &Path) {
    let control = folder.join("cgroup.subtree_control");
    if fs::write(&control, CONTROLLERS).is_err() {
        for controller in CONTROLLERS.split(' ') {
            fs::write(&control, controller).ok();
        }
    }
}
