use proptest::collection::vec;
use proptest::prelude::*;

use resources::runtime::ServiceRestart;

use super::super::seen::{BACKOFF_FIRST, PEACE};
use super::*;

fn name(number: usize) -> Name {
    format!("s{number}").parse().expect("a name")
}

fn rules(after: &[usize], needs: &[usize]) -> Rules {
    Rules {
        identity: "one".to_owned(),
        after: after.iter().map(|it| name(*it)).collect(),
        needs: needs.iter().map(|it| name(*it)).collect(),
        conditions: BTreeSet::new(),
        image: None,
        checked: false,
        restart: ServiceRestart::Always,
        stop_after: Duration::from_secs(10),
    }
}

/// Services without processes: what is asked of them happens.
#[derive(Debug, Default)]
struct World {
    wanted: BTreeMap<Name, Rules>,
    seen: BTreeMap<Name, Seen>,
    met: BTreeSet<String>,
    down: bool,
    now: Duration,
    /// What was done, in order.
    done: Vec<(Name, Op)>,
}

impl World {
    fn of(all: impl IntoIterator<Item = Rules>) -> Self {
        let all = all.into_iter().enumerate();
        Self {
            wanted: all.map(|(at, rules)| (name(at), rules)).collect(),
            now: Duration::from_secs(1000),
            ..Self::default()
        }
    }

    fn plan(&self) -> Plan {
        plan(&Input {
            wanted: &self
                .wanted
                .iter()
                .map(|(name, it)| (name.clone(), it))
                .collect(),
            seen: &self.seen,
            met: &self.met,
            leave: true,
            down: self.down,
            now: self.now,
        })
    }

    /// Does what is planned until nothing is, holding every operation to what is always so.
    fn settle(&mut self) -> Plan {
        for _ in 0..100 {
            let plan = self.plan();
            if plan.ops.is_empty() {
                return plan;
            }
            for (name, op) in plan.ops {
                self.perform(&name, op);
            }
        }
        panic!("it never comes to rest: {self:?}");
    }

    fn perform(&mut self, name: &Name, op: Op) {
        self.done.push((name.clone(), op));
        let before = self.seen.entry(name.clone()).or_default().clone();
        let seen = self.seen.get_mut(name).expect("just made");
        match op {
            Op::Start => {
                assert_eq!(before.life, Life::Down, "{name} is started twice");
                let rules = &self.wanted[name];
                seen.started(rules, self.now);
                for needed in &rules.needs {
                    let other = self.seen.get(needed).expect("needed and never seen");
                    assert!(
                        matches!(other.life, Life::Up { .. }),
                        "{name} before {needed}"
                    );
                }
            }
            Op::Pull => {
                assert_eq!(before.life, Life::Down, "{name} is pulled while it runs");
                let image = self.wanted[name].image.clone();
                seen.root = Root::Pulls(image.expect("one to pull"));
            }
            Op::Stop => {
                assert!(matches!(before.life, Life::Up { .. }), "{name}: {before:?}");
                seen.asked_to_end(self.now);
            }
            Op::Kill => {
                assert!(
                    !matches!(before.life, Life::Down | Life::Up { .. }),
                    "{before:?}"
                );
                seen.killed();
            }
            Op::Forget => {
                assert!(before.is_down() && !self.wanted.contains_key(name));
                self.seen.remove(name);
            }
        }
    }

    fn up(&self, name: &Name) -> bool {
        let seen = self.seen.get(name);
        seen.is_some_and(|seen| matches!(seen.life, Life::Up { .. }))
    }

    /// All that were asked to end do, all that were killed are gone.
    fn obey(&mut self) {
        for seen in self.seen.values_mut() {
            match seen.life {
                Life::Stopping { .. } => seen.main_ended(Exit::Code(0), false, self.now),
                Life::Remnants { killed: true } => seen.emptied(),
                _ => {}
            }
        }
    }

    /// Time passes, as far as it has to, and everybody obeys.
    fn pass(&mut self, rounds: usize) -> Plan {
        let mut plan = self.settle();
        for _ in 0..rounds {
            self.obey();
            self.now = plan.next.unwrap_or(self.now).max(self.now);
            plan = self.settle();
        }
        plan
    }

    fn state(&self, number: usize) -> (ServiceState, String) {
        let told = self.plan().told[&name(number)].clone();
        (told.state, told.reason)
    }

    fn ends(&mut self, number: usize, exit: Exit) {
        let now = self.now;
        let seen = self.seen.get_mut(&name(number)).expect("there");
        seen.main_ended(exit, false, now);
    }
}

