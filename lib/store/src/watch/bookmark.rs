//! Places in a kind's stream of changes that a reader can come back to.

/// Everything up to a place in a kind's stream was seen. Opaque to readers; good for the store's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bookmark {
    pub(crate) epoch: u64,
    pub(crate) kind: u64,
    pub(crate) sequence: u64,
}

/// The bytes or the place of a bookmark mean nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookmarkError {
    /// Not the bytes of a bookmark.
    #[error("the bookmark is malformed")]
    Malformed,
    /// Of another epoch of the store.
    #[error("the bookmark is from another epoch")]
    Epoch,
    /// Of another kind.
    #[error("the bookmark is of another kind")]
    Kind,
    /// What came after it is forgotten.
    #[error("the bookmark is too old")]
    Old,
    /// Nothing came after it yet, not even itself.
    #[error("the bookmark is from the future")]
    Future,
}

impl Bookmark {
    /// The form that travels.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        [self.epoch, self.kind, self.sequence]
            .iter()
            .flat_map(|part| part.to_be_bytes())
            .collect()
    }

    /// The form that travels, read back.
    ///
    /// # Errors
    /// [`BookmarkError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BookmarkError> {
        let (parts, []) = bytes.as_chunks::<8>() else {
            return Err(BookmarkError::Malformed);
        };
        let [epoch, kind, sequence] = parts else {
            return Err(BookmarkError::Malformed);
        };
        Ok(Self {
            epoch: u64::from_be_bytes(*epoch),
            kind: u64::from_be_bytes(*kind),
            sequence: u64::from_be_bytes(*sequence),
        })
    }
}

/// FNV-1a over namespace and type: must be the same in every build, which the standard hashers do not promise.
pub(crate) fn kind_hash(namespace: &str, ty: &str) -> u64 {
    namespace
        .bytes()
        .chain([0])
        .chain(ty.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
