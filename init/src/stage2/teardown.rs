//! The last steps of a machine, when no process is left.
//!
//! Owns: sync, unmounting in reverse order, read-only for what cannot be unmounted, and reboot(2). A disk that hangs
//! here is cut short by the watchdog, which stays armed until the machine is switched off.

use std::fs;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::reboot::{RebootMode, reboot};
use nix::unistd::sync;

use super::watchdog::Feeder;
use crate::log::Log;
use crate::supervise::End;

/// File systems that init and the kernel still need, or that hold nothing.
const STAY: [&str; 4] = ["/", "/proc", "/sys", "/dev"];
/// A mount below another one is gone after the first round; more are for those that were busy with each other.
const ROUNDS: u32 = 3;

/// Ends the machine. It returns only when the kernel refuses.
pub(super) fn finish(end: End, watchdog: Feeder, log: &Log) {
    log.info("syncing disks");
    sync();
    for _ in 0..ROUNDS {
        for target in targets().iter().rev() {
            // Busy ones are tried again, and made read-only in the end.
            umount2(target.as_str(), MntFlags::UMOUNT_NOFOLLOW).ok();
        }
    }
    for target in targets() {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        match mount(
            None::<&str>,
            target.as_str(),
            None::<&str>,
            flags,
            None::<&str>,
        ) {
            Ok(()) => log.warn(&format!("{target} is busy: made read-only")),
            Err(errno) => log.error(&format!("{target} is busy, and stays writable: {errno}")),
        }
    }
    sync();
    log.info(&format!("{} at the end of everything", end.word()));
    let mode = match end {
        // The watchdog stays armed: it restarts a machine that hangs in its restart.
        End::Reboot => RebootMode::RB_AUTOBOOT,
        End::Poweroff => RebootMode::RB_POWER_OFF,
        End::Halt => RebootMode::RB_HALT_SYSTEM,
    };
    if end != End::Reboot {
        watchdog.disarm(log);
    }
    let Err(errno) = reboot(mode);
    log.error(&format!("{}: {errno}", end.word()));
}

/// What is mounted and can go, in the order of mounting.
fn targets() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mount_points(&text)
        .filter(|target| !STAY.contains(&target.as_str()))
        .collect()
}

/// The mount points in the text of a mountinfo file.
fn mount_points(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(unescape)
}

/// The kernel writes white space and backslashes as `\` and three octal digits.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (code, part.get(3..)) {
            (Some(code), Some(rest)) => {
                plain.push(code.into());
                plain.push_str(rest);
            }
            _ => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_mount_points() {
        let text = "21 1 0:20 / / ro - squashfs /dev/dm-0 ro\n\
                    22 21 0:21 / /var/a\\040b\\134 rw shared:1 - ext4 /dev/vda rw\nshort\n";
        assert_eq!(mount_points(text).collect::<Vec<_>>(), ["/", "/var/a b\\"]);
    }
}