#[test]
fn what_is_needed_runs_first_and_ends_last() {
    let mut world = World::of([rules(&[1], &[]), rules(&[], &[2]), rules(&[], &[])]);
    world.settle();
    let starts: Vec<_> = world.done.drain(..).map(|(name, _)| name).collect();
    assert_eq!(starts, [name(2), name(1), name(0)]);
    world.down = true;
    world.pass(3);
    let ops = [0, 1, 2].map(|number| (name(number), Op::Stop));
    assert_eq!(world.done, ops);
    assert_eq!(world.state(0).0, ServiceState::Stopped);
}

#[test]
fn what_it_waits_for_is_told_by_name() {
    let mut first = rules(&[], &[1, 7]);
    first.conditions.insert("network".to_owned());
    let mut second = rules(&[], &[]);
    second.checked = true;
    let mut world = World::of([first, second]);
    world.settle();
    let why = "waits for condition network, service s1, service s7, which there is not";
    assert_eq!(world.state(0), (ServiceState::Waiting, why.to_owned()));
    assert_eq!(world.state(1).0, ServiceState::Starting);
    world.seen.get_mut(&name(1)).expect("up").healthy = Some(true);
    world.met.insert("network".to_owned());
    assert_eq!(
        world.plan().told[&name(0)].waits,
        ["service s7, which there is not"]
    );
    world.wanted.insert(name(7), rules(&[], &[]));
    world.settle();
    assert_eq!(world.state(0).0, ServiceState::Running);
}

#[test]
fn who_waits_for_itself_is_told_the_way() {
    let mut world = World::of([
        rules(&[1], &[]),
        rules(&[], &[2]),
        rules(&[0], &[]),
        rules(&[], &[3]),
    ]);
    world.wanted.insert(name(4), rules(&[], &[0]));
    world.wanted.insert(name(5), rules(&[0], &[]));
    world.settle();
    let why = "waits for itself: s0 -> s1 -> s2 -> s0";
    assert_eq!(world.state(0), (ServiceState::Failed, why.to_owned()));
    assert!(world.state(3).1.ends_with("s3 -> s3"));
    assert_eq!(
        world.state(4),
        (ServiceState::Waiting, "waits for service s0".into())
    );
    assert_eq!(
        world.state(5).0,
        ServiceState::Running,
        "what never comes holds up nobody"
    );
}

