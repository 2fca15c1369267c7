//! The devices that were there before anyone listened.
//!
//! Owns: collecting their aliases. The buses list every device that a driver can bind to, in a few folders;
//! walking all of `/sys/devices` finds the same aliases in ten times as many.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const BUSES: &str = "/sys/bus";
/// Where the kernel describes the processor; its cores stand on a bus, but without an alias.
const PROCESSOR: &str = "/sys/devices/system/cpu";

/// The aliases of all devices present. A device that vanishes meanwhile is left out.
pub fn device_aliases() -> BTreeSet<String> {
    let mut aliases = BTreeSet::new();
    for bus in names(Path::new(BUSES)) {
        aliases.append(&mut bus_aliases(&bus));
    }
    // The machine's own description stands on no bus.
    aliases.extend(read_alias(Path::new("/sys/class/dmi/id")));
    aliases.extend(processor_alias());
    aliases
}

/// The alias of the processor, which names each of its features: drivers of ciphers and hashes bind to them.
pub fn processor_alias() -> Option<String> {
    read_alias(Path::new(PROCESSOR))
}

/// The aliases of the devices on one bus, such as `pci`; none when there is no such bus.
pub fn bus_aliases(bus: &str) -> BTreeSet<String> {
    let devices = Path::new(BUSES).join(bus).join("devices");
    let aliases = names(&devices)
        .into_iter()
        .filter_map(|name| read_alias(&devices.join(name)));
    aliases.collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn read_alias(device: &Path) -> Option<String> {
    let text = fs::read_to_string(device.join("modalias")).ok()?;
    let alias = text.trim_end();
    (!alias.is_empty()).then(|| alias.to_owned())
}
