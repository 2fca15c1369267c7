//! What is to be done about bundles, by what is there, what is mounted and what was found out. Pure.
//!
//! ```text
//! (nothing) ──> Busy ──> Looked ──> (nothing), when there is another device of that name
//!                 └────> Failed ──> Busy, after a while
//! ```

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::devices::Device;

/// What is known under a device's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A thread is at it. Its answer leaves this.
    Busy,
    /// The device was looked at. Another device leaves this.
    Looked(Device, Found),
    /// Something did not go well with what was there then. Time leaves this, or another device.
    Failed {
        /// What was there; none, when it was gone.
        device: Option<Device>,
        /// When it is tried again.
        again: Instant,
    },
}

/// What is on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A bundle, which is mounted unless somebody has taken that away.
    Bundle,
    /// Something else.
    Nothing,
}

/// Something to do that may take as long as a medium does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Look what is on the device of this name, and mount it when it is a bundle.
    Settle {
        /// The name.
        name: String,
        /// The device.
        device: Device,
        /// It is mounted already, by a former life.
        mounted: bool,
    },
    /// Take away the mount of this name.
    Drop(String),
}

/// All that can be done now. Every name has one thing done to it at a time.
pub(super) fn plan(
    devices: &BTreeMap<String, Device>,
    mounted: &BTreeSet<String>,
    known: &BTreeMap<String, Known>,
    now: Instant,
) -> Vec<Op> {
    let all = All {
        devices,
        known,
        now,
    };
    let names: BTreeSet<&String> = devices.keys().chain(mounted).collect();
    let ops = names
        .into_iter()
        .filter_map(|name| all.next(name, mounted.contains(name)));
    ops.collect()
}

struct All<'a> {
    devices: &'a BTreeMap<String, Device>,
    known: &'a BTreeMap<String, Known>,
    now: Instant,
}

impl All<'_> {
    fn next(&self, name: &str, mounted: bool) -> Option<Op> {
        let drop = || mounted.then(|| Op::Drop(name.to_owned()));
        let device = self.devices.get(name);
        match self.known.get(name) {
            Some(Known::Busy) => return None,
            Some(Known::Failed {
                device: then,
                again,
            }) if then.as_ref() == device && self.now < *again => {
                return None;
            }
            // What is mounted is of the device that was there before.
            Some(Known::Looked(then, _)) if mounted && Some(then) != device => return drop(),
            _ => {}
        }
        let Some(device) = device.filter(|it| it.bytes > 0) else {
            return drop();
        };
        match self.known.get(name) {
            Some(Known::Looked(then, found)) if then == device => match found {
                Found::Bundle => None,
                Found::Nothing => drop(),
            },
            _ if name == device.disk => Some(settle(name, device, mounted)),
            _ => match self.known.get(&device.disk) {
                // The first partition of an ISO image on a stick shows the same files as the whole stick.
                Some(Known::Looked(disk, Found::Bundle)) if self.is_there(device, disk) => drop(),
                Some(Known::Looked(disk, Found::Nothing)) if self.is_there(device, disk) => {
                    Some(settle(name, device, mounted))
                }
                Some(Known::Failed { .. }) => Some(settle(name, device, mounted)),
                // It is not this one's turn yet.
                _ => None,
            },
        }
    }

    /// Whether what was looked at is the disk that a partition is on.
    fn is_there(&self, partition: &Device, disk: &Device) -> bool {
        self.devices.get(&partition.disk) == Some(disk)
    }
}

