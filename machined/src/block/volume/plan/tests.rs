//! The steps on a disk that loses power.

use proptest::prelude::*;

use super::super::layout::MIB;
use super::super::meta;
use super::super::table::{self, Ends, Piece};
use super::*;

const SECTOR: u64 = 512;
const DISK: u64 = 4 << 30;
/// Where a config lies in the simulated file system.
const CONFIG: u64 = 100 * SECTOR;

/// A disk whose writes count for good only after a flush.
#[derive(Clone)]
struct Disk {
    bytes: u64,
    now: BTreeMap<u64, Vec<u8>>,
    kept: BTreeMap<u64, Vec<u8>>,
    unsure: Vec<(u64, Vec<u8>)>,
    /// How many more sectors there is power for.
    power: usize,
    /// The table as the kernel has taken it.
    taken: Option<Table>,
}

struct NoPower;

impl Disk {
    fn new() -> Self {
        Self {
            bytes: DISK,
            now: BTreeMap::new(),
            kept: BTreeMap::new(),
            unsure: Vec::new(),
            power: usize::MAX,
            taken: None,
        }
    }

    fn table(&self) -> Option<Table> {
        match self.look("vda").found {
            Found::Table { table, .. } => Some(table),
            Found::Blank | Found::Other(_) => None,
        }
    }

    fn read(&self, at: u64, bytes: u64) -> Vec<u8> {
        let mut read = vec![0; usize::try_from(bytes).unwrap()];
        for (number, sector) in self.now.range(at / SECTOR..(at + bytes) / SECTOR) {
            let within = usize::try_from(number * SECTOR - at).unwrap();
            read[within..within + 512].copy_from_slice(sector);
        }
        read
    }

    /// Writes and flushes.
    fn write(&mut self, piece: &Piece) -> Result<(), NoPower> {
        for (number, sector) in piece.bytes.chunks(512).enumerate() {
            self.power = self.power.checked_sub(1).ok_or(NoPower)?;
            let number = piece.at / SECTOR + number as u64;
            self.now.insert(number, sector.to_vec());
            self.unsure.push((number, sector.to_vec()));
        }
        self.kept.extend(self.unsure.drain(..));
        Ok(())
    }

    fn blot(&mut self, at: u64, byte: u8) -> Result<(), NoPower> {
        let bytes = vec![byte; 512];
        self.write(&Piece { at, bytes })
    }

    /// The power comes back: what was not flushed is there or not, sector by sector.
    fn cut(&mut self, seed: u64) {
        let unsure = std::mem::take(&mut self.unsure);
        self.now.clone_from(&self.kept);
        for (at, (number, sector)) in unsure.into_iter().enumerate() {
            if seed.rotate_left(u32::try_from(at % 64).unwrap()) & 1 == 1 {
                self.now.insert(number, sector);
            }
        }
        self.kept.clone_from(&self.now);
        self.power = usize::MAX;
        // The kernel starts too, and reads what is there.
        self.taken = self.table();
    }

    /// The daemon is killed alone: what it had written is there, and the kernel has what it was told.
    fn kill(&mut self) {
        self.power = usize::MAX;
    }

    fn look(&self, name: &str) -> Seen {
        let head = self.read(0, MIB);
        let ends = Ends {
            disk_bytes: self.bytes,
            sector: SECTOR,
            head: head.clone(),
            tail: self.read(self.bytes - MIB, MIB),
        };
        let has = |it: &Volume| self.read(it.start(), SECTOR).starts_with(b"fs");
        let found = table::read(&ends);
        let known = match &found {
            Found::Table { table, .. } => self.taken.as_ref() == Some(table),
            Found::Blank | Found::Other(_) => true,
        };
        Seen {
            name: name.to_owned(),
            bytes: self.bytes,
            held: false,
            found,
            known,
            head_is_blank: head.iter().all(|it| *it == 0),
            notes: meta::read(&self.read(Volume::Meta.start(), meta::BYTES as u64)),
            file_systems: Volume::MOUNTED.into_iter().filter(has).collect(),
        }
    }

    fn carry_out(&mut self, step: &Step, notes: &Notes, life: &mut Life) -> Result<(), NoPower> {
        match step {
            Step::Note(meta) => self.write(&meta::piece(notes, meta))?,
            Step::Clear => {
                for at in [0, self.bytes - MIB] {
                    let bytes = vec![0; 1 << 20];
                    self.write(&Piece { at, bytes })?;
                }
            }
            Step::Partition(table) => {
                self.partition(table)?;
                self.taken = Some(table.clone());
            }
            Step::Announce(table) => self.taken = Some(table.clone()),
            Step::Empty(volume) => {
                self.blot(volume.start(), 0)?;
                self.blot(volume.start() + CONFIG, 0)?;
                life.emptied.insert(*volume);
            }
            Step::Make(volume) => {
                // There is no device to make it on before.
                assert_eq!(self.taken, self.table());
                self.blot(volume.start() + CONFIG, 0)?;
                let mut bytes = b"fs".to_vec();
                bytes.resize(512, 7);
                let at = volume.start();
                self.write(&Piece { at, bytes })?;
                life.made.insert(*volume);
            }
            Step::Check(volume) => {
                let whole = self.look("").file_systems.contains(volume);
                let told = if whole {
                    Ok(String::new())
                } else {
                    Err("gone".to_owned())
                };
                life.checked.insert(*volume, told);
            }
            Step::Mount(volume) => drop(life.mounted.insert(*volume)),
            Step::Grow(volume) => drop(life.grown.insert(*volume)),
        }
        Ok(())
    }

