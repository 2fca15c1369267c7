//! The device behind a link, as sysfs shows it: driver and place on the bus. What is not there is left empty.

use std::fs;
use std::path::Path;

/// What sysfs says of a link's device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The driver's name.
    pub driver: String,
    /// The device's place: its PCI address where it has one, also behind virtio or USB.
    pub path: String,
}

/// Looks a link's device up.
#[must_use]
pub fn device(link: &str) -> Device {
    let device = Path::new("/sys/class/net").join(link).join("device");
    let driver = fs::read_link(device.join("driver")).ok();
    let real = fs::canonicalize(&device).ok();
    Device {
        driver: driver.as_deref().and_then(last).unwrap_or_default(),
        path: real.as_deref().map(place).unwrap_or_default(),
    }
}

/// The PCI address of the device, else the device's own name.
fn place(real: &Path) -> String {
    let address = sys::pci::address(real).map(str::to_owned);
    address.or_else(|| last(real)).unwrap_or_default()
}

fn last(path: &Path) -> Option<String> {
    path.file_name().and_then(|n| n.to_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_on_no_pci_bus_is_known_by_its_name() {
        let place = |path| place(Path::new(path));
        assert_eq!(
            place("/sys/devices/pci0000:00/0000:00:02.0/virtio0"),
            "0000:00:02.0"
        );
        assert_eq!(
            place("/sys/devices/platform/fd580000.ethernet"),
            "fd580000.ethernet"
        );
    }
}
