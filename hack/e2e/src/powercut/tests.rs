//! The parser and the replayer against a model that knows, sector by sector, what may be there.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A small disk: what happens to one sector happens to all.
const SECTORS: u64 = 12;
const SECTOR: u64 = 512;
const SIZE: u64 = SECTORS * SECTOR;

/// Something to do to the disk, with every sector full of one byte.
#[derive(Clone, Copy, Debug)]
enum Act {
    Write {
        at: u64,
        sectors: u64,
        byte: u8,
        flushes: bool,
        stays: bool,
    },
    Discard {
        at: u64,
        sectors: u64,
    },
    Flush,
    Mark,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let range = (0..SECTORS).prop_flat_map(|at| (Just(at), 1..=SECTORS - at));
    let write = (range.clone(), 1..=u8::MAX, any::<(bool, bool)>());
    let act = prop_oneof![
        6 => write.prop_map(|((at, sectors), byte, (flushes, stays))| Act::Write {
            at,
            sectors,
            byte,
            // Rarer than not.
            flushes: flushes && stays,
            stays,
        }),
        1 => range.prop_map(|(at, sectors)| Act::Discard { at, sectors }),
        2 => Just(Act::Flush),
        1 => Just(Act::Mark),
    ];
    vec(act, 0..20)
}

/// A record as QEMU would write it.
fn encode(acts: &[Act]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = u64::try_from(acts.len()).unwrap();
    sector(&mut bytes, &[0x006a_7366_7773_6872, 1, count, SECTOR]);
    for act in acts {
        match *act {
            Act::Write {
                at,
                sectors,
                byte,
                flushes,
                stays,
            } => {
                let flags = u64::from(flushes) | u64::from(stays) << 1;
                sector(&mut bytes, &[at, sectors, flags, 0]);
                let length = usize::try_from(sectors * SECTOR).unwrap();
                bytes.resize(bytes.len() + length, byte);
            }
            Act::Discard { at, sectors } => sector(&mut bytes, &[at, sectors, 4, 0]),
            Act::Flush => sector(&mut bytes, &[0, 0, 1, 0]),
            Act::Mark => sector(&mut bytes, &[0, 0, 8, 4]),
        }
    }
    bytes
}

fn sector(bytes: &mut Vec<u8>, numbers: &[u64]) {
    let end = bytes.len() + usize::try_from(SECTOR).unwrap();
    for number in numbers {
        bytes.extend(number.to_le_bytes());
    }
    bytes.resize(end, 0);
}

impl Act {
    /// The byte that it puts into a sector.
    fn puts(&self, sector: u64) -> Option<u8> {
        match *self {
            Self::Write {
                at, sectors, byte, ..
            } if covers(at, sectors, sector) => Some(byte),
            Self::Discard { at, sectors } if covers(at, sectors, sector) => Some(0),
            _ => None,
        }
    }
}

fn covers(at: u64, sectors: u64, sector: u64) -> bool {
    (at..at + sectors).contains(&sector)
}

/// What a sector may hold after some acts.
fn allowed(done: &[Act], sector: u64) -> BTreeSet<u8> {
    let flushes = |act: &Act| matches!(act, Act::Flush | Act::Write { flushes: true, .. });
    let flushed = done.iter().rposition(flushes).unwrap_or(0);
    let (certain, open) = done.split_at(flushed);
    let held = certain.iter().rev().find_map(|act| act.puts(sector));
    let mut may = BTreeSet::from([held.unwrap_or(0)]);
    for act in open {
        if let Some(byte) = act.puts(sector) {
            if matches!(act, Act::Write { stays: true, .. }) {
                may.clear();
            }
            may.insert(byte);
        }
    }
    may
}

/// What the disk holds after some acts if its power stays.
fn held(done: &[Act]) -> Vec<u8> {
    let sector = |sector| done.iter().rev().find_map(|act| act.puts(sector));
    (0..SECTORS)
        .map(|number| sector(number).unwrap_or(0))
        .collect()
}

