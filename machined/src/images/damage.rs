//! Proves content before it is given to anybody, and remembers what it found.
//!
//! A copy is read to its end before the first byte of it is sent, once for each file: containerd keeps what it got before a
//! connection broke and goes on from there, so damage that is found on the way would have spoilt its copy too (its issue 3974). A copy
//! that is damaged is never sent, and is told once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, watch};

use super::digest::{Digest, Hasher};
use super::folder::{Folder, Identity, Opened};
use super::layout::{ContentError, Name, sentence};

/// Whose copy of what.
pub type Copy = (Arc<Path>, Digest);

/// Copies that cannot be used, and why.
pub type Damage = BTreeMap<Copy, String>;

/// A file that was, or is being, read to its end.
#[derive(Debug)]
struct Known {
    identity: Identity,
    is_whole: OnceCell<bool>,
}

/// Proves copies. Cheap to clone; all clones know the same.
#[derive(Clone, Debug, Default)]
pub struct Prover {
    known: Arc<Mutex<BTreeMap<Copy, Arc<Known>>>>,
    damage: watch::Sender<Damage>,
}

impl Prover {
    /// The damage that is known, and news of it.
    #[must_use]
    pub fn damage(&self) -> watch::Receiver<Damage> {
        self.damage.subscribe()
    }

    /// Forgets what is known of other bundles than these.
    pub fn keep_only(&self, folders: &[Arc<Path>]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(folder, _), _| folders.contains(folder));
        drop(known);
        self.damage.send_if_modified(|damage| {
            let before = damage.len();
            damage.retain(|(folder, _), _| folders.contains(folder));
            damage.len() != before
        });
    }

    /// Opens a copy that is whole; `None` when it is not, which is told where damage is. Cancel-safe: whoever asks next goes on.
    pub(super) async fn open(&self, folder: &Folder, digest: Digest, bytes: u64) -> Option<Opened> {
        let copy = (Arc::clone(folder.path()), digest);
        match self.proven(folder, &copy, bytes).await {
            Ok(opened) => {
                let mended = |damage: &mut Damage| damage.remove(&copy).is_some();
                self.damage.send_if_modified(mended);
                Some(opened)
            }
            Err(reason) => {
                self.tell(copy, sentence(&reason));
                None
            }
        }
    }

    fn tell(&self, copy: Copy, reason: String) {
        self.damage.send_if_modified(|damage| {
            if damage.get(&copy) == Some(&reason) {
                return false;
            }
            let (folder, digest) = (copy.0.display(), copy.1);
            tracing::warn!(%digest, %folder, reason, "a part of an image cannot be used");
            damage.insert(copy, reason);
            true
        });
    }

    async fn proven(&self, folder: &Folder, copy: &Copy, bytes: u64) -> Result<Opened, String> {
        let failed = |error: ContentError| cosi::report(&error);
        let opened = folder.opened(Name::Blob(copy.1)).await.map_err(failed)?;
        let there = opened.identity().bytes();
        if there != bytes {
            return Err(format!("it has {there} bytes instead of {bytes}"));
        }
        let known = self.known(copy, opened.identity());
        let is_whole = known.is_whole.get_or_try_init(|| is_whole(&opened, copy.1));
        if *is_whole.await.map_err(failed)? {
            Ok(opened)
        } else {
            Err("it has other bytes than its digest says".to_owned())
        }
    }

    /// What is known of this very file.
    fn known(&self, copy: &Copy, identity: Identity) -> Arc<Known> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(copy) {
            Some(known) if known.identity == identity => Arc::clone(known),
            _ => {
                let is_whole = OnceCell::new();
                let known = Arc::new(Known { identity, is_whole });
                all.insert(copy.clone(), Arc::clone(&known));
                known
            }
        }
    }
}

/// Reads a file to its end.
async fn is_whole(opened: &Opened, digest: Digest) -> Result<bool, ContentError> {
    let (mut at, end) = (0, opened.identity().bytes());
    let mut hasher = Hasher::default();
    while at < end {
        let update = move |piece: Vec<u8>| {
            hasher.update(&piece);
            (hasher, piece.len() as u64)
        };
        let (updated, length) = opened.piece(at, end, update).await?;
        hasher = updated;
        at += length;
    }
    Ok(hasher.finish() == digest)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn damage_is_told_once_and_forgotten_when_it_is_mended() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_owned());
        let good = vec![3; 300_000];
        let digest = Digest::of(&good);
        let file = folder.path().join(Name::Blob(digest).to_string());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let prover = Prover::default();
        let mut damage = prover.damage();
        let open = || prover.open(&folder, digest, 300_000);

        let mut bad = good.clone();
        bad[299_999] = 4;
        fs::write(&file, &bad).unwrap();
        assert!(open().await.is_none() && open().await.is_none());
        let copy = (Arc::clone(folder.path()), digest);
        assert!(damage.has_changed().unwrap());
        assert!(damage.borrow_and_update()[&copy].starts_with("it has other bytes"));
        assert!(open().await.is_none());
        assert!(!damage.has_changed().unwrap(), "it was told already");

        // Kept, lest the next one is taken for it by its number and its times.
        fs::rename(&file, place.path().join("bad")).unwrap();
        assert!(open().await.is_none());
        assert_eq!(damage.borrow_and_update()[&copy], "it is missing");

        fs::write(&file, &good).unwrap();
        let (first, second) = tokio::join!(open(), open());
        assert!(first.is_some() && second.is_some());
        assert!(damage.borrow_and_update().is_empty());

        fs::write(&file, b"short").unwrap();
        assert!(open().await.is_none());
        assert_eq!(damage.borrow()[&copy], "it has 5 bytes instead of 300000");
        prover.keep_only(&[]);
        assert!(damage.borrow().is_empty() && prover.known.lock().unwrap().is_empty());
    }
}
