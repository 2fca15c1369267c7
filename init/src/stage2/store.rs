//! Descriptors that a daemon leaves for its next life.
//!
//! Owns: names, the limit, and the order of handing back. Never looks at what a descriptor is.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use sys::link::StoreName;

/// A daemon may keep so many: log pipes of all its services and a few sockets.
const LIMIT: usize = 64;

/// One daemon's descriptors.
#[derive(Debug, Default)]
pub(super) struct Store {
    fds: BTreeMap<StoreName, OwnedFd>,
}

impl Store {
    /// Keeps a descriptor in place of one of the same name; `false` when there is no room.
    pub(super) fn put(&mut self, name: StoreName, fd: OwnedFd) -> bool {
        let fits = self.fds.len() < LIMIT || self.fds.contains_key(&name);
        if fits {
            self.fds.insert(name, fd);
        }
        fits
    }

    pub(super) fn forget(&mut self, name: &StoreName) {
        self.fds.remove(name);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&StoreName, BorrowedFd<'_>)> {
        self.fds.iter().map(|(name, fd)| (name, fd.as_fd()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fd() -> OwnedFd {
        std::fs::File::open("/dev/null").unwrap().into()
    }

    fn name(text: &str) -> StoreName {
        StoreName::new(text).unwrap()
    }

    #[test]
    fn keeps_up_to_its_limit() {
        let mut store = Store::default();
        for n in 0..LIMIT {
            assert!(store.put(name(&format!("fd{n}")), fd()));
        }
        assert!(!store.put(name("more"), fd()));
        assert!(
            store.put(name("fd0"), fd()),
            "one of the same name is replaced"
        );
        store.forget(&name("fd0"));
        assert!(store.put(name("more"), fd()));
        assert_eq!(store.iter().count(), LIMIT);
    }
}
