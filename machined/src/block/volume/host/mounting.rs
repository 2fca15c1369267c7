//! Mounting the volumes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use nix::mount::{MsFlags, mount};

use super::{Host, HostError, Volume, device};

/// The folder of EPHEMERAL that `/opt` leads to, and what whoever brings a network along expects in it.
const OPT: &str = "opt/cni/bin";

impl Host {
    pub(super) fn mount(&self, disk: &str, volume: Volume) -> Result<(), HostError> {
        let device = device(disk, volume);
        let Some(place) = self.place(volume) else {
            return Ok(());
        };
        let folder = |source| HostError::Folder(place.display().to_string(), source);
        fs::create_dir_all(place).map_err(folder)?;
        let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
        if volume == Volume::State {
            flags |= MsFlags::MS_NOEXEC;
        }
        let data = Some("errors=remount-ro");
        mount(Some(device.as_str()), place, Some("ext4"), flags, data)
            .map_err(|errno| HostError::Mount(device, place.display().to_string(), errno))?;
        if volume == Volume::State {
            fs::set_permissions(place, Permissions::from_mode(0o700)).map_err(folder)?;
        }
        self.furnish(volume)
    }

    /// Makes in a mounted volume what links of the root lead to.
    pub(in super::super) fn furnish(&self, volume: Volume) -> Result<(), HostError> {
        if volume != Volume::Ephemeral {
            return Ok(());
        }
        let folder = self.ephemeral.join(OPT);
        fs::create_dir_all(&folder)
            .map_err(|source| HostError::Folder(folder.display().to_string(), source))
    }
}
