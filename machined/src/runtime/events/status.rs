//! Tells as events what changed between two looks at the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::config::MachineConfig;
use resources::net::{AddressStatus, LinkStatus};
use resources::runtime::{ServiceStatus, StageStatus};

use super::Events;

/// Writes events.
#[derive(Debug)]
pub struct EventController {
    events: Arc<Events>,
    seen: Seen,
}

/// One line per thing that may change, by kind and subject.
type Seen = BTreeMap<(&'static str, String), String>;

cosi::declare! {
    EventController as "runtime.events.status" {
        reads AddressStatus;
        reads LinkStatus;
        reads MachineConfig;
        reads ServiceStatus;
        reads StageStatus;
    }
}

impl EventController {
    /// Records into `events`.
    #[must_use]
    pub fn new(events: Arc<Events>) -> Self {
        Self {
            events,
            seen: Seen::new(),
        }
    }

    fn look(cx: &Cx<'_, Self>) -> Seen {
        let mut seen = Seen::new();
        for stage in cx.list::<StageStatus>() {
            let StageStatus { stage, reason } = &*stage.spec;
            let because = if reason.is_empty() {
                String::new()
            } else {
                format!(": {reason}")
            };
            seen.insert(
                ("stage", "machined".to_owned()),
                format!("{}{because}", crate::word(stage)),
            );
        }
        for service in cx.list::<ServiceStatus>() {
            let ServiceStatus {
                state, pid, reason, ..
            } = &*service.spec;
            let line = format!("{} (pid {pid}) {reason}", crate::word(state));
            seen.insert(
                ("service", service.metadata.id.to_string()),
                line.trim_end().to_owned(),
            );
        }
        for link in cx.list::<LinkStatus>() {
            let state = crate::word(&link.spec.operational_state);
            seen.insert(("link", link.metadata.id.to_string()), state);
        }
        for address in cx.list::<AddressStatus>() {
            let subject = format!("{}/{}", address.spec.link, address.spec.address);
            seen.insert(("address", subject), "assigned".to_owned());
        }
        for config in cx.list::<MachineConfig>() {
            seen.insert(
                ("config", "active".to_owned()),
                format!("generation {}", config.spec.generation),
            );
        }
        seen
    }
}

impl Controller for EventController {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let now = Self::look(cx);
        for (kind, subject, message) in changes(&self.seen, &now) {
            self.events
                .record(cx.now(), kind, subject, message.to_owned());
        }
        self.seen = now;
        Ok(Outcome::Done)
    }
}

/// What is new or different in `now`, then what is gone.
fn changes<'a>(
    before: &'a Seen,
    now: &'a Seen,
) -> impl Iterator<Item = (&'static str, &'a str, &'a str)> {
    let changed = now
        .iter()
        .filter(|(key, line)| before.get(*key) != Some(*line));
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    let changed = changed.map(|((kind, subject), line)| (*kind, subject.as_str(), line.as_str()));
    changed.chain(gone.map(|(kind, subject)| (*kind, subject.as_str(), "gone")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let seen = |lines: &[(&'static str, &str)]| {
            lines
                .iter()
                .map(|(subject, line)| (("link", (*subject).to_owned()), (*line).to_owned()))
                .collect::<Seen>()
        };
        let before = seen(&[("eth0", "down"), ("eth1", "up"), ("eth2", "up")]);
        let now = seen(&[("eth0", "up"), ("eth1", "up")]);
        let told: Vec<_> = changes(&before, &now).collect();
        assert_eq!(told, [("link", "eth0", "up"), ("link", "eth2", "gone")]);
    }
}
