//! Facts about the machine and the kernel that do not change while we run.

use std::fs;
use std::path::Path;

/// What this machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The identity that the firmware gives it; empty where there is none.
    pub uuid: String,
    /// The kernel's release.
    pub kernel: String,
    /// The kernel command line.
    pub command_line: String,
    /// What the kernel calls this boot: random, so no other boot of any machine has it.
    pub boot_id: String,
    /// 32 hexadecimal digits: stable for this boot, and across boots where the firmware gives an identity.
    pub machine_id: String,
}

impl Machine {
    /// Reads the facts of this machine.
    #[must_use]
    pub fn read() -> Self {
        let uuid = text("/sys/class/dmi/id/product_uuid").to_lowercase();
        let boot_id = text("/proc/sys/kernel/random/boot_id");
        Self {
            kernel: text("/proc/sys/kernel/osrelease"),
            command_line: text("/proc/cmdline"),
            machine_id: machine_id(&uuid, &boot_id),
            boot_id,
            uuid,
        }
    }

    /// A number that no other start of this daemon has, on this boot or another: the boot's id above, init's count of
    /// our lives below. The clock is no part of it, because it is stepped, and begins anew where none keeps time.
    #[must_use]
    pub fn epoch(&self, life: u64) -> u64 {
        let boot: String = digits(&self.boot_id).chars().take(10).collect();
        u64::from_str_radix(&boot, 16).unwrap_or_default() << 24 | (life & 0xff_ffff)
    }

    /// The folder of the running kernel's modules.
    #[must_use]
    pub fn modules(&self) -> std::path::PathBuf {
        Path::new("/usr/lib/modules").join(&self.kernel)
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn digits(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_hexdigit);
    digits.collect::<String>().to_lowercase()
}

/// The firmware's identity without dashes; where it is missing or one of the well-known blanks, the boot's own.
fn machine_id(uuid: &str, boot_id: &str) -> String {
    let firmware = digits(uuid);
    let blank =
        firmware.chars().all(|digit| digit == '0') || firmware.chars().all(|digit| digit == 'f');
    if firmware.len() == 32 && !blank {
        firmware
    } else {
        digits(boot_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "0e6bd0b4-6a4a-4f2b-9d39-3c6a52a5b0b3";

    #[test]
    fn no_two_lives_share_an_epoch() {
        let machine = |boot_id: &str| Machine {
            uuid: String::new(),
            kernel: String::new(),
            command_line: String::new(),
            boot_id: boot_id.to_owned(),
            machine_id: String::new(),
        };
        assert_eq!(machine(BOOT).epoch(2), 0x0e6b_d0b4_6a00_0002);
        assert_ne!(machine(BOOT).epoch(1), machine(BOOT).epoch(2));
        assert_ne!(machine(BOOT).epoch(1), machine("1e6bd0b4").epoch(1));
    }

    #[test]
    fn the_firmwares_identity_is_used_when_it_is_one() {
        let given = "4C4C4544-0042-3510-8054-B4C04F564433";
        assert_eq!(machine_id(given, BOOT), "4c4c4544004235108054b4c04f564433");
        for blank in [
            "",
            "Not Settable",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            assert_eq!(
                machine_id(blank, BOOT),
                "0e6bd0b46a4a4f2b9d393c6a52a5b0b3",
                "{blank:?}"
            );
        }
    }
}
