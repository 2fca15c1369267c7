//! What etcd's file of data says of itself: the revision it is of, and which etcd can read it.
//!
//! The file is bbolt's: pages of one size, of which the first two say where the tree of buckets begins, and each bucket is a
//! tree of its own. Only two values are looked for, on the way down to them, and nothing is ever written. Whatever the bytes
//! are, it ends: every read is bounded, and so is every way down.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::str::FromStr;

use thiserror::Error;

/// bbolt's magic number and the version of its form (`internal/common/types.go`).
pub(crate) const MAGIC: u32 = 0xED0C_DAED;
pub(crate) const FORM: u32 = 2;

/// What every page begins with: its number, what it is, how many elements it has, how many pages follow that belong to it.
const HEADER: u64 = 16;
pub(crate) const BRANCH: u16 = 1;
pub(crate) const LEAF: u16 = 2;

/// An element of a page of either sort.
pub(crate) const ELEMENT: u64 = 16;

/// The mark of an element that is a bucket.
pub(crate) const BUCKET: u32 = 1;

/// What a bucket begins with: where its tree is, and a counter. One that is small follows right behind.
const BUCKET_HEADER: u64 = 16;

/// What the two pages with the roots hold: as far as to their sum, and that.
const META: usize = 56;
const SUM: usize = 8;

/// bbolt's pages are those of the machine it was written on.
const PAGES: std::ops::RangeInclusive<u64> = 512..=65_536;

/// Deeper than any tree whose pages have two elements and fit into a file.
const DEEPEST: usize = 64;

/// The longest key that is looked at. Those of etcd's that are looked for have 18 bytes at most.
const LONGEST: u64 = 64;

/// The bucket of all that was ever written, by revision, and the one with what etcd says of itself.
pub(crate) const KEYS: &[u8] = b"key";
pub(crate) const ABOUT: &[u8] = b"meta";
pub(crate) const VERSION: &[u8] = b"storageVersion";

/// Before anything is written.
const FIRST_REVISION: u64 = 1;

/// Why a file of data cannot be read.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The disk.
    #[error("reading etcd's data")]
    Read(#[source] io::Error),
    /// What is in there.
    #[error("etcd's data cannot be read: {0}")]
    Broken(&'static str),
}

/// The version of etcd whose form some data has: major and minor, since patches never change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageVersion {
    /// The first number.
    pub major: u32,
    /// The second one.
    pub minor: u32,
}

impl fmt::Display for StorageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no version of etcd")]
pub struct StorageVersionError(String);

impl FromStr for StorageVersion {
    type Err = StorageVersionError;

    /// Of a whole version such as `3.7.3`.
    fn from_str(text: &str) -> Result<Self, StorageVersionError> {
        let mut numbers = text.splitn(3, '.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err(StorageVersionError(text.to_owned())),
        }
    }
}

/// What a file of data says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Database {
    /// The last revision in it.
    pub revision: u64,
    /// The etcd that it is of; none when that is 3.5 or older, which did not say.
    pub version: Option<StorageVersion>,
}

impl Database {
    /// Looks at a file of data, or at a snapshot, whose sum behind it is none of its business.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(file: impl Read + Seek) -> Result<Self, DatabaseError> {
        let mut tree = Tree::open(file)?;
        let root = tree.root;
        let version = match tree.bucket(root, ABOUT)? {
            Some(about) => tree.version(about)?,
            None => None,
        };
        let keys = tree.bucket(root, KEYS)?;
        let keys = keys.ok_or(DatabaseError::Broken("it has no bucket of keys"))?;
        Ok(Self {
            revision: tree.last_revision(keys)?,
            version,
        })
    }
}

/// A part of a page.
#[derive(Clone, Copy)]
struct Element {
    /// Where it begins itself.
    at: u64,
    flags: u32,
    key: u64,
    key_length: u64,
    value_length: u64,
    /// Of a branch: the page below.
    page: u64,
}

