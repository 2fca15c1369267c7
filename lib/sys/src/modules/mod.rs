//! Kernel modules: which ones a device or a request needs, in which order, and loading them.
//!
//! Owns: the text indexes of depmod, matching, order, what a module's file says of itself, and the load itself. Never decides when to load: that is the
//! caller's coldplug, uevent or `modprobe`.

mod built_in;
mod coldplug;
mod database;
mod declared;
mod devname;
mod insert;
mod pattern;

pub use built_in::is_built_in;
pub use coldplug::{bus_aliases, device_aliases, processor_alias};
pub use database::Database;
pub use declared::declared_parameters;
pub use devname::{DeviceNode, device_nodes};
pub use insert::{InsertError, Outcome, insert, insert_with, is_loaded};
pub use pattern::matches;

use std::path::{Path, PathBuf};

use nix::sys::utsname::uname;

/// One module to load: its name, and its file below the module folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The module's name, with underscores.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
}

/// A module's name as the kernel spells it: from a name or a file name, with underscores.
pub fn canonical_name(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    let stem = file.split_once(".ko").map_or(file, |(stem, _)| stem);
    stem.replace('-', "_")
}

/// The module folder of the running kernel, when the image has one.
pub fn folder() -> Option<PathBuf> {
    let release = uname().ok()?.release().to_owned();
    let folders = ["/lib/modules", "/usr/lib/modules"];
    folders
        .iter()
        .map(|folder| Path::new(folder).join(&release))
        .find(|folder| folder.is_dir())
}
