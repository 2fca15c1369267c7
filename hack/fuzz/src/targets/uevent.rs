//! Device events.

use sys::modules::canonical_name;
use sys::uevent::Uevent;

pub(super) fn run(data: &[u8]) {
    let Some(event) = Uevent::parse(data) else {
        return;
    };
    let plain = |text: &str| !text.contains('\0');
    assert!(!event.action.is_empty() && plain(&event.action) && !event.action.contains('@'));
    assert!(event.devpath.starts_with('/') && plain(&event.devpath));
    for key in [
        "ACTION",
        "DEVPATH",
        "SUBSYSTEM",
        "MODALIAS",
        "DEVNAME",
        "INTERFACE",
    ] {
        if let Some(value) = event.get(key) {
            assert!(plain(value));
            assert!(!canonical_name(value).contains(['-', '/']));
        }
    }
}
