//! What the head knows and the stage follows from, written into the state.

use jiff::Timestamp;
use resources::runtime::Condition;
use store::{CommitError, Resource, Spec, Store, Transaction};

/// Who writes what the head writes.
pub(super) const WRITER: &str = "machined";

/// Writes a condition.
///
/// # Errors
/// The state refuses.
pub fn set_condition(
    store: &Store,
    id: &str,
    met: bool,
    message: &str,
    now: Timestamp,
) -> Result<(), CommitError> {
    let condition = Condition {
        met,
        message: message.to_owned(),
    };
    put(store, id, condition, message, now)
}

/// Takes a condition away, if it is there: there is nothing to say about it.
///
/// # Errors
/// The state refuses.
pub(super) fn forget_condition(store: &Store, id: &str, now: Timestamp) -> Result<(), CommitError> {
    let namespace = Condition::DEFINITION.namespace;
    let Some(condition) = store.snapshot().get_as::<Condition>(namespace, id) else {
        return Ok(());
    };
    let reference = condition.metadata.reference();
    let transaction = Transaction::owned(WRITER).destroy(reference);
    store.commit(transaction, now).map(drop)
}

/// Writes a resource of the head's own.
pub(super) fn put<S: Spec>(
    store: &Store,
    id: &str,
    spec: S,
    cause: &str,
    now: Timestamp,
) -> Result<(), CommitError> {
    let transaction = Transaction::owned(WRITER)
        .caused_outside(cause)
        .put(Resource::in_default(id, spec));
    store.commit(transaction, now).map(drop)
}
