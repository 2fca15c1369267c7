//! Orders about services, from those who give them to the one that keeps services.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cosi::Source;
use futures_util::stream;
use thiserror::Error;
use tokio::sync::{Notify, oneshot};

use super::rules::DAEMONS;

/// Orders that wait: they are taken as soon as nothing else is done, and more than these are a mistake.
const MOST: usize = 16;

/// What is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceOrder {
    /// It runs from now on.
    Start,
    /// It does not, until it is ordered to, or the machine starts again.
    Stop,
    /// It ends, and is started again.
    Restart,
}

/// Why an order was not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OrderError {
    /// There is no such service.
    #[error("there is no service {name:?}; there are: {known}")]
    Unknown {
        /// The name in the order.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// It is one of the daemons.
    #[error(
        "{0} is kept running by the system itself and takes no orders; `osctl reboot` starts all of it again"
    )]
    Daemon(String),
    /// It would not hold.
    #[error("the order about {0} cannot be kept, so it is not taken")]
    NotKept(String, #[source] io::Error),
    /// Too many at once.
    #[error("too many orders wait; try again in a moment")]
    Busy,
    /// The one that takes orders is gone.
    #[error("the node is going down")]
    GoingDown,
}

impl OrderError {
    pub(super) fn unknown(name: &str, known: &[String]) -> Self {
        if DAEMONS.contains(&name) {
            return Self::Daemon(name.to_owned());
        }
        Self::Unknown {
            name: name.to_owned(),
            known: match known {
                [] => "none".to_owned(),
                known => known.join(", "),
            },
        }
    }
}

/// An order that waits to be taken.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) name: String,
    pub(super) order: ServiceOrder,
    answer: oneshot::Sender<Result<(), OrderError>>,
}

impl Ordered {
    /// Tells who gave it. One that hung up does not want to know; the order holds all the same.
    fn answer(self, answer: Result<(), OrderError>) {
        drop(self.answer.send(answer));
    }
}

fn locked<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way of orders. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Orders(Arc<Inbox>);

#[derive(Debug, Default)]
struct Inbox {
    waiting: Mutex<Vec<Ordered>>,
    /// Those that were taken, or refused, and whose givers do not know yet.
    taken: Mutex<Vec<(Ordered, Result<(), OrderError>)>>,
    given: Notify,
}

impl Orders {
    /// Gives an order; it is taken whatever becomes of this call. Ready when it is sure to be carried out, and the status of
    /// the service tells of it: what a giver reads there from then on is not from before.
    ///
    /// # Errors
    /// It was not taken.
    pub async fn give(&self, name: &str, order: ServiceOrder) -> Result<(), OrderError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = locked(&self.0.waiting);
            if waiting.len() >= MOST {
                return Err(OrderError::Busy);
            }
            waiting.push(Ordered {
                name: name.to_owned(),
                order,
                answer,
            });
        }
        self.0.given.notify_one();
        answered.await.unwrap_or(Err(OrderError::GoingDown))
    }

    /// Takes what waits.
    pub(super) fn take(&self) -> Vec<Ordered> {
        std::mem::take(&mut *locked(&self.0.waiting))
    }

    /// Keeps what became of an order until [`answer`](Self::answer).
    pub(super) fn taken(&self, ordered: Ordered, outcome: Result<(), OrderError>) {
        locked(&self.0.taken).push((ordered, outcome));
    }

    /// Whether somebody is to be answered.
    pub(super) fn are_unanswered(&self) -> bool {
        !locked(&self.0.taken).is_empty()
    }

    /// Tells those who gave the orders what became of them.
    pub(super) fn answer(&self) {
        for (ordered, outcome) in std::mem::take(&mut *locked(&self.0.taken)) {
            ordered.answer(outcome);
        }
    }

    /// Wakes when an order waits.
    pub(super) fn source(&self) -> Source {
        Box::pin(stream::unfold(self.clone(), |orders| async {
            orders.0.given.notified().await;
            Some(((), orders))
        }))
    }
}
