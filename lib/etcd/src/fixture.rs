//! Files of data with no more in them than somebody puts there, for tests.

use aws_lc_rs::digest::{SHA256, digest};

use crate::database::{ABOUT, BRANCH, BUCKET, ELEMENT, FORM, KEYS, LEAF, MAGIC, VERSION, sum};

/// The size of a page: the smallest, so that a test sees a file of many.
pub const PAGE: usize = 512;

/// An element of a page: its flags, its key, and its value, which in a branch is the number of the page below.
pub type Element<'a> = (u32, &'a [u8], Vec<u8>);

fn word(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// What a page begins with.
fn head(flags: u16, count: usize) -> Vec<u8> {
    let mut head = vec![0; 8];
    head.extend(flags.to_le_bytes());
    head.extend(u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    head.extend([0; 4]);
    head
}

/// A page with these, which lie behind all of their heads.
fn page(flags: u16, elements: &[Element<'_>]) -> Vec<u8> {
    let element = usize::try_from(ELEMENT).unwrap_or_default();
    let mut page = head(flags, elements.len());
    let mut data: Vec<u8> = Vec::new();
    for (index, (mark, key, value)) in elements.iter().enumerate() {
        let at = word((elements.len() - index) * element + data.len());
        data.extend(*key);
        if flags == LEAF {
            page.extend(mark.to_le_bytes());
            page.extend([at, word(key.len()), word(value.len())].concat());
            data.extend(value);
        } else {
            page.extend([at, word(key.len())].concat());
            page.extend(value);
        }
    }
    page.extend(data);
    page
}

/// A page with keys and values.
#[must_use]
pub fn leaf(elements: &[Element<'_>]) -> Vec<u8> {
    page(LEAF, elements)
}

/// A page that leads to others.
#[must_use]
pub fn branch(below: &[(&[u8], u64)]) -> Vec<u8> {
    let below = below.iter();
    let elements: Vec<_> = below
        .map(|(key, page)| (0, *key, page.to_le_bytes().to_vec()))
        .collect();
    page(BRANCH, &elements)
}

/// One of the two pages with roots.
#[must_use]
pub fn meta(root: u64, transaction: u64) -> Vec<u8> {
    let mut meta = Vec::new();
    for word in [MAGIC, FORM, 512, 0] {
        meta.extend(word.to_le_bytes());
    }
    for number in [root, 0, 2, 9, transaction] {
        meta.extend(number.to_le_bytes());
    }
    let whole = sum(&meta);
    meta.extend(whole.to_le_bytes());
    [head(4, 0), meta].concat()
}

/// A bucket whose tree begins at a page.
#[must_use]
pub fn bucket(page: u64) -> Vec<u8> {
    [page.to_le_bytes(), [0; 8]].concat()
}

/// A bucket with its one page right behind it.
#[must_use]
pub fn inline(page: &[u8]) -> Vec<u8> {
    [bucket(0).as_slice(), page].concat()
}

/// A revision as a key.
#[must_use]
pub fn revision(main: u64) -> Vec<u8> {
    [main.to_be_bytes().as_slice(), b"_", &[0; 8]].concat()
}

/// A file of these pages.
#[must_use]
pub fn file(pages: &[Vec<u8>]) -> Vec<u8> {
    let padded = pages.iter().flat_map(|page| {
        let mut page = page.clone();
        page.resize(PAGE, 0);
        page
    });
    padded.collect()
}

/// A whole snapshot with one thing in it, of a revision and a version of etcd; its length is 1568 bytes.
#[must_use]
pub fn snapshot(main: u64, version: &str) -> Vec<u8> {
    let keys = leaf(&[(0, &revision(main), b"value".to_vec())]);
    let about = leaf(&[(0, VERSION, version.as_bytes().to_vec())]);
    let root = leaf(&[
        (BUCKET, KEYS, inline(&keys)),
        (BUCKET, ABOUT, inline(&about)),
    ]);
    let mut bytes = file(&[meta(2, 1), meta(2, 0), root]);
    bytes.extend_from_slice(digest(&SHA256, &bytes.clone()).as_ref());
    bytes
}
