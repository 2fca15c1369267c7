//! How many machines run at once: each keeps a core busy while it boots, and a starved one fails tests that are right.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What the smallest machine that runs this suite bears.
const MOST: usize = 2;

static USED: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// The right to run some machines; given back when dropped.
#[derive(Debug)]
pub struct Slots {
    count: usize,
}

/// Waits until so many machines may run. A test that wants more than there can ever be gets them all.
pub fn take(count: usize) -> Slots {
    let count = count.min(MOST);
    let used = FREED
        .wait_while(lock(), |used| *used + count > MOST)
        .unwrap_or_else(PoisonError::into_inner);
    let mut used = used;
    *used += count;
    Slots { count }
}

impl Drop for Slots {
    fn drop(&mut self) {
        *lock() -= self.count;
        FREED.notify_all();
    }
}

/// A test that failed while it counted has counted all the same.
fn lock() -> MutexGuard<'static, usize> {
    USED.lock().unwrap_or_else(PoisonError::into_inner)
}