/// The byte of every sector of an image, which must be full of it.
fn sectors(image: &Path) -> Vec<u8> {
    let bytes = std::fs::read(image).unwrap();
    assert_eq!(u64::try_from(bytes.len()).unwrap(), SIZE);
    let sectors = bytes.chunks_exact(usize::try_from(SECTOR).unwrap());
    let byte = |sector: &[u8]| {
        assert!(
            sector.iter().all(|byte| *byte == sector[0]),
            "a torn sector"
        );
        sector[0]
    };
    sectors.map(byte).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_image_holds_in_every_sector_what_it_may(
        acts in acts(), after in 0_usize..20, seed in any::<u64>(),
    ) {
        let bytes = encode(&acts);
        let recorded = Recorded::parse(&bytes, SIZE).unwrap();
        prop_assert_eq!(recorded.entries().len(), acts.len());
        let after = after.min(acts.len());
        let image = tempfile::NamedTempFile::new().unwrap();
        let cut = Cut { after, seed };
        recorded.image(cut, image.path()).unwrap();
        let found = sectors(image.path());
        for (sector, byte) in (0..).zip(&found) {
            let may = allowed(&acts[..after], sector);
            prop_assert!(may.contains(byte), "sector {} holds {}, not {:?}", sector, byte, may);
        }
        recorded.image(cut, image.path()).unwrap();
        prop_assert_eq!(sectors(image.path()), found, "the same seed, another image");
        recorded.last(image.path()).unwrap();
        prop_assert_eq!(sectors(image.path()), held(&acts));
    }

    #[test]
    fn cuts_are_where_they_were_asked_for(
        acts in acts(), from in 0_usize..20, more in 0_usize..20, seed in any::<u64>(),
    ) {
        let bytes = encode(&acts);
        let recorded = Recorded::parse(&bytes, SIZE).unwrap();
        let from = from.min(acts.len());
        let between = from..=from + more;
        let cuts = recorded.cuts(between.clone(), 10, seed);
        prop_assert_eq!(cuts.len(), 10);
        let fits = |cut: &Cut| between.contains(&cut.after) && cut.after <= acts.len();
        prop_assert!(cuts.iter().all(fits), "{:?}", cuts);
        prop_assert_eq!(recorded.cuts(between, 10, seed), cuts);
    }

    #[test]
    fn any_bytes_are_survived(start in acts(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&start);
        *at.get_mut(&mut bytes) = byte;
        drop(Recorded::parse(&bytes, SIZE));
        let cut = at.index(bytes.len());
        drop(Recorded::parse(&bytes[..cut], SIZE));
    }
}

/// Everything that may be after a cut comes up: otherwise the rules above would be kept by an image that never differs.
#[test]
fn every_outcome_comes_up() {
    let write = |byte, stays| Act::Write {
        at: 0,
        sectors: 2,
        byte,
        flushes: false,
        stays,
    };
    let acts = [
        write(1, false),
        Act::Flush,
        write(2, false),
        write(3, false),
        Act::Discard { at: 0, sectors: 2 },
    ];
    let bytes = encode(&acts);
    let recorded = Recorded::parse(&bytes, SIZE).unwrap();
    let image = tempfile::NamedTempFile::new().unwrap();
    let mut outcomes = BTreeSet::new();
    for seed in 0..2000 {
        recorded
            .image(
                Cut {
                    after: acts.len(),
                    seed,
                },
                image.path(),
            )
            .unwrap();
        let found = sectors(image.path());
        outcomes.insert((found[0], found[1]));
    }
    let all = [0, 1, 2, 3];
    let pairs = all
        .into_iter()
        .flat_map(|one| all.map(|other| (one, other)));
    assert_eq!(outcomes, pairs.collect());
}

#[test]
fn every_time_between_two_flushes_is_cut() {
    let write = Act::Write {
        at: 0,
        sectors: 1,
        byte: 1,
        flushes: false,
        stays: false,
    };
    let acts = [write, Act::Flush, write, write, Act::Flush, write];
    let bytes = encode(&acts);
    let recorded = Recorded::parse(&bytes, SIZE).unwrap();
    let after = |between| -> BTreeSet<usize> {
        let cuts = recorded.cuts(between, 200, 1);
        cuts.into_iter().map(|cut| cut.after).collect()
    };
    assert_eq!(after(0..=6), (0..=6).collect());
    assert_eq!(after(3..=9), (3..=6).collect());
    assert_eq!(after(2..=3), BTreeSet::from([2, 3]));
    assert_eq!(after(6..=6), BTreeSet::from([6]));
}