    fn partition(&mut self, table: &Table) -> Result<(), NoPower> {
        let rounds = table::pieces(table, self.bytes, SECTOR).unwrap();
        let mut pieces = rounds.iter().flatten();
        pieces.try_for_each(|piece| self.write(piece))
    }

    /// One life of the node, until it is at rest or the power goes.
    fn live(&mut self, wanted: Option<&Wanted>) -> Result<Life, NoPower> {
        let mut life = Life::default();
        let mut number = 0;
        for _ in 0..64 {
            let seen = [self.look("vda")];
            let Choice::Disk(disk, make) = choose(&seen, wanted, "vda") else {
                return Ok(life);
            };
            let guid = || {
                number += 1;
                Guid::new(number)
            };
            let Some(step) = next(disk, make, &life, guid) else {
                return Ok(life);
            };
            let notes = disk.notes.clone();
            self.carry_out(&step, &notes, &mut life)?;
        }
        panic!("it never comes to rest")
    }

    fn configured(&mut self, life: &Life) -> Result<(), NoPower> {
        assert!(life.mounted.contains(&Volume::State));
        self.blot(Volume::State.start() + CONFIG, b'c')
    }

    fn has_config(&self) -> bool {
        self.read(Volume::State.start() + CONFIG, SECTOR)[0] == b'c'
    }
}

fn wanted(wipe: bool) -> Wanted {
    Wanted {
        fitting: vec!["vda".to_owned()],
        wipe,
    }
}

fn settled() -> Disk {
    let mut disk = Disk::new();
    let life = disk.live(Some(&wanted(false))).ok().unwrap();
    assert_eq!(life.mounted, BTreeSet::from(Volume::MOUNTED));
    disk.configured(&life).ok().unwrap();
    disk
}

fn reset(disk: &mut Disk) {
    let seen = disk.look("vda");
    let Content::Ours { table, .. } = seen.content() else {
        panic!("it is ours")
    };
    let mut meta = seen.meta(table).unwrap().clone();
    meta.reset = true;
    disk.write(&meta::piece(&seen.notes, &meta)).ok().unwrap();
}

#[test]
fn a_settled_disk_is_found_without_a_config_and_grows_with_its_size() {
    let mut disk = settled();
    let life = disk.live(None).ok().unwrap();
    assert_eq!(life.mounted, BTreeSet::from(Volume::MOUNTED));
    assert!(life.made.is_empty() && disk.has_config());
    disk.bytes += 1 << 30;
    let life = disk.live(None).ok().unwrap();
    assert_eq!(life.grown, BTreeSet::from(Volume::MOUNTED));
    let Found::Table { table, sound } = disk.look("vda").found else {
        panic!("a table")
    };
    assert!(sound && disk.has_config());
    assert_eq!(fit(&table, disk.bytes), Fit::Fits);
    // What has shrunk cannot be used, and is left alone.
    disk.bytes -= 2 << 30;
    let before = disk.now.clone();
    assert_eq!(
        disk.live(Some(&wanted(true))).ok().unwrap(),
        Life::default()
    );
    assert_eq!(disk.now, before);
}

#[test]
fn a_table_that_the_kernel_has_not_heard_of_is_announced() {
    let mut disk = Disk::new();
    let mut number = 0;
    let guid = || {
        number += 1;
        Guid::new(number)
    };
    let table = layout::table(DISK, Guid::new(99), guid).unwrap();
    // Killed between the last write and the word to the kernel, when it was made and when it had grown.
    disk.partition(&table).ok().unwrap();
    let life = disk.live(Some(&wanted(false))).ok().unwrap();
    assert_eq!(life.mounted, BTreeSet::from(Volume::MOUNTED));
    disk.configured(&life).ok().unwrap();
    disk.bytes += 1 << 30;
    let Fit::Grows(table) = fit(&table, disk.bytes) else {
        panic!("it has grown")
    };
    disk.partition(&table).ok().unwrap();
    assert_ne!(disk.taken, disk.table());
    let life = disk.live(None).ok().unwrap();
    assert_eq!(life.grown, BTreeSet::from(Volume::MOUNTED));
    assert_eq!(disk.taken, disk.table());
    assert!(disk.has_config());
}