struct Tree<F> {
    file: F,
    page: u64,
    /// Where the page of the root begins.
    root: u64,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], DatabaseError> {
    let part = bytes.get(at..at + N).and_then(|it| it.try_into().ok());
    part.ok_or(DatabaseError::Broken("a page is cut short"))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, DatabaseError> {
    number(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, DatabaseError> {
    number(bytes, at).map(u64::from_le_bytes)
}

/// FNV-1a, by which bbolt tells a whole page of roots from one that was being written.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A page of roots.
struct Meta {
    page: u64,
    root: u64,
    transaction: u64,
}

impl Meta {
    fn parse(bytes: &[u8]) -> Result<Self, DatabaseError> {
        if u32_at(bytes, 0)? != MAGIC || u32_at(bytes, 4)? != FORM {
            return Err(DatabaseError::Broken("it is none of etcd's"));
        }
        let summed = bytes.get(..META).unwrap_or_default();
        if sum(summed) != u64_at(bytes, META)? {
            return Err(DatabaseError::Broken("a page of roots is damaged"));
        }
        let page = u64::from(u32_at(bytes, 8)?);
        if !PAGES.contains(&page) || !page.is_power_of_two() {
            return Err(DatabaseError::Broken("its pages have no size"));
        }
        Ok(Self {
            page,
            root: u64_at(bytes, 16)?,
            transaction: u64_at(bytes, 48)?,
        })
    }
}

impl<F: Read + Seek> Tree<F> {
    fn open(file: F) -> Result<Self, DatabaseError> {
        let mut tree = Self {
            file,
            page: 0,
            root: 0,
        };
        let first = Meta::parse(&tree.bytes(HEADER, META + SUM)?)?;
        tree.page = first.page;
        let second = tree.bytes(first.page + HEADER, META + SUM)?;
        // Of the two the later counts; the other one may have been about to be written.
        let newest = match Meta::parse(&second) {
            Ok(second) if second.transaction > first.transaction => second,
            _ => first,
        };
        tree.root = tree.page_at(newest.root)?;
        Ok(tree)
    }

    fn bytes(&mut self, at: u64, length: usize) -> Result<Vec<u8>, DatabaseError> {
        let mut bytes = vec![0; length];
        let read = self.file.seek(SeekFrom::Start(at));
        let read = read.and_then(|_| self.file.read_exact(&mut bytes));
        match read {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(DatabaseError::Broken("it ends too early"))
            }
            Err(error) => Err(DatabaseError::Read(error)),
        }
    }

    /// Where a page begins.
    fn page_at(&self, number: u64) -> Result<u64, DatabaseError> {
        // No file is as long as a number with a sign can say.
        let at = number.checked_mul(self.page);
        at.filter(|at| *at < 1 << 62)
            .ok_or(DatabaseError::Broken("a page lies outside of it"))
    }

    /// What a page is, and how many elements it has.
    fn header(&mut self, page: u64) -> Result<(bool, u16), DatabaseError> {
        let bytes = self.bytes(page, 12)?;
        let flags = u16::from_le_bytes(number(&bytes, 8)?);
        let count = u16::from_le_bytes(number(&bytes, 10)?);
        match flags {
            BRANCH => Ok((true, count)),
            LEAF => Ok((false, count)),
            _ => Err(DatabaseError::Broken("a page is neither branch nor leaf")),
        }
    }

    fn element(&mut self, page: u64, branch: bool, index: u16) -> Result<Element, DatabaseError> {
        let at = page + HEADER + u64::from(index) * ELEMENT;
        let bytes = self.bytes(at, 16)?;
        let words = [0, 4, 8, 12].map(|it| u32_at(&bytes, it));
        let [one, two, three, four] = words;
        let (one, two, three, four) = (one?, two?, three?, four?);
        Ok(match branch {
            true => Element {
                at,
                flags: 0,
                key: u64::from(one),
                key_length: u64::from(two),
                value_length: 0,
                page: u64_at(&bytes, 8)?,
            },
            false => Element {
                at,
                flags: one,
                key: u64::from(two),
                key_length: u64::from(three),
                value_length: u64::from(four),
                page: 0,
            },
        })
    }

    /// The key of an element, or what of it counts.
    fn key(&mut self, element: &Element) -> Result<Vec<u8>, DatabaseError> {
        let length = usize::try_from(element.key_length.min(LONGEST)).unwrap_or_default();
        self.bytes(element.at + element.key, length)
    }

    /// The element with a key, in a tree.
    fn find(&mut self, root: u64, key: &[u8]) -> Result<Option<Element>, DatabaseError> {
        let mut page = root;
        for _ in 0..DEEPEST {
            let (branch, count) = self.header(page)?;
            let mut below = None;
            for index in 0..count {
                let element = self.element(page, branch, index)?;
                let own = self.key(&element)?;
                if !branch && own == key {
                    return Ok(Some(element));
                }
                // The page below an element has keys from its own on.
                if own.as_slice() > key {
                    break;
                }
                below = branch.then_some(element);
            }
            match below {
                Some(element) => page = self.page_at(element.page)?,
                None => return Ok(None),
            }
        }
        Err(DatabaseError::Broken("its tree has no end"))
    }

    /// Where the tree of a bucket begins.
    fn bucket(&mut self, root: u64, name: &[u8]) -> Result<Option<u64>, DatabaseError> {
        let Some(found) = self.find(root, name)? else {
            return Ok(None);
        };
        if found.flags & BUCKET == 0 || found.value_length < BUCKET_HEADER {
            return Err(DatabaseError::Broken("a bucket is none"));
        }
        let value = found.at + found.key + found.key_length;
        match u64_at(&self.bytes(value, 8)?, 0)? {
            0 => Ok(Some(value + BUCKET_HEADER)),
            page => self.page_at(page).map(Some),
        }
    }

    fn version(&mut self, about: u64) -> Result<Option<StorageVersion>, DatabaseError> {
        let Some(found) = self.find(about, VERSION)? else {
            return Ok(None);
        };
        let length = usize::try_from(found.value_length.min(LONGEST)).unwrap_or_default();
        let value = self.bytes(found.at + found.key + found.key_length, length)?;
        let text = String::from_utf8(value).unwrap_or_default();
        match text.as_str() {
            // Written so for a moment while data of 3.5 becomes that of 3.6.
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| DatabaseError::Broken("its version is none")),
        }
    }

    /// The last key of the bucket of keys is the last revision.
    fn last_revision(&mut self, keys: u64) -> Result<u64, DatabaseError> {
        let mut page = keys;
        for _ in 0..DEEPEST {
            let (branch, count) = self.header(page)?;
            let Some(last) = count.checked_sub(1) else {
                return Ok(FIRST_REVISION);
            };
            let element = self.element(page, branch, last)?;
            if !branch {
                let key = self.key(&element)?;
                let revision = number(&key, 0).map(u64::from_be_bytes);
                return revision.map_err(|_| DatabaseError::Broken("a revision is none"));
            }
            page = self.page_at(element.page)?;
        }
        Err(DatabaseError::Broken("its tree has no end"))
    }
}

#[cfg(test)]
mod tests;
