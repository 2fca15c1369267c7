//! What a controller is: a declared place in the graph and a function from what is to what should be.
//!
//! The runtime owns the loop, the waiting, the retries and the transaction. A controller owns its state between runs
//! and nothing else; it never sees events, only "these keys may have changed" and a snapshot not older than that.

use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;

use crate::cx::{Cx, Outputs, View};
use crate::declare::Declare;
use crate::dirty::Dirty;
use crate::error::Error;

/// What a run came to. Everything it wrote is committed, in one transaction, whichever it is.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing to do until an input changes.
    Done,
    /// The same, and run again after this long even if nothing changes.
    Requeue(Duration),
    /// Nothing to do until something else happens, in words for a person: "link eth0 has no carrier".
    WaitingOn(String),
    /// Some of it failed: keep what was written, report the error, try again with backoff.
    Partial(Error),
}

/// Something outside the store that wakes a controller: a netlink monitor, a timer, a file watch.
pub type Source = Pin<Box<dyn Stream<Item = ()> + Send>>;

/// A controller with effects. For one without, see [`Transform`].
pub trait Controller: Declare {
    /// The streams that wake it. Asked for once, before the first run; a stream that ends is dropped.
    fn sources(&mut self) -> Vec<Source> {
        Vec::new()
    }

    /// Makes what is into what should be. Nothing is written when it returns an error, panics or is cancelled.
    ///
    /// Cancelling: the future is dropped at an await point when the runtime stops, so effects must be whole between
    /// two of them. The first run of a process, and the one after a failure, have [`Dirty::is_all`] set.
    fn reconcile(
        &mut self,
        cx: &mut Cx<'_, Self>,
        dirty: &Dirty,
    ) -> impl Future<Output = Result<Outcome, Error>> + Send
    where
        Self: Sized;
}

/// A controller without effects: a function from all inputs to all outputs.
///
/// What it does not put is torn down, and destroyed once nobody holds it, in the same transaction. It therefore says
/// the whole of its outputs every time, and never looks at what it said before.
pub trait Transform: Declare {
    /// Lists in, map out.
    ///
    /// # Errors
    /// Leave the outputs as they are.
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error>
    where
        Self: Sized;
}

impl<T: Transform> Controller for T {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let (view, out) = cx.parts();
        out.replace_all();
        self.transform(view, out)
    }
}
