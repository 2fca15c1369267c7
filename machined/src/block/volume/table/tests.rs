//! Tables against power cuts, hostile bytes and another program that writes them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::super::layout;
use super::*;

fn made(bytes: u64) -> Table {
    let mut next = 1;
    let guid = || {
        next += 1;
        Guid::new(next)
    };
    layout::table(bytes, Guid::new(1), guid).unwrap()
}

fn blank(disk_bytes: u64, sector: u64) -> Ends {
    Ends {
        disk_bytes,
        sector,
        head: vec![0; 1 << 20],
        tail: vec![0; 1 << 20],
    }
}

fn put(ends: &mut Ends, piece: &Piece) {
    let tail_at = ends.disk_bytes - (1 << 20);
    let (part, at) = if piece.at >= tail_at {
        (&mut ends.tail, piece.at - tail_at)
    } else {
        (&mut ends.head, piece.at)
    };
    let at = usize::try_from(at).unwrap();
    part[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
}

#[test]
fn what_is_written_is_read_with_sectors_of_both_sizes() {
    for (bytes, sector) in [(10 << 30, 512), (10 << 30, 4096), ((3 << 30) + 777, 512)] {
        let table = made(bytes);
        let mut ends = blank(bytes, sector);
        assert_eq!(read(&ends), Found::Blank);
        let [first, second] = pieces(&table, bytes, sector).unwrap();
        first.iter().for_each(|it| put(&mut ends, it));
        let half = Found::Table {
            table: table.clone(),
            sound: false,
        };
        assert_eq!(read(&ends), half);
        second.iter().for_each(|it| put(&mut ends, it));
        let whole = Found::Table { table, sound: true };
        assert_eq!(read(&ends), whole, "{bytes} {sector}");
    }
}

#[test]
fn what_others_leave_at_a_disk_s_ends_is_told() {
    let mut ends = blank(10 << 30, 512);
    ends.head[1080..1082].copy_from_slice(b"\x53\xef");
    let told = Found::Other("an ext2, ext3 or ext4 file system".to_owned());
    assert_eq!(read(&ends), told);
    let mut ends = blank(10 << 30, 512);
    ends.tail[1_000_000] = 1;
    assert_eq!(read(&ends), Found::Other("data".to_owned()));
}

#[test]
fn sfdisk_reads_our_table_and_we_read_that_of_sfdisk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let bytes = 4 << 30;
    let file = File::create_new(&path).unwrap();
    file.set_len(bytes).unwrap();
    for piece in pieces(&made(bytes), bytes, 512).unwrap().concat() {
        file.write_all_at(&piece.bytes, piece.at).unwrap();
    }
    let verified = sfdisk(&path, &["--verify"], "");
    assert!(verified.contains("No errors detected"), "{verified}");
    let dumped = sfdisk(&path, &["--dump"], "");
    assert!(dumped.contains("GARBOARD-EPHEMERAL"), "{dumped}");

    sfdisk(&path, &["--wipe=always"], &dumped);
    let ends = ends_of(&path, bytes);
    let Found::Table { table, sound } = read(&ends) else {
        panic!("sfdisk wrote a table")
    };
    assert_eq!((table, sound), (made(bytes), true));
}

fn ends_of(path: &Path, bytes: u64) -> Ends {
    let file = File::open(path).unwrap();
    let mut ends = blank(bytes, 512);
    file.read_exact_at(&mut ends.head, 0).unwrap();
    file.read_exact_at(&mut ends.tail, bytes - (1 << 20))
        .unwrap();
    ends
}

fn sfdisk(path: &Path, arguments: &[&str], input: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, input).unwrap();
    let output = Command::new("/usr/sbin/sfdisk")
        .args(arguments)
        .arg(path)
        .stdin(File::open(script).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

proptest! {
    /// Power goes off at any moment of a change from one table to another: there is always one of the two.
    #[test]
    fn a_torn_change_leaves_the_old_table_or_the_new(
        old in (3u64..6).prop_map(|gib| gib << 30),
        seed in any::<u64>(),
        round in 0usize..2,
        from_blank: bool,
    ) {
        let bytes = 8 << 30;
        let mut ends = blank(bytes, 512);
        let before = made(old);
        if !from_blank {
            // As it lies on a disk that has grown: the copy at the end is not at the end any more.
            for piece in pieces(&before, old, 512).unwrap().concat() {
                if piece.at == 0 {
                    put(&mut ends, &piece);
                }
            }
        }
        let after = made(bytes);
        let rounds = pieces(&after, bytes, 512).unwrap();
        for it in rounds.iter().take(round).flatten() {
            put(&mut ends, it);
        }
        let torn = rounds[round].iter().flat_map(|piece| {
            piece.bytes.chunks(512).enumerate().map(|(number, bytes)| Piece {
                at: piece.at + 512 * number as u64,
                bytes: bytes.to_vec(),
            })
        });
        for (number, piece) in torn.enumerate() {
            if seed.rotate_left(u32::try_from(number % 64).unwrap()) & 1 == 1 {
                put(&mut ends, &piece);
            }
        }
        match read(&ends) {
            Found::Table { table, .. } => prop_assert!(table == after || (table == before && !from_blank)),
            found => prop_assert!(from_blank && round == 0, "{found:?}"),
        }
    }

    #[test]
    fn no_header_breaks_the_reader(
        bytes in proptest::collection::vec(any::<u8>(), 92),
        lies: bool,
    ) {
        let mut ends = blank(4 << 30, 512);
        for piece in pieces(&made(4 << 30), 4 << 30, 512).unwrap().concat() {
            put(&mut ends, &piece);
        }
        let header = &mut ends.head[512..604];
        if lies {
            // Its numbers are anything, its checksum is right.
            header[24..].copy_from_slice(&bytes[24..]);
            header[16..20].fill(0);
            let sum = crc32(header);
            header[16..20].copy_from_slice(&sum.to_le_bytes());
        } else {
            header.copy_from_slice(&bytes);
        }
        let found = read(&ends);
        prop_assert!(matches!(found, Found::Table { sound: false, .. } | Found::Other(_)), "{found:?}");
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let shift = |sum: u32, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        (0..8).fold(sum ^ u32::from(*byte), shift)
    };
    !bytes.iter().fold(!0, step)
}
