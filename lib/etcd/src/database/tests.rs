use std::io::Cursor;

use super::*;
use crate::fixture::{PAGE, branch, bucket, file, inline, leaf, meta, revision, snapshot};

/// Data with a tree of two levels below `key`, and `meta` in its place.
fn data(version: &[u8]) -> Vec<u8> {
    let about = leaf(&[
        (0, b"consistent_index", vec![7; 8]),
        (0, VERSION, version.to_vec()),
    ]);
    let (one, two, nine) = (revision(1), revision(2), revision(9));
    file(&[
        meta(3, 5),
        meta(2, 4),
        leaf(&[]),
        leaf(&[
            (BUCKET, b"alarm", inline(&leaf(&[]))),
            (BUCKET, KEYS, bucket(4)),
            (BUCKET, ABOUT, inline(&about)),
        ]),
        branch(&[(&one, 5), (&two, 6)]),
        leaf(&[(0, &one, b"a".to_vec())]),
        leaf(&[(0, &two, b"b".to_vec()), (0, &nine, b"c".to_vec())]),
    ])
}

fn read(bytes: &[u8]) -> Result<Database, String> {
    Database::read(Cursor::new(bytes)).map_err(|it| it.to_string())
}

#[test]
fn the_last_revision_and_the_version_are_found() {
    let version = "3.7.0".parse().ok();
    let new = Database {
        revision: 9,
        version,
    };
    assert_eq!(read(&data(b"3.7.0")), Ok(new));
    let old = Database {
        revision: 9,
        version: None,
    };
    assert_eq!(read(&data(b"")), Ok(old));
    // What is behind it is not looked at.
    assert_eq!(read(&snapshot(9, "3.7.0")), Ok(new));
}

#[test]
fn a_bucket_of_a_tree_is_found_on_the_way_down() {
    let about = leaf(&[(0, VERSION, b"3.6.0".to_vec())]);
    let bytes = file(&[
        meta(2, 1),
        meta(2, 0),
        branch(&[(b"alarm", 3), (b"key", 4), (b"members", 5)]),
        leaf(&[(BUCKET, b"alarm", inline(&leaf(&[])))]),
        leaf(&[(BUCKET, KEYS, inline(&leaf(&[])))]),
        leaf(&[
            (BUCKET, b"members", inline(&leaf(&[]))),
            (BUCKET, ABOUT, inline(&about)),
        ]),
    ]);
    let version = "3.6.0".parse().ok();
    // Nothing was written yet.
    let found = Database {
        revision: 1,
        version,
    };
    assert_eq!(read(&bytes), Ok(found));
}

#[test]
fn of_two_roots_the_later_whole_one_counts() {
    let mut bytes = data(b"");
    // The second one is the later of the two now, and what it leads to has no keys.
    let later = meta(2, 6);
    bytes[PAGE..PAGE + later.len()].copy_from_slice(&later);
    assert!(read(&bytes).unwrap_err().contains("no bucket of keys"));
    bytes[PAGE + 40] ^= 1;
    assert_eq!(read(&bytes).map(|it| it.revision), Ok(9));
    bytes[40] ^= 1;
    assert!(read(&bytes).is_err());
}

#[test]
fn a_tree_that_leads_in_circles_ends() {
    let bytes = file(&[meta(2, 1), meta(2, 0), branch(&[(b"a", 2)])]);
    assert!(read(&bytes).unwrap_err().contains("no end"));
}

#[test]
fn damage_anywhere_is_an_answer() {
    let whole = data(b"3.7.0");
    for length in 0..whole.len() {
        // Whatever it is, it comes back.
        drop(read(&whole[..length]));
    }
    for at in 0..whole.len() {
        for bits in [1, 0x80, 0xff] {
            let mut other = whole.clone();
            other[at] ^= bits;
            drop(read(&other));
        }
    }
    assert!(read(&whole[..100]).is_err());
}

#[test]
fn versions_are_compared_by_number() {
    let of = |text: &str| text.parse::<StorageVersion>();
    assert!(of("3.10.0").unwrap() > of("3.9.9").unwrap());
    assert_eq!(of("3.7.3"), of("3.7"));
    assert_eq!(of("3.7.3").unwrap().to_string(), "3.7");
    for text in ["", "3", "v3.7", "3.x.1"] {
        assert!(of(text).is_err(), "{text}");
    }
}