#[test]
fn one_that_ends_again_and_again_is_left_alone_for_longer_and_longer() {
    let mut world = World::of([rules(&[], &[])]);
    world.settle();
    let mut waits = Vec::new();
    for _ in 0..8 {
        world.ends(0, Exit::Code(1));
        let plan = world.settle();
        assert_eq!(
            world.state(0),
            (ServiceState::Restarting, "exited with status 1".into())
        );
        let next = plan.next.expect("it is started again");
        waits.push((next - world.now).as_secs());
        world.now = next;
        world.settle();
        assert!(world.up(&name(0)));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(world.seen[&name(0)].restarts, 8);
    // A good life forgives.
    world.now += PEACE;
    world.ends(0, Exit::Signal(9));
    assert_eq!(world.settle().next, Some(world.now + BACKOFF_FIRST));
}

#[test]
fn an_end_is_the_end_where_the_rules_have_it() {
    use ServiceRestart::{Always, Never, OnFailure};
    let cases = [
        (Always, Exit::Code(0), ServiceState::Restarting),
        (OnFailure, Exit::Code(0), ServiceState::Finished),
        (OnFailure, Exit::Code(2), ServiceState::Restarting),
        (OnFailure, Exit::Unknown, ServiceState::Restarting),
        (Never, Exit::Code(0), ServiceState::Finished),
        (Never, Exit::Signal(11), ServiceState::Failed),
    ];
    for (restart, exit, state) in cases {
        let mut world = World::of([rules(&[], &[])]);
        world.wanted.get_mut(&name(0)).expect("wanted").restart = restart;
        world.settle();
        world.ends(0, exit.clone());
        world.settle();
        assert_eq!(world.state(0).0, state, "{restart:?} {exit:?}");
        let seen = world.seen.get_mut(&name(0)).expect("seen");
        seen.order_start();
        world.settle();
        assert!(world.up(&name(0)), "an order starts it at once");
    }
}

#[test]
fn only_what_changed_is_started_again() {
    let mut world = World::of([rules(&[1], &[1]), rules(&[], &[]), rules(&[], &[1])]);
    world.settle();
    world.done.clear();
    world.wanted.get_mut(&name(1)).expect("wanted").identity = "two".to_owned();
    world.pass(1);
    assert_eq!(world.done, [(name(1), Op::Stop), (name(1), Op::Start)]);
    assert_eq!(
        world.seen[&name(1)].restarts,
        0,
        "nobody counts what was asked for"
    );
    assert!(world.up(&name(0)) && world.up(&name(2)));
}

#[test]
fn orders_hold_until_the_next_one() {
    let mut world = World::of([rules(&[], &[])]);
    world.settle();
    let seen = |world: &mut World, order: fn(&mut Seen)| {
        order(world.seen.get_mut(&name(0)).expect("seen"));
        world.pass(2);
    };
    seen(&mut world, Seen::order_stop);
    assert_eq!(
        world.state(0),
        (ServiceState::Stopped, "stopped by order".into())
    );
    seen(&mut world, Seen::order_start);
    assert!(world.up(&name(0)));
    world.done.clear();
    seen(&mut world, Seen::order_restart);
    assert_eq!(world.done, [(name(0), Op::Stop), (name(0), Op::Start)]);
    assert!(world.up(&name(0)));
}

#[test]
fn who_does_not_end_is_killed_with_all_it_left() {
    let mut world = World::of([rules(&[], &[])]);
    world.settle();
    world.wanted.clear();
    assert_eq!(
        world.settle().next,
        Some(world.now + Duration::from_secs(10))
    );
    world.now += Duration::from_secs(10);
    world.settle();
    let seen = world.seen.get_mut(&name(0)).expect("seen");
    seen.main_ended(Exit::Signal(9), true, world.now);
    assert_eq!(seen.life, Life::Remnants { killed: true });
    world.pass(1);
    let ops = [Op::Start, Op::Stop, Op::Kill, Op::Forget].map(|op| (name(0), op));
    assert_eq!(world.done, ops);
}

#[test]
fn one_from_an_image_is_started_when_that_is_there() {
    let image = "registry.lab/etcd:1".to_owned();
    let mut from_image = rules(&[], &[1]);
    from_image.image = Some(image.clone());
    let mut world = World::of([from_image.clone(), rules(&[], &[])]);
    world.wanted.get_mut(&name(1)).expect("wanted").checked = true;
    world.settle();
    assert_eq!(world.state(0).1, "waits for service s1");
    world.seen.get_mut(&name(1)).expect("up").healthy = Some(true);
    world.settle();
    let pulls = (ServiceState::Starting, format!("pulls {image}"));
    assert_eq!(world.state(0), pulls);

    // It fails, is left alone for a while and tried again.
    let now = world.now;
    let seen = world.seen.get_mut(&name(0)).expect("seen");
    seen.root = Root::Nothing;
    seen.not_started(&from_image, "no such image".to_owned(), now);
    let next = world.settle().next;
    assert_eq!(next, Some(now + BACKOFF_FIRST));
    let why = "could not be started: no such image".to_owned();
    assert_eq!(world.state(0), (ServiceState::Restarting, why));
    world.now += BACKOFF_FIRST;
    world.settle();
    assert_eq!(world.state(0), pulls);

    world.seen.get_mut(&name(0)).expect("seen").root = Root::There(image.clone());
    world.settle();
    // What pulled it may go under it.
    world.seen.get_mut(&name(1)).expect("up").healthy = Some(false);
    world.ends(1, Exit::Code(1));
    world.settle();
    assert_eq!(world.state(0).0, ServiceState::Running);
    // Another image is pulled before it is started from that.
    world.seen.get_mut(&name(1)).expect("down").healthy = None;
    let other = world.wanted.get_mut(&name(0)).expect("wanted");
    (other.image, other.identity) = (Some("registry.lab/etcd:2".to_owned()), "two".to_owned());
    world.wanted.get_mut(&name(1)).expect("wanted").checked = false;
    world.done.clear();
    world.pass(3);
    let ops: Vec<_> = world
        .done
        .iter()
        .filter(|it| it.0 == name(0))
        .map(|it| it.1)
        .collect();
    assert_eq!(ops, [Op::Stop, Op::Pull]);
    assert_eq!(world.state(0).1, "pulls registry.lab/etcd:2");
}

#[test]
fn what_a_main_process_leaves_is_ended_before_it_is_started_again() {
    let mut world = World::of([rules(&[], &[])]);
    world.settle();
    let seen = world.seen.get_mut(&name(0)).expect("seen");
    seen.main_ended(Exit::Code(3), true, world.now);
    world.pass(2);
    let ops = [Op::Start, Op::Kill, Op::Start].map(|op| (name(0), op));
    assert_eq!(world.done, ops);
}

/// Something that happens to a service, or to all.
#[derive(Clone, Debug)]
enum Happens {
    Ends(usize, bool),
    Remnants(usize),
    Change(usize),
    Remove(usize),
    Add(usize, Vec<usize>, Vec<usize>),
    Stop(usize),
    Start(usize),
    Restart(usize),
    Obey,
    Pass(u64),
}

const SERVICES: usize = 5;

fn happens() -> impl Strategy<Value = Happens> {
    let number = 0..SERVICES;
    let some = || vec(0..SERVICES, 0..3);
    prop_oneof![
        (number.clone(), any::<bool>()).prop_map(|(it, well)| Happens::Ends(it, well)),
        number.clone().prop_map(Happens::Remnants),
        number.clone().prop_map(Happens::Change),
        number.clone().prop_map(Happens::Remove),
        (number.clone(), some(), some())
            .prop_map(|(it, after, needs)| Happens::Add(it, after, needs)),
        number.clone().prop_map(Happens::Stop),
        number.clone().prop_map(Happens::Start),
        number.prop_map(Happens::Restart),
        Just(Happens::Obey),
        (0_u64..200).prop_map(Happens::Pass),
    ]
}

impl World {
    fn happen(&mut self, what: Happens) {
        let now = self.now;
        match what {
            Happens::Ends(it, well) => {
                let exit = if well { Exit::Code(0) } else { Exit::Signal(6) };
                if let Some(seen) = self.seen.get_mut(&name(it)) {
                    seen.main_ended(exit, false, now);
                }
            }
            Happens::Remnants(it) => {
                if let Some(seen) = self.seen.get_mut(&name(it)) {
                    seen.main_ended(Exit::Code(1), true, now);
                }
            }
            Happens::Change(it) => {
                if let Some(rules) = self.wanted.get_mut(&name(it)) {
                    rules.identity.push('+');
                }
            }
            Happens::Remove(it) => drop(self.wanted.remove(&name(it))),
            Happens::Add(it, after, needs) => {
                self.wanted.insert(name(it), rules(&after, &needs));
            }
            Happens::Stop(it) => self.seen.entry(name(it)).or_default().order_stop(),
            Happens::Start(it) => self.seen.entry(name(it)).or_default().order_start(),
            Happens::Restart(it) => self.seen.entry(name(it)).or_default().order_restart(),
            Happens::Obey => self.obey(),
            Happens::Pass(seconds) => self.now += Duration::from_secs(seconds),
        }
    }

    /// The services that can run: all they need is there and can, and they do not wait for themselves.
    fn able(&self) -> BTreeSet<Name> {
        let all = self
            .wanted
            .iter()
            .map(|(name, it)| (name.clone(), it))
            .collect();
        let cycles = cycles(&all);
        let mut able: BTreeSet<_> = self.wanted.keys().cloned().collect();
        able.retain(|name| !cycles.contains_key(name));
        loop {
            let before = able.len();
            let kept: BTreeSet<_> = able
                .iter()
                .filter(|name| {
                    let rules = &self.wanted[*name];
                    let needs = rules.needs.iter().all(|it| able.contains(it));
                    // One that waits for ever holds up those after it, unless it waits for itself.
                    let after = rules.after.iter().all(|it| {
                        !self.wanted.contains_key(it)
                            || able.contains(it)
                            || cycles.contains_key(it)
                    });
                    needs && after
                })
                .cloned()
                .collect();
            able = kept;
            if able.len() == before {
                return able;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_all_that_can_run_does_and_then_all_ends_in_order(
        all in vec((vec(0..SERVICES, 0..2), vec(0..SERVICES, 0..2)), SERVICES),
        history in vec(happens(), 0..40),
    ) {
        let mut world = World::of(all.iter().map(|(after, needs)| rules(after, needs)));
        for what in history {
            world.happen(what);
            world.settle();
        }
        for number in 0..SERVICES {
            if let Some(seen) = world.seen.get_mut(&name(number)) {
                seen.order_start();
            }
        }
        let plan = world.pass(4 * SERVICES);
        let able = world.able();
        for (name, rules) in &world.wanted {
            // One that runs already is not ended by what it could not be started with any more.
            prop_assert!(world.up(name) || !able.contains(name), "{}: {:?}", name, plan.told[name]);
            if let Some(Seen { life: Life::Up { identity, .. }, .. }) = world.seen.get(name) {
                prop_assert_eq!(identity, &rules.identity);
            } else {
                let told = &plan.told[name];
                prop_assert!(told.reason.contains("waits for"), "{:?}", told);
            }
        }
        prop_assert!(world.seen.keys().all(|name| world.wanted.contains_key(name)));

        world.down = true;
        world.done.clear();
        let edges: BTreeMap<_, _> = world.seen.iter().map(|(name, seen)| (name.clone(), seen.after.clone())).collect();
        world.pass(4 * SERVICES);
        prop_assert!(world.seen.values().all(Seen::is_down));
        let mut gone = BTreeSet::new();
        for (name, _) in &world.done {
            let left = able.iter().filter(|it| !gone.contains(it) && *it != name);
            // All rules are those it was started with, so there is an order.
            let fresh = world.wanted.iter().all(|(name, rules)| {
                !able.contains(name) || edges[name] == rules.before_it().cloned().collect()
            });
            for other in left {
                prop_assert!(!fresh || !edges[other].contains(name), "{} before {}", name, other);
            }
            gone.insert(name);
        }
    }
}
