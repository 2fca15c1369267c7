//! Making a root image readable: loop device, verity device, mount.
//!
//! Owns: that chain, and taking it down again when a link of it fails. Verification happens block by block when the
//! kernel reads; a wrong root hash shows first when it mounts, and a damaged program when it is read. Both are tried
//! here, before there is no way back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use sys::dm::{Control, DmError, Target};
use sys::loopdev::{LoopDevice, LoopError};

use super::drivers::Drivers;
use super::probe::{Content, RootImage, probe};
use crate::INIT_PROGRAM;
use crate::cmdline::RootHash;
use crate::log::Log;

/// Where the root is mounted until the switch.
pub(super) const ROOT: &str = "/sysroot";
/// Where a boot medium is mounted while its image is attached.
const MEDIUM: &str = "/medium";
/// The image on a boot medium, and in an initramfs that carries it.
const IMAGE: &str = "rootfs.img";
/// The verity device.
const VERITY_NAME: &str = "garboard-root";

/// Why a candidate is no root.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("make {0}")]
    Folder(&'static str, #[source] io::Error),
    #[error("mount the medium {0}")]
    Medium(PathBuf, #[source] Errno),
    #[error("open {0}")]
    Image(PathBuf, #[source] io::Error),
    #[error("attach {0}")]
    Loop(PathBuf, #[source] LoopError),
    #[error("{0} is no root image: {1}")]
    NoRoot(PathBuf, String),
    #[error("set up verification")]
    Verity(#[source] DmError),
    #[error("the content does not match garboard.root: another image, or a damaged one")]
    Mismatch(#[source] io::Error),
    #[error("mount the root")]
    Mount(#[source] io::Error),
    #[error("read {INIT_PROGRAM} in the root")]
    Program(#[source] io::Error),
}

/// Mounts the image inside the initramfs, if there is one.
pub(super) fn open_embedded(
    hash: Option<&RootHash>,
    drivers: &Drivers<'_>,
    log: &Log,
) -> Option<Result<(), OpenError>> {
    let path = Path::new("/").join(IMAGE);
    path.is_file().then(|| open_file(&path, hash, drivers, log))
}

/// Mounts the image on a boot medium.
pub(super) fn open_medium(
    device: &Path,
    hash: Option<&RootHash>,
    drivers: &Drivers<'_>,
    log: &Log,
) -> Result<(), OpenError> {
    drivers.load("fs-iso9660");
    fs::create_dir_all(MEDIUM).map_err(|error| OpenError::Folder(MEDIUM, error))?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some(device), MEDIUM, Some("iso9660"), flags, None::<&str>)
        .map_err(|errno| OpenError::Medium(device.to_owned(), errno))?;
    let opened = open_file(&Path::new(MEDIUM).join(IMAGE), hash, drivers, log);
    // The loop device keeps the file, and with it the medium, for as long as the root is mounted.
    if let Err(errno) = umount2(MEDIUM, MntFlags::MNT_DETACH) {
        log.warn(&format!("detach the medium: {errno}"));
    }
    opened
}

/// Mounts the image that begins a device.
pub(super) fn open_device(
    device: &Path,
    image: &RootImage,
    hash: Option<&RootHash>,
    drivers: &Drivers<'_>,
    log: &Log,
) -> Result<(), OpenError> {
    drivers.load("squashfs");
    fs::create_dir_all(ROOT).map_err(|error| OpenError::Folder(ROOT, error))?;
    let Some(hash) = hash else {
        log.warn(&format!(
            "{} is not verified: the command line has no garboard.root",
            device.display()
        ));
        return mount_root(device);
    };
    // A hash is chosen when the device is opened; what comes later would never be used.
    drivers.load_for_processor();
    drivers.load("dm-verity");
    let control = Control::open().map_err(OpenError::Verity)?;
    let opened =
        verity_device(&control, device, image, hash).and_then(|verified| mount_root(&verified));
    opened.map_err(|error| close_verity(&control, error))
}

fn open_file(
    path: &Path,
    hash: Option<&RootHash>,
    drivers: &Drivers<'_>,
    log: &Log,
) -> Result<(), OpenError> {
    let file = File::open(path).map_err(|error| OpenError::Image(path.to_owned(), error))?;
    drivers.load("loop");
    let device =
        LoopDevice::attach(&file).map_err(|error| OpenError::Loop(path.to_owned(), error))?;
    match probe(device.path()) {
        Content::Root(image) => open_device(device.path(), &image, hash, drivers, log),
        other => Err(OpenError::NoRoot(path.to_owned(), other.to_string())),
    }
}

fn verity_device(
    control: &Control,
    device: &Path,
    image: &RootImage,
    hash: &RootHash,
) -> Result<PathBuf, OpenError> {
    let minor = control
        .create(VERITY_NAME, VERITY_NAME)
        .map_err(OpenError::Verity)?;
    let target = Target {
        sectors: image.data_size / 512,
        kind: "verity".to_owned(),
        parameters: image.verity.table(&device.to_string_lossy(), hash.as_str()),
    };
    control
        .load_read_only(VERITY_NAME, &target)
        .map_err(OpenError::Verity)?;
    control.resume(VERITY_NAME).map_err(OpenError::Verity)?;
    Ok(PathBuf::from(format!("/dev/dm-{minor}")))
}

fn mount_root(device: &Path) -> Result<(), OpenError> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some(device), ROOT, Some("squashfs"), flags, None::<&str>)
        .map_err(|errno| OpenError::Mount(errno.into()))?;
    let program = Path::new(ROOT).join(INIT_PROGRAM.trim_start_matches('/'));
    // The bytes land in the page cache, where exec wants them anyway.
    let read = File::open(program).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
    if let Err(error) = read {
        umount2(ROOT, MntFlags::MNT_DETACH).ok();
        return Err(OpenError::Program(error));
    }
    Ok(())
}

/// Takes the verity device down; a failed read is a mismatch when the device saw one.
fn close_verity(control: &Control, error: OpenError) -> OpenError {
    let mismatch = control
        .status(VERITY_NAME)
        .is_ok_and(|status| status.starts_with('C'));
    // What is left over only keeps the next candidate from using the name, which then says so itself.
    control.remove(VERITY_NAME).ok();
    match error {
        OpenError::Mount(cause) | OpenError::Program(cause) if mismatch => {
            OpenError::Mismatch(cause)
        }
        other => other,
    }
}
