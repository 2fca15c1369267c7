//! What is known of the nodes, and which of them is looked at.

use std::time::{Duration, Instant};

/// What a node says of itself in one round of questions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) hostname: String,
    pub(super) stage: String,
    pub(super) version: String,
    pub(super) kernel: String,
    pub(super) memory_bytes: u64,
    pub(super) available_bytes: u64,
    /// Of all processes since their starts.
    pub(super) cpu: Duration,
    pub(super) addresses: Vec<String>,
    pub(super) services: Vec<Service>,
    /// The largest first.
    pub(super) processes: Vec<Process>,
    /// The oldest first, a line each.
    pub(super) events: Vec<String>,
    /// What it waits for.
    pub(super) waits_for: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) health: String,
    pub(super) restarts: u32,
    pub(super) well: bool,
}

impl Service {
    /// The one word that says most: that it runs is said by its being healthy, or not.
    pub(super) fn condition(&self) -> &str {
        match (self.state.as_str(), self.health.as_str()) {
            ("running", "healthy" | "unhealthy") => &self.health,
            _ => &self.state,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) command: String,
    pub(super) resident_bytes: u64,
    pub(super) cpu: Duration,
}

/// A node as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) name: String,
    /// What it said last, and when.
    pub(super) facts: Option<(Facts, Instant)>,
    /// Processors in use between its last two answers.
    pub(super) busy: Option<f64>,
    /// Why there is nothing newer.
    pub(super) error: Option<String>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dashboard {
    pub(super) nodes: Vec<Node>,
    pub(super) chosen: usize,
}

/// To which node the view goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Next,
    Previous,
}

impl Dashboard {
    /// Nodes of which nothing is known yet.
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let unknown = |name| Node {
            name,
            facts: None,
            busy: None,
            error: None,
        };
        Self {
            nodes: names.into_iter().map(unknown).collect(),
            chosen: 0,
        }
    }

    /// Takes in what a node said at `now`, or why it said nothing.
    pub(super) fn hear(&mut self, node: usize, said: Result<Facts, String>, now: Instant) {
        let Some(node) = self.nodes.get_mut(node) else {
            return;
        };
        match said {
            Ok(facts) => {
                node.busy = node.facts.as_ref().and_then(|(before, at)| {
                    let passed = now.checked_duration_since(*at)?.as_secs_f64();
                    // After a restart the processes have used less than before.
                    let used = facts.cpu.checked_sub(before.cpu)?.as_secs_f64();
                    (passed > 0.0).then_some(used / passed)
                });
                node.error = None;
                node.facts = Some((facts, now));
            }
            Err(error) => {
                node.busy = None;
                node.error = Some(error);
            }
        }
    }

    /// Looks at the next node or the one before, around the ends.
    pub(super) fn step(&mut self, step: Step) {
        let count = self.nodes.len().max(1);
        self.chosen = match step {
            Step::Next => (self.chosen + 1) % count,
            Step::Previous => (self.chosen + count - 1) % count,
        };
    }

    /// The node that is looked at.
    pub(super) fn node(&self) -> Option<&Node> {
        self.nodes.get(self.chosen)
    }

    /// How many do not answer.
    pub(super) fn silent(&self) -> usize {
        self.nodes.iter().filter(|it| it.error.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(millis: u64) -> Facts {
        Facts {
            cpu: Duration::from_millis(millis),
            ..Facts::default()
        }
    }

    #[test]
    fn a_silent_node_keeps_what_it_said_and_says_why() {
        let mut dashboard = Dashboard::new(["a".to_owned(), "b".to_owned()]);
        let began = Instant::now();
        dashboard.hear(0, Ok(used(1000)), began);
        dashboard.hear(0, Err("connection refused".to_owned()), began);
        let node = dashboard.node().unwrap();
        assert_eq!(node.facts, Some((used(1000), began)));
        assert_eq!(node.error.as_deref(), Some("connection refused"));
        assert_eq!(dashboard.silent(), 1);
        dashboard.hear(0, Ok(used(2000)), began);
        assert_eq!(dashboard.silent(), 0);
        dashboard.hear(7, Ok(used(0)), began);
    }

    #[test]
    fn processors_in_use_are_told_from_two_answers_of_one_start() {
        let mut dashboard = Dashboard::new(["a".to_owned()]);
        let busy = |dashboard: &Dashboard| dashboard.node().unwrap().busy;
        let began = Instant::now();
        dashboard.hear(0, Ok(used(1000)), began);
        assert_eq!(busy(&dashboard), None);
        dashboard.hear(0, Ok(used(2000)), began + Duration::from_secs(2));
        assert_eq!(busy(&dashboard), Some(0.5));
        dashboard.hear(0, Ok(used(10)), began + Duration::from_secs(4));
        assert_eq!(busy(&dashboard), None, "it has started again");
        dashboard.hear(0, Ok(used(20)), began + Duration::from_secs(4));
        assert_eq!(busy(&dashboard), None, "no time has passed");
    }

    #[test]
    fn the_view_goes_around() {
        let mut dashboard = Dashboard::new(["a", "b", "c"].map(str::to_owned));
        for (step, chosen) in [
            (Step::Previous, 2),
            (Step::Next, 0),
            (Step::Next, 1),
            (Step::Previous, 0),
        ] {
            dashboard.step(step);
            assert_eq!(dashboard.chosen, chosen);
        }
        let mut none = Dashboard::new([]);
        none.step(Step::Next);
        assert_eq!(none.node(), None);
    }
}
