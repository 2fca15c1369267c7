//! Orders that end the machine: kept, carried out while others are still taken, and found again by the life after this one.

use std::time::Duration;

use ::api::v1alpha1 as v1;
use resources::runtime::DepartureState;

use super::Head;
use crate::api::{Caller, Failure};
use crate::node::departure::{Departing, Ending, Teller, go};
use crate::runtime::init_link::Down;

/// What is carried out.
pub(super) struct Leaving {
    departing: Departing,
    steps: futures_util::future::BoxFuture<'static, Result<(), String>>,
}

impl std::fmt::Debug for Leaving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Leaving").field(&self.departing).finish()
    }
}

/// Waits until all is done that comes before the end of services; for ever when nothing was ordered.
pub(super) async fn done(leaving: &mut Option<Leaving>) -> Result<(), String> {
    match leaving {
        Some(leaving) => leaving.steps.as_mut().await,
        None => std::future::pending().await,
    }
}

impl Head {
    /// Takes an order in the place of the one that is carried out, if any. What a reset would refuse it refuses now.
    pub(super) async fn depart(
        &mut self,
        caller: &Caller,
        end: Ending,
        drain: Option<Duration>,
    ) -> Result<v1::ResetResponse, Failure> {
        let answer = match &end {
            Ending::Reset { disk, .. } => self.would_reset(disk).await?,
            Ending::Reboot | Ending::Shutdown => v1::ResetResponse::default(),
        };
        let asked = match end {
            Ending::Reset { .. } => "reset",
            Ending::Reboot | Ending::Shutdown => "asked",
        };
        let departing = Departing {
            by: format!("{asked} by {} from {}", caller.subject, caller.source),
            drain: drain.map(|time| self.clock.now().since_boot + time),
            end,
        };
        self.departures.kept.put(&departing)?;
        self.set_off(departing);
        Ok(answer)
    }

    /// Goes on with what a life before was ordered; not in safe mode, as it may be what those before fell over.
    pub(super) fn go_on(&mut self) {
        if self.is_safe() {
            return self.departures.kept.clear();
        }
        if let Some(departing) = self.departures.kept.get() {
            tracing::info!(by = departing.by, "goes on with what was ordered");
            self.set_off(departing);
        }
    }

    fn set_off(&mut self, departing: Departing) {
        Teller::new(self.store.clone()).begin(&departing);
        let way = self.departures.way.clone();
        let now = self.clock.now().since_boot;
        let steps = go(self.store.clone(), way, departing.clone(), now);
        self.leaving = Some(Leaving {
            departing,
            steps: Box::pin(steps),
        });
    }

    /// Has the machine end, or the node stay, now that the steps before that are done.
    pub(super) async fn departed(&mut self, done: Result<(), String>) {
        let Some(Leaving { departing, .. }) = self.leaving.take() else {
            return;
        };
        let teller = Teller::new(self.store.clone());
        let ended = match done {
            Ok(()) => {
                teller.tell(|it| it.state = DepartureState::Ending);
                self.end_machine(departing).await
            }
            Err(reason) => Err(reason),
        };
        if let Err(reason) = ended {
            tracing::error!(reason, "the node stays");
            // Forgotten before it is told: whoever hears of it may give another order.
            self.departures.kept.clear();
            teller.tell(|it| {
                it.state = DepartureState::Failed;
                it.reason = reason;
            });
        }
    }

    async fn end_machine(&mut self, departing: Departing) -> Result<(), String> {
        let Departing { end, by, .. } = departing;
        let ended = match end {
            Ending::Reboot => self.go_down(&by, Down::Reboot),
            Ending::Shutdown => self.go_down(&by, Down::Poweroff),
            Ending::Reset { disk, .. } => match self.empty(disk, false).await {
                Ok(_) => self.go_down(&by, Down::Reboot),
                Err(error) => Err(error),
            },
        };
        ended.map_err(|error| error.to_string())
    }
}
