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

/// The innermost PCI address on the way to the device, else the device's own name.
fn place(real: &Path) -> String {
    let mut parts = real
        .components()
        .rev()
        .filter_map(|c| c.as_os_str().to_str());
    parts
        .find(|p| is_pci(p))
        .map(str::to_owned)
        .or_else(|| last(real))
        .unwrap_or_default()
}

fn last(path: &Path) -> Option<String> {
    path.file_name().and_then(|n| n.to_str()).map(str::to_owned)
}

/// `0000:00:02.0`: domain, bus, device and function in hexadecimal.
fn is_pci(part: &str) -> bool {
    let hex = |t: &str, n: usize| t.len() >= n && t.bytes().all(|b| b.is_ascii_hexdigit());
    let mut fields = part.split(':');
    let (Some(domain), Some(bus), Some(rest), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    rest.split_once('.')
        .is_some_and(|(device, function)| hex(device, 2) && hex(function, 1))
        && hex(domain, 4)
        && hex(bus, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pci_address_behind_virtio_is_the_place() {
        assert_eq!(
            place(Path::new("/sys/devices/pci0000:00/0000:00:02.0/virtio0")),
            "0000:00:02.0"
        );
        assert_eq!(
            place(Path::new(
                "/sys/devices/pci0000:00/0000:00:1c.0/0000:03:00.1"
            )),
            "0000:03:00.1"
        );
        assert_eq!(
            place(Path::new("/sys/devices/platform/fd580000.ethernet")),
            "fd580000.ethernet"
        );
    }
}
