//! Waiting for the root to appear.
//!
//! Owns: the order of places (inside the initramfs, a boot medium, a disk), the wait for devices that come late, and
//! the account of what was seen when nothing fits. Disks are looked at again only when the kernel says they changed,
//! or while they do not answer yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sys::modules;
use sys::uevent::{Listener, Received, Uevent};

use super::drivers::Drivers;
use super::open::{open_device, open_embedded, open_medium};
use super::probe::{Content, probe};
use crate::clock;
use crate::cmdline::RootHash;
use crate::log::{Log, chain};

/// How long to wait for a device: slow USB sticks and disk controllers need up to half a minute.
const LIMIT: Duration = Duration::from_secs(60);
/// How long to wait for another candidate once one was refused and nothing new appeared.
const LIMIT_REFUSED: Duration = Duration::from_secs(10);
/// How often to look at drives that do not answer: empty ones raise no event when they are filled.
const RETRY: Duration = Duration::from_secs(2);
/// Devices that never hold a root by themselves: memory, loops, mapped devices, and floppies that need seconds to fail.
const NEVER: [&str; 6] = ["ram", "zram", "loop", "dm-", "md", "fd"];

/// Where nearly every disk is found; the other buses take longer to list than these do to try.
const QUICK_BUSES: [&str; 2] = ["pci", "virtio"];

/// Why no root was found.
#[derive(Debug, thiserror::Error)]
pub(super) enum FindError {
    #[error("listen for devices")]
    Listen(#[source] Errno),
    #[error("nothing fits; seen: {0}")]
    Nothing(String),
}

/// Finds, verifies and mounts the root.
pub(super) fn find_root(
    hash: Option<&RootHash>,
    drivers: &Drivers<'_>,
    log: &Log,
) -> Result<(), FindError> {
    // Before the drivers: what they bring must not be missed.
    let listener = Listener::open().map_err(FindError::Listen)?;
    let mut search = Search {
        hash,
        drivers,
        log,
        seen: BTreeMap::new(),
        last_news: clock::now(),
    };
    if search.try_embedded() {
        return Ok(());
    }
    if search.try_present(&listener) {
        return Ok(());
    }
    let began = clock::now();
    loop {
        if search.try_devices() {
            return Ok(());
        }
        let now = clock::now();
        let refused = search
            .seen
            .values()
            .any(|seen| matches!(seen, Seen::Refused(_)));
        let patience = search.last_news + LIMIT_REFUSED;
        if began + LIMIT <= now || (refused && patience <= now) {
            return Err(FindError::Nothing(search.account()));
        }
        wait(&listener);
        search.take_events(&listener);
    }
}

/// What is known of a device.
enum Seen {
    /// It was a candidate, and this is wrong with it.
    Refused(String),
    /// It holds something else.
    Other(String),
    /// It does not answer yet.
    NotYet(String),
}

struct Search<'a> {
    hash: Option<&'a RootHash>,
    drivers: &'a Drivers<'a>,
    log: &'a Log,
    seen: BTreeMap<String, Seen>,
    /// When a device last appeared or changed.
    last_news: Duration,
}

