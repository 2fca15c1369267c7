//! What is to be done about services: what should be and what is go in, operations come out.
//!
//! Pure: the time is an argument, and what became of an operation is told back through [`Seen`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use resources::runtime::ServiceState;

use super::cycle::cycles;
use super::rules::{Name, Rules};
use super::seen::{Exit, Life, Root, Seen};

/// How soon those are looked for again that were killed and are still there. Their ends are told; this is for one that the
/// kernel cannot end now, as it waits for a disk.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is known when a plan is made.
#[derive(Debug)]
pub(super) struct Input<'a> {
    /// What should be.
    pub(super) wanted: &'a BTreeMap<Name, &'a Rules>,
    /// What is.
    pub(super) seen: &'a BTreeMap<Name, Seen>,
    /// The conditions that are met.
    pub(super) met: &'a BTreeSet<String>,
    /// Whether what is not wanted may be taken for unwanted.
    pub(super) leave: bool,
    /// Whether the machine goes down.
    pub(super) down: bool,
    /// Since the machine's boot.
    pub(super) now: Duration,
}

/// Something to do about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Have its image pulled.
    Pull,
    /// Start it.
    Start,
    /// Ask its main process to end.
    Stop,
    /// End all of its group.
    Kill,
    /// Forget that there was such a service.
    Forget,
}

/// What to say of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Where it is.
    pub(super) state: ServiceState,
    /// Why.
    pub(super) reason: String,
    /// What it waits for.
    pub(super) waits: Vec<String>,
}

/// What to do and to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// In no order that matters.
    pub(super) ops: Vec<(Name, Op)>,
    /// Every service that is wanted or there.
    pub(super) told: BTreeMap<Name, Told>,
    /// When to plan again if nothing happens before, since the machine's boot.
    pub(super) next: Option<Duration>,
}

/// Makes a plan.
pub(super) fn plan(input: &Input<'_>) -> Plan {
    let cycles = cycles(input.wanted);
    let to_end = to_end(input);
    let mut plan = Plan::default();
    let nothing = Seen::default();
    let names: BTreeSet<_> = input.wanted.keys().chain(input.seen.keys()).collect();
    for name in names {
        let one = One {
            input,
            name,
            seen: input.seen.get(name).unwrap_or(&nothing),
            cycles: &cycles,
            to_end: &to_end,
        };
        let step = one.step();
        plan.ops.extend(step.op.map(|op| (name.clone(), op)));
        plan.next = [plan.next, step.next].into_iter().flatten().min();
        plan.told.insert(name.clone(), step.told);
    }
    plan
}

/// The services that run and should not, or not as they do.
fn to_end<'a>(input: &Input<'a>) -> BTreeSet<&'a Name> {
    let ends = |name: &Name, seen: &Seen| match (&seen.life, input.wanted.get(name)) {
        (Life::Down, _) => false,
        (Life::Stopping { .. } | Life::Remnants { .. }, _) => true,
        (Life::Up { .. }, _) if input.down || seen.held || seen.again => true,
        (Life::Up { .. }, None) => input.leave,
        (Life::Up { identity, .. }, Some(rules)) => *identity != rules.identity,
    };
    let seen = input.seen.iter();
    seen.filter(|(name, seen)| ends(name, seen))
        .map(|(name, _)| name)
        .collect()
}

/// What is to be done about one service, and said.
struct Step {
    op: Option<Op>,
    told: Told,
    next: Option<Duration>,
}

impl Step {
    fn say(state: ServiceState, reason: impl Into<String>) -> Self {
        let (reason, waits) = (reason.into(), Vec::new());
        Self {
            op: None,
            told: Told {
                state,
                reason,
                waits,
            },
            next: None,
        }
    }

    fn wait(waits: Vec<String>) -> Self {
        let reason = format!("waits for {}", waits.join(", "));
        let mut step = Self::say(ServiceState::Waiting, reason);
        step.told.waits = waits;
        step
    }

    fn op(self, op: Op) -> Self {
        let op = Some(op);
        Self { op, ..self }
    }

    fn at(self, next: Duration) -> Self {
        let next = Some(next);
        Self { next, ..self }
    }
}

/// One service among the others.
struct One<'a> {
    input: &'a Input<'a>,
    name: &'a Name,
    seen: &'a Seen,
    cycles: &'a BTreeMap<Name, String>,
    to_end: &'a BTreeSet<&'a Name>,
}

