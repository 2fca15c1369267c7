//! Places on PCI, as sysfs names them.

use std::path::Path;

/// The innermost PCI address on the way to a device, such as `0000:00:02.0`: what stands for its place also behind
/// virtio, USB or SCSI. Only the path is looked at.
pub fn address(device: &Path) -> Option<&str> {
    let parts = device.components().rev();
    parts
        .filter_map(|part| part.as_os_str().to_str())
        .find(|part| is_address(part))
}

/// Domain, bus, device and function in hexadecimal.
fn is_address(part: &str) -> bool {
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
    fn the_innermost_address_is_the_place() {
        let of = |path: &'static str| address(Path::new(path));
        let virtio = "/sys/devices/pci0000:00/0000:00:02.0/virtio0";
        assert_eq!(of(virtio), Some("0000:00:02.0"));
        let behind_a_bridge = "/sys/devices/pci0000:00/0000:00:1c.0/0000:03:00.1/ata1";
        assert_eq!(of(behind_a_bridge), Some("0000:03:00.1"));
        assert_eq!(of("/sys/devices/platform/fd580000.ethernet"), None);
        assert_eq!(of("/sys/devices/0000:00:02/zz00:00:02.0"), None);
    }
}