impl Search<'_> {
    fn try_embedded(&mut self) -> bool {
        match open_embedded(self.hash, self.drivers, self.log) {
            None => false,
            Some(Ok(())) => self.found("the initramfs"),
            Some(Err(error)) => self.refused("initramfs", &error),
        }
    }

    /// Loads the drivers of what is there. When the hash tells the right root from any other, the first one that
    /// matches is taken at once, and the remaining drivers are left to the daemons; else the order of places counts.
    fn try_present(&mut self, listener: &Listener) -> bool {
        let quick = QUICK_BUSES
            .iter()
            .flat_map(|bus| modules::bus_aliases(bus))
            .collect();
        self.try_drivers(&quick, listener) || self.try_drivers(&modules::device_aliases(), listener)
    }

    fn try_drivers(&mut self, aliases: &BTreeSet<String>, listener: &Listener) -> bool {
        for name in self.drivers.of_devices(aliases) {
            self.drivers.load_driver(&name);
            self.take_events(listener);
            if self.hash.is_some() && self.try_devices() {
                return true;
            }
        }
        false
    }

    /// Looks at all disks that are new, media first.
    fn try_devices(&mut self) -> bool {
        let mut roots = Vec::new();
        for name in disks() {
            if !matches!(self.seen.get(&name), None | Some(Seen::NotYet(_))) {
                continue;
            }
            let path = Path::new("/dev").join(&name);
            match probe(&path) {
                Content::Medium => {
                    let opened = open_medium(&path, self.hash, self.drivers, self.log);
                    if self.settle(&name, opened) {
                        return true;
                    }
                }
                Content::Root(image) => roots.push((name, path, image)),
                Content::Other(what) => self.note(name, Seen::Other(what)),
                Content::NotYet(why) => self.note(name, Seen::NotYet(why)),
            }
        }
        roots.into_iter().any(|(name, path, image)| {
            let opened = open_device(&path, &image, self.hash, self.drivers, self.log);
            self.settle(&name, opened)
        })
    }

    fn settle(&mut self, name: &str, opened: Result<(), super::open::OpenError>) -> bool {
        match opened {
            Ok(()) => self.found(name),
            Err(error) => self.refused(name, &error),
        }
    }

    fn found(&self, place: &str) -> bool {
        let how = if self.hash.is_some() {
            "verified"
        } else {
            "not verified"
        };
        self.log.info(&format!("root found in {place}, {how}"));
        true
    }

    fn refused(&mut self, name: &str, error: &super::open::OpenError) -> bool {
        let text = chain(error);
        self.log.error(&format!("{name} is refused: {text}"));
        self.note(name.to_owned(), Seen::Refused(text));
        false
    }

    fn note(&mut self, name: String, seen: Seen) {
        if self.seen.insert(name, seen).is_none() {
            self.last_news = clock::now();
        }
    }

    fn take_events(&mut self, listener: &Listener) {
        loop {
            match listener.recv() {
                Ok(Received::Event(event)) => self.take_event(&event),
                Ok(Received::Overflow) => {
                    for name in self.drivers.of_devices(&modules::device_aliases()) {
                        self.drivers.load_driver(&name);
                    }
                }
                Ok(Received::Nothing) => return,
                Err(errno) => {
                    self.log.warn(&format!("receive device events: {errno}"));
                    return;
                }
            }
        }
    }

    fn take_event(&mut self, event: &Uevent) {
        if let (true, Some(alias)) = (event.action == "add", event.get("MODALIAS")) {
            self.drivers.load(alias);
        }
        // A drive that got another medium, or comes back, is a new drive.
        if event.action != "add"
            && event.get("SUBSYSTEM") == Some("block")
            && let Some(name) = event.get("DEVNAME")
        {
            self.seen.remove(name);
        }
    }

    /// Every device with what is known of it, for the screen.
    fn account(&self) -> String {
        if self.seen.is_empty() {
            return "no disk at all".to_owned();
        }
        let lines: Vec<_> = self
            .seen
            .iter()
            .map(|(name, seen)| format!("{name} ({seen})"))
            .collect();
        lines.join(", ")
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(text) | Self::Other(text) | Self::NotYet(text)) = self;
        f.write_str(text)
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(_) => f.write_str("root image"),
            Self::Medium => f.write_str("boot medium"),
            Self::Other(text) | Self::NotYet(text) => f.write_str(text),
        }
    }
}

/// The names of all whole disks that may hold a root.
fn disks() -> Vec<String> {
    let entries = fs::read_dir(PathBuf::from("/sys/block"))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.retain(|name| !NEVER.iter().any(|prefix| is_numbered(name, prefix)));
    names.sort();
    names
}

/// Whether the name is the prefix and a number, such as `loop0`, and not only begins like it, such as `fdisk`.
fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn wait(listener: &Listener) {
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    // Interrupted or failed: the caller looks again either way, and its own deadline ends it.
    poll(
        &mut fds,
        PollTimeout::try_from(RETRY).unwrap_or(PollTimeout::ZERO),
    )
    .ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_over_what_never_holds_a_root() {
        for name in ["loop0", "ram15", "dm-0", "zram1", "fd0", "md127"] {
            assert!(
                NEVER.iter().any(|prefix| is_numbered(name, prefix)),
                "{name}"
            );
        }
        for name in ["vda", "sda", "sr0", "nvme0n1", "mmcblk0", "mdev"] {
            assert!(
                !NEVER.iter().any(|prefix| is_numbered(name, prefix)),
                "{name}"
            );
        }
    }
}
