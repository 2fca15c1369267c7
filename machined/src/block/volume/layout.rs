//! The final partition table of a system disk: made once, at first use, and never moved.

use serde::{Deserialize, Serialize};

use super::guid::Guid;
use super::table::{Partition, Table};

/// Bytes in a mebibyte: every partition begins and ends on one, whatever the disk's sectors are.
pub(super) const MIB: u64 = 1 << 20;

/// The smallest last partition: below that, images and logs would not fit beside each other.
const LEAST_EPHEMERAL: u64 = 512 * MIB;

/// What is left free at each end of the disk for the tables.
const ENDS: u64 = MIB;

/// A partition of ours, in the order on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub(super) enum Volume {
    /// What the firmware boots from.
    Efi,
    /// One of two roots.
    RootA,
    /// The other.
    RootB,
    /// Notes about this disk, without a file system.
    Meta,
    /// Config and identity.
    State,
    /// Everything else that is written.
    Ephemeral,
}

impl Volume {
    /// All of them, in order.
    pub(super) const ALL: [Self; 6] = [
        Self::Efi,
        Self::RootA,
        Self::RootB,
        Self::Meta,
        Self::State,
        Self::Ephemeral,
    ];

    /// Those with a file system of the running node, in the order in which they are mounted.
    pub(super) const MOUNTED: [Self; 2] = [Self::State, Self::Ephemeral];

    /// Its name, and the label of its file system.
    #[must_use]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Efi => "EFI",
            Self::RootA => "ROOT-A",
            Self::RootB => "ROOT-B",
            Self::Meta => "META",
            Self::State => "STATE",
            Self::Ephemeral => "EPHEMERAL",
        }
    }

    /// Its name in the partition table. Others call partitions `STATE` and `META` too; with our own name in front a
    /// disk of theirs is never taken for ours.
    #[must_use]
    pub(super) fn label(self) -> String {
        format!("GARBOARD-{}", self.name())
    }

    /// Its number in the table, from one on.
    #[must_use]
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Efi => 1,
            Self::RootA => 2,
            Self::RootB => 3,
            Self::Meta => 4,
            Self::State => 5,
            Self::Ephemeral => 6,
        }
    }

    /// Its type (UAPI Discoverable Partitions Specification).
    #[must_use]
    pub(super) fn kind(self) -> Guid {
        match self {
            // EFI system partition
            Self::Efi => Guid::new(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b),
            // root, x86-64
            Self::RootA | Self::RootB => Guid::new(0x4f68_bce3_e8cd_4db1_96e7_fbca_f984_b709),
            // generic Linux data
            Self::Meta | Self::State => Guid::new(0x0fc6_3daf_8483_4772_8e79_3d69_d847_7de4),
            // /var
            Self::Ephemeral => Guid::new(0x4d21_b016_b534_45c2_a9fb_5c16_e091_fd2d),
        }
    }

    /// Its size; the last one takes the rest.
    fn bytes(self) -> Option<u64> {
        match self {
            Self::Efi => Some(1024 * MIB),
            Self::RootA | Self::RootB => Some(512 * MIB),
            Self::Meta => Some(4 * MIB),
            Self::State => Some(256 * MIB),
            Self::Ephemeral => None,
        }
    }

    /// Where it begins on every system disk.
    #[must_use]
    pub(super) fn start(self) -> u64 {
        let before = Self::ALL.into_iter().filter(|it| *it < self);
        before.filter_map(Self::bytes).sum::<u64>() + ENDS
    }
}

/// The smallest disk that can be a system disk.
#[must_use]
pub(super) fn least() -> u64 {
    Volume::Ephemeral.start() + LEAST_EPHEMERAL + ENDS
}

/// The table of a system disk of this size, with these identifiers; `None` when the disk is too small.
#[must_use]
pub(super) fn table(disk_bytes: u64, disk: Guid, mut guid: impl FnMut() -> Guid) -> Option<Table> {
    if disk_bytes < least() {
        return None;
    }
    let partitions = Volume::ALL.into_iter().map(|volume| Partition {
        number: volume.number(),
        label: volume.label(),
        kind: volume.kind(),
        guid: guid(),
        start: volume.start(),
        bytes: volume.bytes().unwrap_or_else(|| rest(disk_bytes)),
    });
    Some(Table {
        disk,
        partitions: partitions.collect(),
    })
}