/// Made with `qemu-io` 7.2 on a disk of 64 KiB, recorded as `garboard-provision` has it recorded.
#[test]
fn a_record_of_qemu_is_read() {
    const DISK: u64 = 64 << 10;
    let bytes = include_bytes!("qemu-7.2.record");
    let recorded = Recorded::parse(bytes, DISK).unwrap();
    let write = |at, data| Entry::Write {
        at,
        data,
        flushes: false,
        stays: false,
    };
    let expected = [
        write(0, &[0xa1; 2048]),
        Entry::Flush,
        write(4096, &[0xb2; 1024]),
        write(8192, &[0; 1024]),
        Entry::Flush,
        Entry::Discard {
            at: 16384,
            length: 4096,
        },
        write(0, &[0xc3; 512]),
        Entry::Flush,
        Entry::Flush,
        write(64512, &[0xd4; 512]),
        Entry::Flush,
    ];
    assert_eq!(recorded.entries(), expected);
    assert!(
        Recorded::parse(bytes, DISK - 1024).is_err(),
        "a smaller disk"
    );

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    assert_eq!(count(file.path()).unwrap(), expected.len());
    std::fs::write(file.path(), b"").unwrap();
    assert_eq!(count(file.path()).unwrap(), 0, "nothing was written yet");
    assert_eq!(Recorded::parse(b"", DISK).unwrap().entries(), []);
}

#[test]
fn damage_is_said() {
    let whole = encode(&[
        Act::Flush,
        Act::Write {
            at: 3,
            sectors: 2,
            byte: 1,
            flushes: false,
            stays: true,
        },
    ]);
    let said = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        format!("{:#}", Recorded::parse(&bytes, SIZE).unwrap_err())
    };
    let put = |at: usize, number: u64| {
        move |bytes: &mut Vec<u8>| bytes[at..at + 8].copy_from_slice(&number.to_le_bytes())
    };
    for (wanted, found) in [
        ("no record", said(&put(0, 1))),
        ("version 2", said(&put(8, 2))),
        ("sectors of 100 bytes", said(&put(24, 100))),
        ("entry 2: 512 bytes are missing", said(&put(16, 3))),
        (
            "entry 1: 1024 bytes are missing, of which 1023",
            said(&|bytes| bytes.truncate(bytes.len() - 1)),
        ),
        ("entry 0: unknown flags 0x10", said(&put(512 + 16, 16))),
        ("entry 1: it goes beyond", said(&put(1024, SECTORS - 1))),
        ("entry 1: it goes beyond", said(&put(1024, u64::MAX / 2))),
        // As a machine leaves it that is killed while it writes.
        ("entry 0: it says nothing", said(&put(512 + 16, 0))),
        (
            "entry 1: a discard with flags 0x6",
            said(&put(1024 + 16, 6)),
        ),
        (
            "entry 1: a remark longer",
            said(&|bytes| {
                put(1024 + 16, 8)(bytes);
                put(1024 + 24, 481)(bytes);
            }),
        ),
    ] {
        assert!(found.contains(wanted), "{wanted:?}: {found}");
    }
}

#[test]
fn an_image_has_only_what_was_written() {
    use std::os::unix::fs::MetadataExt as _;
    const LARGE: u64 = 8 << 30;
    let acts = [
        Act::Write {
            at: 8 << 20,
            sectors: 8,
            byte: 1,
            flushes: false,
            stays: false,
        },
        Act::Write {
            at: 1 << 20,
            sectors: 4096,
            byte: 0,
            flushes: false,
            stays: false,
        },
        Act::Flush,
    ];
    let bytes = encode(&acts);
    let recorded = Recorded::parse(&bytes, LARGE).unwrap();
    let image = tempfile::NamedTempFile::new().unwrap();
    recorded
        .image(Cut { after: 3, seed: 0 }, image.path())
        .unwrap();
    let found = std::fs::metadata(image.path()).unwrap();
    assert_eq!(found.len(), LARGE);
    assert!(found.blocks() * 512 < 1 << 20, "{} sectors", found.blocks());
}