impl One<'_> {
    fn step(&self) -> Step {
        let now = self.input.now;
        let rules = self.input.wanted.get(self.name).copied();
        match &self.seen.life {
            Life::Up { .. } if self.to_end.contains(self.name) => self.end(),
            Life::Up { .. } => self.runs(rules),
            Life::Stopping { killed: true, .. } | Life::Remnants { killed: true } => {
                let why = "killed; the kernel has not ended all of it yet";
                Step::say(ServiceState::Stopping, why).at(now + LOOK_AGAIN)
            }
            Life::Remnants { killed: false } => {
                let why = "its main process is gone; ending what it left";
                Step::say(ServiceState::Stopping, why).op(Op::Kill)
            }
            Life::Stopping { since, .. } => {
                let limit = rules.map_or(super::rules::STOP, |rules| rules.stop_after);
                let step = Step::say(ServiceState::Stopping, "asked to end");
                if *since + limit <= now {
                    step.op(Op::Kill)
                } else {
                    step.at(*since + limit)
                }
            }
            Life::Down => match rules {
                Some(rules) => self.starts(rules),
                None => {
                    let step = Step::say(ServiceState::Stopped, "nobody wants it any more");
                    if self.input.leave {
                        step.op(Op::Forget)
                    } else {
                        step
                    }
                }
            },
        }
    }

    /// It runs and should.
    fn runs(&self, rules: Option<&Rules>) -> Step {
        let looked_after = rules.is_some_and(|rules| rules.checked);
        let state = match self.seen.healthy {
            None if looked_after => ServiceState::Starting,
            _ => ServiceState::Running,
        };
        let last = self.seen.last.as_ref().filter(|last| !last.asked);
        let why = last.map(|last| last.exit.to_string());
        Step::say(state, why.unwrap_or_default())
    }

    /// It runs and should not: what was started after it ends first.
    fn end(&self) -> Step {
        let ends = |it: &&&Name| {
            let seen = self.input.seen.get(**it);
            // One that even the kernel cannot end holds up nobody.
            seen.is_some_and(|seen| seen.after.contains(self.name) && !seen.life.is_killed())
                && **it != self.name
        };
        let before: Vec<_> = self.to_end.iter().filter(ends).collect();
        if before.is_empty() || self.nobody_moves() {
            return Step::say(ServiceState::Stopping, "asked to end").op(Op::Stop);
        }
        let names: Vec<_> = before.iter().map(|it| it.to_string()).collect();
        let why = format!("ends after {}", names.join(", "));
        Step::say(ServiceState::Stopping, why)
    }

    /// Whether all that are to end wait for each other: what they were started after has changed since.
    fn nobody_moves(&self) -> bool {
        let waits = |name: &&Name| {
            let seen = self.input.seen.get(*name);
            let up = seen.is_some_and(|seen| matches!(seen.life, Life::Up { .. }));
            let mut others = self.to_end.iter().filter(|it| *it != name);
            up && others.any(|it| {
                let other = self.input.seen.get(*it);
                other.is_some_and(|other| other.after.contains(*name))
            })
        };
        self.to_end.iter().all(waits)
    }

    /// It does not run, and may have to.
    fn starts(&self, rules: &Rules) -> Step {
        if self.input.down {
            return Step::say(ServiceState::Stopped, "the machine goes down");
        }
        if let Some(cycle) = self.cycles.get(self.name) {
            return Step::say(ServiceState::Failed, format!("waits for itself: {cycle}"));
        }
        if self.seen.held {
            return Step::say(ServiceState::Stopped, "stopped by order");
        }
        if let Some(last) = self.seen.is_over(rules) {
            let state = match last.exit {
                Exit::Code(0) => ServiceState::Finished,
                _ => ServiceState::Failed,
            };
            return Step::say(state, last.exit.to_string());
        }
        let waits = self.waits(rules);
        if !waits.is_empty() {
            return Step::wait(waits);
        }
        let rested = self.seen.rested_at();
        if rested > self.input.now {
            let last = self.seen.last.as_ref();
            let why = last.map(|last| last.exit.to_string()).unwrap_or_default();
            return Step::say(ServiceState::Restarting, why).at(rested);
        }
        let Some(image) = &rules.image else {
            return Step::say(ServiceState::Starting, "").op(Op::Start);
        };
        let pulls = Step::say(ServiceState::Starting, format!("pulls {image}"));
        match &self.seen.root {
            Root::There(there) if there == image => {
                Step::say(ServiceState::Starting, "").op(Op::Start)
            }
            Root::Pulls(pulled) if pulled == image => pulls,
            _ => pulls.op(Op::Pull),
        }
    }

    /// What it waits for before its start.
    fn waits(&self, rules: &Rules) -> Vec<String> {
        let unmet = rules.conditions.iter();
        let unmet = unmet.filter(|id| !self.input.met.contains(*id));
        let mut waits: Vec<_> = unmet.map(|id| format!("condition {id}")).collect();
        for name in &rules.needs {
            match self.input.wanted.get(name) {
                None => waits.push(format!("service {name}, which there is not")),
                Some(other) if !self.is_well(name, other) => waits.push(format!("service {name}")),
                Some(_) => {}
            }
        }
        for name in rules.after.difference(&rules.needs) {
            if let Some(other) = self.input.wanted.get(name)
                && !self.is_well(name, other)
                && !self.will_not_run(name, other)
            {
                waits.push(format!("service {name}"));
            }
        }
        waits
    }

    /// Whether another one runs as it should.
    fn is_well(&self, name: &Name, rules: &Rules) -> bool {
        let seen = self.input.seen.get(name);
        seen.is_some_and(|seen| {
            matches!(seen.life, Life::Up { .. })
                && !self.to_end.contains(name)
                && (!rules.checked || seen.healthy == Some(true))
        })
    }

    /// Whether another one has run and ended, or is kept from it, so that waiting for it makes no sense.
    fn will_not_run(&self, name: &Name, rules: &Rules) -> bool {
        let seen = self.input.seen.get(name);
        self.cycles.contains_key(name)
            || seen.is_some_and(|seen| seen.held || seen.is_over(rules).is_some())
    }
}

#[cfg(test)]
mod tests;