#[test]
fn what_is_not_ours_is_never_touched_unless_it_may_be() {
    let mut disk = Disk::new();
    disk.blot(1024, 1).ok().unwrap();
    disk.blot(Volume::Meta.start(), 1).ok().unwrap();
    let before = disk.now.clone();
    assert_eq!(disk.live(None).ok().unwrap(), Life::default());
    assert_eq!(
        disk.live(Some(&wanted(false))).ok().unwrap(),
        Life::default()
    );
    assert_eq!(disk.now, before);
    let seen = [disk.look("vda")];
    let Choice::None(reason) = choose(&seen, Some(&wanted(false)), "") else {
        panic!("it holds something")
    };
    assert!(
        reason.contains("vda holds data") && reason.contains("wipe: true"),
        "{reason}"
    );
    let life = disk.live(Some(&wanted(true))).ok().unwrap();
    assert_eq!(life.mounted, BTreeSet::from(Volume::MOUNTED));
}

#[test]
fn a_whole_file_system_that_is_damaged_is_left_alone() {
    let mut disk = settled();
    disk.blot(Volume::State.start(), 0).ok().unwrap();
    let life = disk.live(Some(&wanted(true))).ok().unwrap();
    assert_eq!(life.mounted, BTreeSet::from([Volume::Ephemeral]));
    assert!(life.checked[&Volume::State].is_err() && disk.has_config());
}

#[test]
fn lost_notes_are_made_again_from_what_is_there() {
    let mut disk = settled();
    disk.blot(Volume::Meta.start(), 9).ok().unwrap();
    disk.blot(Volume::Meta.start() + MIB, 9).ok().unwrap();
    let life = disk.live(Some(&wanted(false))).ok().unwrap();
    assert_eq!(life.mounted, BTreeSet::from(Volume::MOUNTED));
    assert!(life.made.is_empty() && disk.has_config());
}

#[test]
fn after_a_reset_nothing_binds_the_node_to_the_disk() {
    let mut disk = settled();
    reset(&mut disk);
    assert_eq!(disk.live(None).ok().unwrap().mounted, BTreeSet::new());
    assert!(!disk.has_config());
    let (empty, mut other) = (disk.look("vda"), Disk::new().look("vdb"));
    let wanted = Wanted {
        fitting: vec!["vdb".to_owned()],
        wipe: false,
    };
    let seen = [empty.clone(), other.clone()];
    assert_eq!(choose(&seen, Some(&wanted), ""), Choice::Disk(&other, true));
    // And two that hold a node are one too many.
    other = settled().look("vdb");
    let seen = [settled().look("vda"), other, empty];
    let Choice::None(reason) = choose(&seen, Some(&wanted), "") else {
        panic!("two nodes")
    };
    assert!(reason.starts_with("vda and vdb"), "{reason}");
}

#[test]
fn a_disk_that_cannot_be_chosen_is_told_with_the_others() {
    let mut small = Disk::new();
    small.bytes = 1 << 30;
    let seen = [small.look("vda")];
    let reason = |fitting: &[&str], seen: &[Seen]| {
        let wanted = Wanted {
            fitting: fitting.iter().map(ToString::to_string).collect(),
            wipe: true,
        };
        match choose(seen, Some(&wanted), "vda, vdb") {
            Choice::None(reason) => reason,
            Choice::Disk(..) => panic!("chosen"),
        }
    };
    let least = "vda has 1024 MiB, and a system disk needs 2822 MiB";
    assert_eq!(reason(&["vda"], &seen), least);
    assert!(reason(&[], &seen).ends_with("fits none of the disks; there are: vda, vdb"));
    assert!(reason(&["vda", "vdb"], &seen).contains("(vda, vdb)"));
    assert!(reason(&["vdc"], &seen).starts_with("vdc cannot be read"));
    let mut held = Disk::new().look("vdb");
    held.held = true;
    assert!(reason(&["vdb"], &[held]).starts_with("vdb is in use"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Power goes off, or the daemon is killed, again and again, at any sector: in the end the node has its disk, and a
    /// config that was there once is there still.
    #[test]
    fn power_cuts_lose_nothing(
        foreign: bool,
        resets: bool,
        cuts in proptest::collection::vec((0usize..4300, any::<u64>(), any::<bool>()), 0..6),
    ) {
        let mut disk = Disk::new();
        let mut kept = false;
        if foreign {
            disk.blot(0, 3).ok().unwrap();
            disk.blot(DISK - 512, 3).ok().unwrap();
        }
        if resets {
            disk = settled();
            reset(&mut disk);
        }
        for (power, seed, kills) in cuts {
            disk.power = power;
            if let Ok(life) = disk.live(Some(&wanted(foreign))) {
                prop_assert!(!kept || disk.has_config());
                kept |= disk.configured(&life).is_ok();
            }
            if kills {
                disk.kill();
            } else {
                disk.cut(seed);
            }
        }
        let life = disk.live(Some(&wanted(foreign))).ok().unwrap();
        prop_assert_eq!(life.mounted, BTreeSet::from(Volume::MOUNTED));
        prop_assert!(!kept || disk.has_config());
        prop_assert!(kept || !disk.has_config() || !life.made.contains(&Volume::State));
    }
}
