//! What the plan needs of this machine: looking at a device, mounting what is on it, and taking that away.
//!
//! Whatever is half done when this process is killed is nothing: a loop device goes with its last user, an empty folder is
//! no bundle, and a mount is known by its place.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use sys::loopdev::{LoopDevice, LoopError};
use thiserror::Error;

use super::devices::Device;
use super::mounts::KIND;
use super::plan::Found;
use super::probe::{Place, probe};

/// It is content and nothing else, whoever made it.
const FLAGS: MsFlags = MsFlags::MS_RDONLY
    .union(MsFlags::MS_NOSUID)
    .union(MsFlags::MS_NODEV)
    .union(MsFlags::MS_NOEXEC);

/// Why something was not done.
#[derive(Debug, Error)]
pub(super) enum BundleError {
    #[error("looking for a bundle on {0}")]
    Read(PathBuf, #[source] io::Error),
    #[error("making {0}")]
    Folder(PathBuf, #[source] io::Error),
    #[error("making a device of the bundle on {0}")]
    Loop(PathBuf, #[source] LoopError),
    #[error("mounting the bundle on {0}")]
    Mount(PathBuf, #[source] Errno),
    #[error("unmounting {0}")]
    Unmount(PathBuf, #[source] Errno),
}

impl BundleError {
    /// Whether it is about a bundle, and not about a device that may hold anything.
    pub(super) fn is_of_bundle(&self) -> bool {
        !matches!(self, Self::Read(..))
    }
}

/// This machine.
#[derive(Clone, Debug)]
pub(super) struct Host {
    dev: PathBuf,
    shelf: PathBuf,
}

impl Host {
    /// Devices are in `dev`, and bundles are mounted in `shelf`.
    pub(super) fn new(dev: &Path, shelf: &Path) -> Self {
        Self {
            dev: dev.to_owned(),
            shelf: shelf.to_owned(),
        }
    }

    /// Where bundles are mounted.
    pub(super) fn shelf(&self) -> &Path {
        &self.shelf
    }

    /// Looks what is on a device, and mounts a bundle that is not mounted yet. It takes as long as the device does.
    pub(super) fn settle(
        &self,
        name: &str,
        device: &Device,
        mounted: bool,
    ) -> Result<Found, BundleError> {
        let node = self.node(name);
        let read = |source| BundleError::Read(node.clone(), source);
        // By the disk, also for what is on a partition: the kernel takes no new table while one of those is open.
        let disk = match File::open(self.node(&device.disk)) {
            Ok(disk) => disk,
            Err(error) if is_gone(&error) => return Ok(Found::Nothing),
            Err(error) => return Err(read(error)),
        };
        let Some(place) = probe(&disk, device.start, device.bytes).map_err(read)? else {
            return Ok(Found::Nothing);
        };
        if !mounted {
            self.mount(name, &node, &disk, place)?;
        }
        Ok(Found::Bundle)
    }

    /// Takes a mount away. Whoever reads there at this moment keeps what he has open.
    pub(super) fn unmount(&self, name: &str) -> Result<(), BundleError> {
        let target = self.shelf.join(name);
        umount2(&target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
            .map_err(|errno| BundleError::Unmount(target.clone(), errno))?;
        // Another mount at this place, or what somebody has put there, has it stay.
        fs::remove_dir(&target).ok();
        Ok(())
    }

    fn mount(&self, name: &str, node: &Path, disk: &File, place: Place) -> Result<(), BundleError> {
        let target = self.shelf.join(name);
        fs::create_dir_all(&target)
            .map_err(|source| BundleError::Folder(target.clone(), source))?;
        let mounted = match place {
            Place::Device => mount_at(node, &target).map_err(|it| mounting(node, it)),
            // The device lives until it is mounted, and from then on as long as the mount.
            Place::File(file) => LoopDevice::attach_part(disk, file.start, file.bytes)
                .map_err(|source| BundleError::Loop(node.to_owned(), source))
                .and_then(|it| mount_at(it.path(), &target).map_err(|it| mounting(node, it))),
        };
        if mounted.is_err() {
            fs::remove_dir(&target).ok();
        }
        mounted
    }

    /// The file of a device; the kernel writes `!` for the `/` in a name.
    fn node(&self, name: &str) -> PathBuf {
        self.dev.join(name.replace('!', "/"))
    }
}

fn mount_at(node: &Path, target: &Path) -> Result<(), Errno> {
    mount(Some(node), target, Some(KIND), FLAGS, None::<&str>)
}

fn mounting(node: &Path, errno: Errno) -> BundleError {
    BundleError::Mount(node.to_owned(), errno)
}

/// Whether there is no device of that name any more, or no medium in it.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::ENOENT, Errno::ENXIO, Errno::ENODEV, Errno::ENOMEDIUM];
    let code = error.raw_os_error().map(Errno::from_raw);
    code.is_some_and(|code| gone.contains(&code))
}

#[cfg(test)]
mod tests {
    use resources::images::BUNDLE_LABEL;

    use super::*;

    fn device(bytes: u64) -> Device {
        Device {
            disk: "sda".to_owned(),
            sequence: 1,
            start: 0,
            bytes,
        }
    }

    /// Something with a bundle's label that no kernel mounts.
    fn false_bundle() -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[..4].copy_from_slice(b"hsqs");
        bytes[28] = 4;
        bytes[40] = 100;
        bytes.extend(sys::squashfs::label_block(BUNDLE_LABEL).unwrap());
        bytes
    }

    #[test]
    fn a_device_is_looked_at_by_its_disk_and_what_cannot_be_mounted_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = folder.path().join("bundles");
        let host = Host::new(folder.path(), &shelf);
        let settle = |mounted| host.settle("sda1", &device(8192), mounted);
        // It is pulled out before it is looked at.
        assert_eq!(settle(false).unwrap(), Found::Nothing);
        fs::write(folder.path().join("sda"), vec![0; 8192]).unwrap();
        assert_eq!(settle(false).unwrap(), Found::Nothing);
        fs::write(folder.path().join("sda"), false_bundle()).unwrap();
        assert_eq!(settle(true).unwrap(), Found::Bundle);
        assert!(!shelf.exists());
        let error = settle(false).unwrap_err();
        assert!(matches!(error, BundleError::Mount(..)) && error.is_of_bundle());
        assert!(shelf.exists() && !shelf.join("sda1").exists());
        assert!(host.unmount("sda1").is_err());
    }

    #[test]
    fn what_cannot_be_read_may_be_anything() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sda")).unwrap();
        let host = Host::new(folder.path(), &folder.path().join("bundles"));
        let error = host.settle("sda", &device(8192), false).unwrap_err();
        assert!(!error.is_of_bundle(), "{error}");
    }
}
