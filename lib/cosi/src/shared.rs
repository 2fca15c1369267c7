//! What a runtime, its tasks and its link to another process share.

use std::sync::Arc;

use store::Store;

use crate::board::Board;
use crate::clock::Clock;

/// One runtime's name, state, marks and time.
pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    pub(crate) store: Store,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Arc<dyn Clock>,
}
