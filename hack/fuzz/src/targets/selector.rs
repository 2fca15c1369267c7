//! What tells a node its disk: in a config, and as people try it with `osctl`.

use config::{DiskBus, DiskFacts, DiskSelector};

pub(super) const WORDS: &[&str] = &[
    "size",
    "name",
    "model",
    "serial",
    "wwid",
    "bus",
    "bus_path",
    "rotational",
    "removable",
    " >= 100GiB",
    " != 1TB",
    " == \"nvme\"",
    " == true",
    ".startsWith('a')",
    ".endsWith(",
    ".contains(",
    " && ",
    " || ",
    "!",
    "(",
    ")",
    "\\\"",
    "\\\\",
];

const DISKS: [DiskFacts<'_>; 2] = [
    DiskFacts {
        name: "sda",
        size: 0,
        model: "",
        serial: "",
        wwid: "",
        bus_path: "",
        bus: DiskBus::Usb,
        rotational: true,
        removable: true,
    },
    DiskFacts {
        name: "nvme0n1",
        size: 1 << 40,
        model: "a",
        serial: "aa",
        wwid: "eui.a",
        bus_path: "0000:01:00.0",
        bus: DiskBus::Nvme,
        rotational: false,
        removable: false,
    },
];

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let selector: DiskSelector = match text.parse() {
        Ok(selector) => selector,
        Err(error) => {
            let end = text.chars().count() + 1;
            assert!(error.column.is_none_or(|it| (1..=end).contains(&it)));
            assert!(error.to_string().len() <= 2 << 10, "an endless refusal");
            return;
        }
    };
    let again = selector.to_string().parse();
    assert_eq!(
        again.as_ref(),
        Ok(&selector),
        "written, it says something else"
    );
    // In parentheses it says the same, and behind `!` the opposite, if there is room for that.
    for (form, same) in [
        (format!("({selector})"), true),
        (format!("!({selector})"), false),
    ] {
        let Ok(form) = form.parse::<DiskSelector>() else {
            continue;
        };
        for disk in &DISKS {
            assert_eq!(form.fits(disk) == selector.fits(disk), same, "{form}");
        }
    }
}