/// The room for the last partition.
fn rest(disk_bytes: u64) -> u64 {
    (disk_bytes - ENDS) / MIB * MIB - Volume::Ephemeral.start()
}

/// What a table is to this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Not one of ours.
    Foreign,
    /// One of ours, and the disk has become smaller than it.
    Larger,
    /// One of ours as it should be.
    Fits,
    /// One of ours; the disk has room for more, as in this table.
    Grows(Table),
}

/// Holds a table against a disk of this size.
#[must_use]
pub(super) fn fit(table: &Table, disk_bytes: u64) -> Fit {
    let ours = |volume: Volume| {
        table.partitions.iter().any(|it| {
            (it.number, it.start) == (volume.number(), volume.start())
                && it.label == volume.label()
                && it.kind == volume.kind()
                && volume.bytes().is_none_or(|bytes| bytes == it.bytes)
        })
    };
    if table.partitions.len() != Volume::ALL.len() || !Volume::ALL.into_iter().all(ours) {
        return Fit::Foreign;
    }
    let end = |it: &Partition| it.start.saturating_add(it.bytes);
    if table.partitions.iter().map(end).max() > Some(disk_bytes.saturating_sub(ENDS)) {
        return Fit::Larger;
    }
    let mut grown = table.clone();
    for partition in &mut grown.partitions {
        if partition.number == Volume::Ephemeral.number() {
            partition.bytes = partition.bytes.max(rest(disk_bytes));
        }
    }
    if grown == *table {
        Fit::Fits
    } else {
        Fit::Grows(grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(bytes: u64) -> Table {
        let mut next = 1;
        let guid = || {
            next += 1;
            Guid::new(next)
        };
        table(bytes, Guid::new(1), guid).unwrap()
    }

    #[test]
    fn the_places_are_those_of_the_design() {
        let starts = Volume::ALL.map(|it| it.start() / MIB);
        assert_eq!(starts, [1, 1025, 1537, 2049, 2053, 2309]);
        assert_eq!(least() / MIB, 2822);
        let table = made(10 << 30);
        assert_eq!(table.partitions[5].bytes / MIB, 10240 - 1 - 2309);
        assert_eq!(fit(&table, 10 << 30), Fit::Fits);
    }

    #[test]
    fn a_disk_that_is_too_small_gets_none() {
        let none = |bytes| table(bytes, Guid::default(), Guid::default);
        assert_eq!(none(least() - 1), None);
        assert_eq!(none(0), None);
        assert!(none(least()).is_some());
    }

    #[test]
    fn only_the_end_of_the_last_one_ever_moves() {
        let table = made(10 << 30);
        let Fit::Grows(grown) = fit(&table, (20 << 30) + 12345) else {
            panic!("the disk has grown")
        };
        assert_eq!(grown.partitions[..5], table.partitions[..5]);
        assert_eq!(grown.partitions[5].bytes / MIB, 20480 - 1 - 2309);
        assert_eq!(fit(&grown, 10 << 30), Fit::Larger);
    }

    #[test]
    fn what_differs_anywhere_is_not_ours() {
        let table = made(10 << 30);
        let foreign = |change: fn(&mut Table)| {
            let mut table = table.clone();
            change(&mut table);
            assert_eq!(fit(&table, 10 << 30), Fit::Foreign);
        };
        foreign(|it| it.partitions.clear());
        foreign(|it| "STATE".clone_into(&mut it.partitions[4].label));
        foreign(|it| it.partitions[4].kind = Volume::Efi.kind());
        foreign(|it| it.partitions[3].start += MIB);
        foreign(|it| it.partitions[0].bytes -= MIB);
        foreign(|it| it.partitions.push(it.partitions[0].clone()));
    }
}
