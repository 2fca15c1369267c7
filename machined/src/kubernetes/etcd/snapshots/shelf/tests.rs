use std::os::unix::fs::PermissionsExt as _;

use ::etcd::fixture;

use super::*;

fn name(number: u64, taken: &str) -> Name {
    Name {
        number,
        taken: taken.parse().unwrap(),
    }
}

fn keep(folder: &Path, name: Name, bytes: &[u8]) -> Result<(), ShelfError> {
    let mut unfinished = Unfinished::begin(folder)?;
    for part in bytes.chunks(100) {
        unfinished.take(part)?;
    }
    unfinished.end(name)
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_name_has_one_spelling() {
    let one = name(7, "2026-11-22T08:52:10Z");
    assert_eq!(one.to_string(), "000007-20261122T085210Z");
    assert_eq!("000007-20261122T085210Z".parse(), Ok(one));
    let many = name(12_345_678, "2026-11-22T08:52:10Z");
    assert_eq!(many.to_string().parse(), Ok(many));
    for text in [
        "",
        "7-20261122T085210Z",
        "000007-20261122T085210",
        "000007-20261322T085210Z",
        "../../000007-20261122T085210Z",
        "000007",
        ".unfinished-1",
    ] {
        assert!(text.parse::<Name>().is_err(), "{text}");
    }
}

#[test]
fn what_is_whole_is_kept_and_says_what_it_is() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    let mut shelf = Shelf::new(folder.clone());
    assert!(shelf.look().unwrap().is_empty(), "there is no folder yet");
    prepare(&folder).unwrap();
    let now: Timestamp = "2026-11-22T08:52:10.5Z".parse().unwrap();
    let first = shelf.next(now);
    assert_eq!(first, name(1, "2026-11-22T08:52:10Z"));
    keep(&folder, first, &fixture::snapshot(42, "3.7.0")).unwrap();
    let path = folder.join(first.to_string());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let row = shelf.look().unwrap()[&first].clone();
    assert_eq!((row.revision, row.bytes), (42, 1568));
    assert_eq!(row.taken, "2026-11-22T08:52:10Z");
    assert_eq!((row.version.as_str(), row.problem.as_str()), ("3.7", ""));
    assert_eq!(
        row.sha256,
        HEXLOWER.encode(&fixture::snapshot(42, "3.7.0")[1536..])
    );
    // The clock was set back: the next one is the next one all the same.
    let past: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let second = shelf.next(past);
    assert!(second > first && second.taken < first.taken);
    keep(&folder, second, &fixture::snapshot(43, "3.7.0")).unwrap();
    assert_eq!(shelf.look().unwrap().len(), 2);
    shelf.remove(&[1]).unwrap();
    assert_eq!(files(&folder), [second.to_string()]);
    assert!(free(&folder).unwrap() > 0);
}

#[test]
fn what_is_not_whole_has_no_name() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path();
    let whole = fixture::snapshot(42, "3.7.0");
    let mut damaged = whole.clone();
    damaged[1000] ^= 1;
    // Whole, as its sum says, and nothing that etcd could read.
    let mut strange = vec![0; 512];
    strange[16..20].copy_from_slice(&0xED0C_DAED_u32.to_le_bytes());
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &strange);
    strange.extend_from_slice(sum.as_ref());
    for bytes in [&whole[..1000], &damaged, &strange] {
        let kept = keep(folder, name(1, "2026-11-22T08:52:10Z"), bytes);
        kept.unwrap_err();
        assert_eq!(files(folder), [""; 0]);
    }
}

#[test]
fn what_a_life_before_left_is_taken_away_and_nothing_else() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path();
    for file in [".unfinished-0", ".unfinished-77", "notes.txt"] {
        fs::write(folder.join(file), "half").unwrap();
    }
    prepare(folder).unwrap();
    assert_eq!(files(folder), ["notes.txt"]);
    // One that another task of this life still writes keeps out of the way of this one.
    let one = Unfinished::begin(folder).unwrap();
    let two = Unfinished::begin(folder).unwrap();
    drop(one);
    assert_eq!(files(folder).len(), 2);
    drop(two);
}

#[test]
fn one_that_was_damaged_is_shown_and_goes_in_its_turn() {
    let parent = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::new(parent.path().to_owned());
    let broken = name(3, "2026-11-22T08:52:10Z");
    fs::write(parent.path().join(broken.to_string()), "x".repeat(600)).unwrap();
    let row = shelf.look().unwrap()[&broken].clone();
    assert!(row.problem.contains("etcd's"), "{}", row.problem);
    assert_eq!(shelf.next(Timestamp::UNIX_EPOCH).number, 4);
    shelf.remove(&[3]).unwrap();
    assert!(shelf.look().unwrap().is_empty());
}
