//! Which API servers are well, and what follows for connections. Pure.

use std::collections::BTreeMap;

use ::config::skew::Release;

use super::backends::{Backend, Target};

/// How often in a row a server must have been found unwell before connections to it are ended: one that was slow to answer
/// once is no reason to have every client begin anew.
const ENOUGH: u32 = 2;

/// What is known of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes requests.
    Well,
    /// It could not be reached, or takes no requests.
    Unwell {
        /// Why.
        reason: String,
        /// How often in a row that was found.
        times: u32,
    },
}

/// What is known of all of them; nothing of those that nobody has tried yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    states: BTreeMap<Target, State>,
    /// What each said last that it runs. One that is unwell comes back as that, or is asked again.
    releases: BTreeMap<Target, Release>,
}

impl Health {
    /// What is known of one.
    #[must_use]
    pub fn of(&self, target: &Target) -> Option<&State> {
        self.states.get(target)
    }

    /// Whether anybody is known to be well.
    #[must_use]
    pub fn any_is_well(&self) -> bool {
        self.states.values().any(|it| *it == State::Well)
    }

    /// What one said last that it runs.
    #[must_use]
    pub fn release(&self, target: &Target) -> Option<Release> {
        self.releases.get(target).copied()
    }

    /// Notes what one says that it runs.
    pub fn note_release(&mut self, target: &Target, release: Release) {
        self.releases.insert(target.clone(), release);
    }

    /// Notes what was found of one; says whether it was the other way before.
    pub fn note(&mut self, target: &Target, found: Result<(), String>) -> bool {
        let before = self.states.get(target);
        let (was_well, was_unwell) = match before {
            Some(State::Well) => (true, 0),
            Some(State::Unwell { times, .. }) => (false, *times),
            None => (false, 0),
        };
        let (state, turned) = match found {
            Ok(()) => (State::Well, !was_well),
            Err(reason) => {
                let times = was_unwell.saturating_add(1);
                (State::Unwell { reason, times }, was_unwell == 0)
            }
        };
        self.states.insert(target.clone(), state);
        turned
    }

    /// Forgets all but these.
    pub fn keep(&mut self, backends: &[Backend]) {
        let listed = |target: &Target| backends.iter().any(|it| it.target == *target);
        self.states.retain(|target, _| listed(target));
        self.releases.retain(|target, _| listed(target));
    }

    /// These in the order in which they are tried: those that are not well last.
    #[must_use]
    pub fn order<'a>(&self, backends: &'a [Backend]) -> Vec<&'a Backend> {
        let mut order: Vec<_> = backends.iter().collect();
        order.sort_by_key(|it| self.is_unwell(&it.target));
        order
    }

    /// Whether a connection to one goes on: it is still one of these, and as good as any other.
    #[must_use]
    pub fn holds(&self, backends: &[Backend], target: &Target) -> bool {
        let listed = backends.iter().any(|it| it.target == *target);
        let lost = matches!(self.of(target), Some(State::Unwell { times, .. }) if *times >= ENOUGH);
        let better = backends
            .iter()
            .any(|it| self.of(&it.target) == Some(&State::Well));
        listed && !(lost && better)
    }

    fn is_unwell(&self, target: &Target) -> bool {
        matches!(self.of(target), Some(State::Unwell { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends() -> [Backend; 3] {
        ["a", "b", "c"].map(|it| Backend {
            target: target(it),
            node: it.to_owned(),
        })
    }

    fn target(name: &str) -> Target {
        Target {
            host: name.parse().unwrap(),
            port: 1,
        }
    }

    fn order(health: &Health) -> String {
        let backends = backends();
        let order = health.order(&backends);
        order.iter().map(|it| it.node.as_str()).collect()
    }

    #[test]
    fn who_is_not_well_is_tried_last_until_he_is() {
        let mut health = Health::default();
        assert_eq!(order(&health), "abc");
        assert!(health.note(&target("a"), Err("refused".to_owned())));
        assert!(
            !health.note(&target("a"), Err("refused".to_owned())),
            "said once"
        );
        assert!(health.note(&target("b"), Ok(())));
        assert_eq!(order(&health), "bca");
        assert!(health.note(&target("a"), Ok(())));
        assert_eq!(order(&health), "abc");
    }

    #[test]
    fn connections_end_with_their_server_when_there_is_a_better_one() {
        let mut health = Health::default();
        let (backends, a) = (backends(), target("a"));
        let unwell = || Err("etcd".to_owned());
        assert!(health.holds(&backends, &a));
        health.note(&a, unwell());
        health.note(&a, unwell());
        assert!(health.holds(&backends, &a), "nobody is known to be better");
        health.note(&target("b"), Ok(()));
        assert!(!health.holds(&backends, &a));
        health.note(&a, Ok(()));
        health.note(&a, unwell());
        assert!(health.holds(&backends, &a), "once is not enough");
        assert!(!health.holds(&backends[1..], &a), "it is none any more");
    }

    #[test]
    fn who_comes_back_is_new() {
        let mut health = Health::default();
        health.note(&target("a"), Err("refused".to_owned()));
        health.note_release(&target("a"), "1.37.1".parse().unwrap());
        health.keep(&backends()[1..]);
        assert_eq!(health, Health::default());
    }
}
