//! Tells as events what changed between two looks at the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::block::VolumeStatus;
use resources::config::MachineConfig;
use resources::net::{AddressStatus, LinkStatus, TimeStatus};
use resources::runtime::{Condition, ServiceStatus, StageStatus};

use super::{Event, Events};

/// What is told of a thing that is no longer there.
const GONE: &str = "gone";

/// Writes events.
#[derive(Debug)]
pub struct EventController {
    events: Arc<Events>,
    seen: Seen,
}

/// One line per thing that may change, by kind and subject.
type Seen = BTreeMap<(String, String), String>;

cosi::declare! {
    EventController as "runtime.events.status" {
        reads AddressStatus;
        reads Condition;
        reads LinkStatus;
        reads MachineConfig;
        reads ServiceStatus;
        reads StageStatus;
        reads TimeStatus;
        reads VolumeStatus;
    }
}

impl EventController {
    /// Records into `events`. What was told before this process began is not told again.
    #[must_use]
    pub fn new(events: Arc<Events>) -> Self {
        let seen = told(events.after(0));
        Self { events, seen }
    }

    fn look(cx: &Cx<'_, Self>) -> Seen {
        let mut seen = Seen::new();
        let mut see = |kind: &str, subject: &str, line: String| {
            seen.insert((kind.to_owned(), subject.to_owned()), line);
        };
        for stage in cx.list::<StageStatus>() {
            let StageStatus { stage, reason } = &*stage.spec;
            see("stage", "machined", because(&crate::word(stage), reason));
        }
        for service in cx.list::<ServiceStatus>() {
            let ServiceStatus {
                state, pid, reason, ..
            } = &*service.spec;
            let state = format!("{} (pid {pid})", crate::word(state));
            see("service", service.id(), because(&state, reason));
        }
        for condition in cx.list::<Condition>() {
            let Condition { met, message } = &*condition.spec;
            let met = if *met { "met" } else { "not met" };
            see("condition", condition.id(), because(met, message));
        }
        for volume in cx.list::<VolumeStatus>() {
            let VolumeStatus { phase, reason, .. } = &*volume.spec;
            see("volume", volume.id(), because(&crate::word(phase), reason));
        }
        for link in cx.list::<LinkStatus>() {
            let state = crate::word(&link.spec.operational_state);
            see("link", link.id(), state);
        }
        for address in cx.list::<AddressStatus>() {
            let subject = format!("{}/{}", address.spec.link, address.spec.address);
            see("address", &subject, "assigned".to_owned());
        }
        for clock in cx.list::<TimeStatus>() {
            let told = if clock.spec.synchronized {
                "synchronized"
            } else {
                "not synchronized"
            };
            see("time", clock.id(), told.to_owned());
        }
        for config in cx.list::<MachineConfig>() {
            let generation = config.spec.generation;
            see("config", config.id(), format!("generation {generation}"));
        }
        seen
    }
}

impl Controller for EventController {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let mut now = Self::look(cx);
        if !cx.deletions_allowed() {
            // What is missing may only not have been told yet to this life.
            for (key, line) in &self.seen {
                now.entry(key.clone()).or_insert_with(|| line.clone());
            }
        }
        for (kind, subject, message) in changes(&self.seen, &now) {
            self.events.record(cx.now(), kind, subject, message);
        }
        self.seen = now;
        Ok(Outcome::Done)
    }
}

fn because(state: &str, reason: &str) -> String {
    if reason.is_empty() {
        state.to_owned()
    } else {
        format!("{state}: {reason}")
    }
}

/// What things were when these events had been told.
fn told(events: Vec<Event>) -> Seen {
    let mut seen = Seen::new();
    for event in events {
        let key = (event.kind, event.subject);
        if event.message == GONE {
            seen.remove(&key);
        } else {
            seen.insert(key, event.message);
        }
    }
    seen
}

/// What is new or different in `now`, then what is gone.
fn changes<'a>(
    before: &'a Seen,
    now: &'a Seen,
) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let changed = now
        .iter()
        .filter(|(key, line)| before.get(*key) != Some(*line));
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    let changed =
        changed.map(|((kind, subject), line)| (kind.as_str(), subject.as_str(), line.as_str()));
    changed.chain(gone.map(|(kind, subject)| (kind.as_str(), subject.as_str(), GONE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let seen = |lines: &[(&'static str, &str)]| {
            lines
                .iter()
                .map(|(subject, line)| {
                    (
                        ("link".to_owned(), (*subject).to_owned()),
                        (*line).to_owned(),
                    )
                })
                .collect::<Seen>()
        };
        let before = seen(&[("eth0", "down"), ("eth1", "up"), ("eth2", "up")]);
        let now = seen(&[("eth0", "up"), ("eth1", "up")]);
        let told: Vec<_> = changes(&before, &now).collect();
        assert_eq!(told, [("link", "eth0", "up"), ("link", "eth2", "gone")]);
    }
    #[test]
    fn what_was_told_is_what_the_last_event_of_each_says() {
        let event = |subject: &str, message: &str| Event {
            id: 0,
            time: jiff::Timestamp::UNIX_EPOCH,
            kind: "link".to_owned(),
            subject: subject.to_owned(),
            message: message.to_owned(),
        };
        let seen = told(vec![
            event("eth0", "down"),
            event("eth1", "up"),
            event("eth0", "up"),
            event("eth1", GONE),
        ]);
        let eth0 = ("link".to_owned(), "eth0".to_owned());
        assert_eq!(seen, Seen::from([(eth0, "up".to_owned())]));
    }
}
