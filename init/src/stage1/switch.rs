//! From the initramfs to the root: no way back from here.
//!
//! Owns: moving the mounts, freeing the initramfs, changing the root, and the exec of stage 2. Each step has its own
//! error, because each is the last thing somebody will see on a screen.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::{chdir, chroot};

use super::open::ROOT;
use crate::log::Log;
use crate::{BEGAN_ENV, INIT_PROGRAM};

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SwitchError {
    #[error("move {0} to the root")]
    Move(&'static str, #[source] Errno),
    #[error("enter the root")]
    Enter(#[source] Errno),
    #[error("move the root over the initramfs")]
    Over(#[source] Errno),
    #[error("change the root")]
    Chroot(#[source] Errno),
    #[error("run {INIT_PROGRAM}")]
    Exec(#[source] io::Error),
}

/// Switches to the mounted root and runs stage 2 in it.
pub(super) fn switch_root(began: Duration, log: &Log) -> Result<Infallible, SwitchError> {
    for (from, to) in [
        ("/dev", "/sysroot/dev"),
        ("/proc", "/sysroot/proc"),
        ("/sys", "/sysroot/sys"),
    ] {
        move_mount(from, to).map_err(|errno| SwitchError::Move(from, errno))?;
    }
    chdir(ROOT).map_err(SwitchError::Enter)?;
    if let Ok(initramfs) = fs::metadata("/") {
        let freed = free(Path::new("/"), initramfs.dev());
        log.info(&format!("removed {} KiB of initramfs", freed / 1024));
    }
    move_mount(".", "/").map_err(SwitchError::Over)?;
    chroot(".").map_err(SwitchError::Chroot)?;
    chdir("/").map_err(SwitchError::Chroot)?;
    let mut stage2 = Command::new(INIT_PROGRAM);
    Err(SwitchError::Exec(
        stage2
            .arg0("init")
            .env(BEGAN_ENV, began.as_nanos().to_string())
            .exec(),
    ))
}

fn move_mount(from: &str, to: &str) -> Result<(), Errno> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_MOVE, None::<&str>)
}

/// Deletes everything on this file system, and nothing on others; gives the bytes. An image that is attached to a loop
/// device stays until that is detached. What cannot be deleted only stays in memory.
fn free(folder: &Path, device: u64) -> u64 {
    let mut freed = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        if meta.dev() != device {
            continue;
        }
        if meta.is_dir() {
            freed += free(&path, device);
            fs::remove_dir(&path).ok();
        } else if fs::remove_file(&path).is_ok() {
            freed += meta.size();
        }
    }
    freed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frees_a_tree() {
        let root = std::env::temp_dir().join(format!("garboard-free-{}", std::process::id()));
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), [0; 100]).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        let device = fs::metadata(&root).unwrap().dev();
        assert_eq!(free(&root, device + 1), 0);
        assert!(root.join("a/b/file").exists());
        assert!(free(&root, device) >= 100);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
        assert!(Path::new("/etc").exists());
        fs::remove_dir(&root).unwrap();
    }
}
