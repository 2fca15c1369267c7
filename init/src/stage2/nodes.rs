//! Device nodes whose opening loads their driver, such as `/dev/loop-control` and `/dev/net/tun`.
//!
//! Owns: making them at start. All other nodes are the kernel's.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use sys::modules::{self, DeviceNode};

use crate::log::Log;

/// Makes the nodes of `modules.devname`.
pub(super) fn make(log: &Log) {
    let Some(folder) = modules::folder() else {
        log.warn("the root has no modules for this kernel");
        return;
    };
    // Without the file there are no such nodes.
    let text = fs::read_to_string(folder.join("modules.devname")).unwrap_or_default();
    for node in modules::device_nodes(&text) {
        match make_one(&node) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => log.warn(&format!("make /dev/{}: {errno}", node.name)),
        }
    }
}

fn make_one(node: &DeviceNode) -> Result<(), Errno> {
    let path = Path::new("/dev").join(&node.name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    }
    let kind = if node.block {
        SFlag::S_IFBLK
    } else {
        SFlag::S_IFCHR
    };
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    mknod(
        &path,
        kind,
        mode,
        makedev(node.major.into(), node.minor.into()),
    )
}