fn settle(name: &str, device: &Device, mounted: bool) -> Op {
    Op::Settle {
        name: name.to_owned(),
        device: device.clone(),
        mounted,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn device(disk: &str, sequence: u64, start: u64, bytes: u64) -> Device {
        Device {
            disk: disk.to_owned(),
            sequence,
            start,
            bytes,
        }
    }

    fn disk(name: &str, sequence: u64) -> Device {
        device(name, sequence, 0, 4096)
    }

    /// A node with disks, and what is known and mounted there.
    #[derive(Default)]
    struct Node {
        devices: BTreeMap<String, Device>,
        mounted: BTreeSet<String>,
        known: BTreeMap<String, Known>,
        now: Option<Instant>,
    }

    impl Node {
        fn of(devices: &[(&str, Device)]) -> Self {
            let devices = devices.iter().cloned();
            Self {
                devices: devices.map(|(name, it)| (name.to_owned(), it)).collect(),
                ..Self::default()
            }
        }

        fn mounted(mut self, name: &str) -> Self {
            self.mounted.insert(name.to_owned());
            self
        }

        fn known(mut self, name: &str, known: Known) -> Self {
            self.known.insert(name.to_owned(), known);
            self
        }

        fn found(self, name: &str, found: Found) -> Self {
            let device = self.devices[name].clone();
            self.known(name, Known::Looked(device, found))
        }

        fn plan(&self) -> Vec<Op> {
            let now = self.now.unwrap_or_else(Instant::now);
            plan(&self.devices, &self.mounted, &self.known, now)
        }

        fn settles(&self, name: &str, mounted: bool) -> Op {
            settle(name, &self.devices[name], mounted)
        }
    }

    #[test]
    fn what_comes_is_looked_at_once() {
        let node = Node::of(&[("vda", disk("vda", 1)), ("vdb", disk("vdb", 2))]);
        let both = [node.settles("vda", false), node.settles("vdb", false)];
        assert_eq!(node.plan(), both);
        let node = node.known("vda", Known::Busy).found("vdb", Found::Nothing);
        assert_eq!(node.plan(), []);
        assert_eq!(node.found("vdb", Found::Bundle).plan(), []);
    }

    #[test]
    fn what_goes_is_taken_away_and_so_is_what_is_no_bundle_any_more() {
        let gone = [Op::Drop("vdb".to_owned())];
        let node = Node::default().mounted("vdb");
        assert_eq!(node.plan(), gone);
        assert_eq!(node.known("vdb", Known::Busy).plan(), []);
        let node = Node::of(&[("vdb", disk("vdb", 2))]).mounted("vdb");
        assert_eq!(node.found("vdb", Found::Nothing).plan(), gone);
        // The disc was taken out of the drive.
        let node = Node::of(&[("sr0", device("sr0", 1, 0, 0))]);
        assert_eq!(node.plan(), []);
        let empty = node.mounted("sr0");
        assert_eq!(empty.plan(), [Op::Drop("sr0".to_owned())]);
    }

    #[test]
    fn another_medium_is_looked_at_when_the_mount_of_the_last_one_is_gone() {
        let other = Known::Looked(disk("sr0", 1), Found::Bundle);
        let node = Node::of(&[("sr0", disk("sr0", 2))]).known("sr0", other);
        assert_eq!(node.plan(), [node.settles("sr0", false)]);
        assert_eq!(node.mounted("sr0").plan(), [Op::Drop("sr0".to_owned())]);
    }

    #[test]
    fn a_new_life_keeps_what_is_mounted_and_looks_at_it() {
        let node = Node::of(&[("vdb", disk("vdb", 2))]).mounted("vdb");
        assert_eq!(node.plan(), [node.settles("vdb", true)]);
        assert_eq!(node.found("vdb", Found::Bundle).plan(), []);
    }

    #[test]
    fn partitions_come_after_their_disk() {
        let both = [("sda", disk("sda", 1)), ("sda1", device("sda", 1, 64, 99))];
        let node = Node::of(&both);
        assert_eq!(node.plan(), [node.settles("sda", false)]);
        let node = node.found("sda", Found::Nothing);
        assert_eq!(node.plan(), [node.settles("sda1", false)]);
        let node = Node::of(&both).found("sda", Found::Bundle);
        assert_eq!(node.plan(), []);
        assert_eq!(node.mounted("sda1").plan(), [Op::Drop("sda1".to_owned())]);
        // What is known of the disk is of another one.
        let node = Node::of(&both).known("sda", Known::Looked(disk("sda", 0), Found::Nothing));
        assert_eq!(node.plan(), [node.settles("sda", false)]);
    }

    #[test]
    fn what_failed_is_tried_after_a_while_or_when_it_is_another_one() {
        let now = Instant::now();
        let failed = |device| Known::Failed {
            device,
            again: now + Duration::from_secs(1),
        };
        let mut node = Node::of(&[("sda", disk("sda", 1)), ("sda1", device("sda", 1, 64, 99))]);
        node.now = Some(now);
        let node = node.known("sda", failed(Some(disk("sda", 1))));
        // The beginning may be bad, and the rest sound.
        assert_eq!(node.plan(), [node.settles("sda1", false)]);
        let mut node = node.found("sda1", Found::Nothing);
        assert_eq!(node.plan(), []);
        node.now = Some(now + Duration::from_secs(1));
        assert_eq!(node.plan(), [node.settles("sda", false)]);
        node.now = Some(now);
        let node = node.known("sda", failed(Some(disk("sda", 0))));
        assert_eq!(node.plan(), [node.settles("sda", false)]);
        // A mount that could not be taken away.
        let mut node = Node::default().mounted("sda").known("sda", failed(None));
        node.now = Some(now);
        assert_eq!(node.plan(), []);
        node.now = Some(now + Duration::from_secs(1));
        assert_eq!(node.plan(), [Op::Drop("sda".to_owned())]);
    }
}
