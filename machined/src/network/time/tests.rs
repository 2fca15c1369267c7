//! A clock that nobody owns, and servers that are right, wrong, silent and late.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use resources::net::{
    ConfigLayer, LeapSecond, TimeSample, TimeServerPhase, TimeServerSpec, TimeServerStatus,
    TimeSpec, TimeStatus,
};
use sys::clock::{Correction, Leap};

use super::apply::Apply;
use super::config::wanted;
use super::discipline::FIRST_STEP;
use super::estimate::{Server, voices};
use super::kernel::{Kernel, Now};
use super::merge::merge;

const SECOND: i64 = 1_000_000_000;
const MILLI: i64 = 1_000_000;
/// When the counter was zero, in truth.
const BEGINNING: i64 = 1_800_000_000 * SECOND;

/// A clock whose corrections take no time.
#[derive(Debug, Default)]
struct State {
    now: Now,
    steps: Vec<i64>,
    slews: Vec<Correction>,
    leaps: Vec<Leap>,
}

#[derive(Clone, Debug)]
struct FakeKernel(Arc<Mutex<State>>);

impl Kernel for FakeKernel {
    fn now(&self) -> io::Result<Now> {
        Ok(self.0.lock().unwrap().now)
    }

    fn slew(&mut self, correction: &Correction) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.now.real += correction.offset;
        state.now.trusted = true;
        state.slews.push(*correction);
        Ok(())
    }

    fn step(&mut self, by: i64, _: Duration, leap: Leap) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.now.real += by;
        state.now.trusted = true;
        state.steps.push(by);
        state.leaps.push(leap);
        Ok(())
    }

    fn advance(&mut self, _: Duration) -> io::Result<()> {
        unreachable!("servers say more than that")
    }
}

struct World {
    state: Arc<Mutex<State>>,
    apply: Apply,
    spec: TimeSpec,
    servers: Vec<Server>,
    /// How far the hardware's counter has fallen behind the truth.
    lost: i64,
}

impl World {
    /// A machine whose clock is so far behind the truth, and servers by their names.
    fn new(behind: i64, names: &[&str]) -> Self {
        let raw = 1000 * SECOND;
        let state = Arc::new(Mutex::new(State {
            now: Now {
                real: BEGINNING + raw - behind,
                raw: raw.unsigned_abs(),
                boot: raw.unsigned_abs(),
                ..Now::default()
            },
            ..State::default()
        }));
        let built = Timestamp::from_second(1_700_000_000).unwrap();
        let server = |(at, name): (usize, &&str)| Server {
            spec: TimeServerSpec {
                address: format!("10.0.0.{}", at + 1).parse().unwrap(),
                server: (*name).to_owned(),
            },
            status: TimeServerStatus::default(),
        };
        Self {
            apply: Apply::new(FakeKernel(Arc::clone(&state)), built),
            state,
            spec: TimeSpec {
                servers: names.iter().map(|&it| it.to_owned()).collect(),
                enabled: true,
                layer: ConfigLayer::Config,
            },
            servers: names.iter().enumerate().map(server).collect(),
            lost: 0,
        }
    }

    fn pass(&mut self, seconds: u64) {
        let nanos = seconds * SECOND.unsigned_abs();
        let mut state = self.state.lock().unwrap();
        state.now.raw += nanos;
        state.now.boot += nanos;
        state.now.real += i64::try_from(nanos).unwrap();
    }

    /// A server answers with a clock that is so far ahead of the truth, after a delay of 2 ms.
    fn answers(&mut self, at: usize, ahead: i64) {
        let truth = self.truth();
        let now = self.now();
        let status = &mut self.servers[at].status;
        status.phase = TimeServerPhase::Answering;
        status.stratum = 1;
        status.interval_seconds = 32;
        status.samples.push(TimeSample {
            server_nanos: truth + ahead,
            raw_nanos: now.raw,
            boot_nanos: now.boot,
            delay_nanos: 2_000_000,
            distance_nanos: 500_000,
        });
    }

    fn look(&mut self) -> TimeStatus {
        self.apply.look(&self.spec, &self.servers, false).unwrap()
    }

    fn now(&self) -> Now {
        self.state.lock().unwrap().now
    }

    fn truth(&self) -> i64 {
        let now = self.now();
        BEGINNING + i64::try_from(now.raw).unwrap() + self.lost
    }

    /// How far the clock is behind the truth.
    fn behind(&self) -> i64 {
        self.truth() - self.now().real
    }

    fn moved(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.steps.len(), state.slews.len())
    }
}

#[test]
fn a_clock_of_1970_is_right_with_the_first_answer() {
    let mut world = World::new(1_800_000_000 * SECOND, &["a"]);
    let status = world.look();
    assert!(!status.synchronized);
    assert_eq!(status.reason, "waiting for a");
    world.answers(0, 0);
    let status = world.look();
    assert!(status.synchronized, "{status:?}");
    assert_eq!(world.behind(), 0);
    assert_eq!(world.moved(), (1, 0));
    assert_eq!((status.steps, status.stratum, &*status.server), (1, 2, "a"));
    let since = status.since.unwrap();
    assert_eq!(since.as_second(), BEGINNING / SECOND + 1000, "the new time");
    // The same answer once more says nothing new, not even when the step itself woke us.
    world.apply.look(&world.spec, &world.servers, true).unwrap();
    world.look();
    assert_eq!(world.moved(), (1, 0));
}

#[test]
fn a_little_is_made_up_without_a_jump() {
    let mut world = World::new(100 * MILLI, &["a"]);
    world.answers(0, 0);
    assert!(world.look().synchronized);
    assert_eq!(world.moved(), (0, 1));
    let state = world.state.lock().unwrap();
    let [slew] = state.slews[..] else { panic!() };
    assert_eq!(slew.offset, 100 * MILLI);
    // Half of the delay, and what the server said of itself.
    assert_eq!(slew.error, Duration::from_micros(1500));
    assert_eq!(slew.time_constant, 1);
}

#[test]
fn a_clock_in_use_jumps_only_when_that_is_seen_twice() {
    let mut world = World::new(0, &["a"]);
    world.answers(0, 0);
    world.look();
    world.pass(32);
    world.answers(0, 5 * SECOND);
    let status = world.look();
    assert!(status.synchronized, "the last word still holds");
    assert_eq!(world.moved(), (0, 1));
    // It was a slip of the server.
    world.pass(32);
    world.servers[0].status.samples.clear();
    world.answers(0, 0);
    world.look();
    world.pass(32);
    world.servers[0].status.samples.clear();
    world.answers(0, 5 * SECOND);
    world.look();
    assert_eq!(world.moved().0, 0);
    world.pass(32);
    world.answers(0, 5 * SECOND);
    world.look();
    assert_eq!(world.moved().0, 1);
    assert_eq!(world.behind(), -5 * SECOND);
}

#[test]
fn who_sets_the_clock_wrong_is_put_right_at_once() {
    let mut world = World::new(0, &["a"]);
    world.answers(0, 0);
    world.look();
    world.pass(10);
    world.state.lock().unwrap().now.real += 3600 * SECOND;
    let status = world.apply.look(&world.spec, &world.servers, true).unwrap();
    assert!(status.synchronized);
    assert_eq!((world.behind(), world.moved().0), (0, 1));
}

#[test]
fn a_server_far_from_the_others_is_left_out() {
    let mut world = World::new(3 * SECOND, &["a", "b", "c", "d"]);
    for (at, ahead) in [0, MILLI, 3600 * SECOND, -MILLI].into_iter().enumerate() {
        world.answers(at, ahead);
    }
    let status = world.look();
    assert_eq!((status.agreeing, status.answering), (3, 4));
    assert!(world.behind().abs() < 2 * MILLI, "{}", world.behind());
}

#[test]
fn of_two_that_disagree_neither_is_believed() {
    let mut world = World::new(3 * SECOND, &["a", "b"]);
    world.answers(0, 0);
    world.answers(1, 60 * SECOND);
    let status = world.look();
    assert_eq!(world.moved(), (0, 0));
    assert_eq!(
        status.reason,
        "the time servers disagree; name three or more in the Time document: a, b"
    );
}

#[test]
fn nobody_is_believed_while_others_have_not_been_heard() {
    let mut world = World::new(3 * SECOND, &["a", "b", "c"]);
    world.answers(0, 3600 * SECOND);
    assert_eq!(world.look().reason, "waiting for a, b, c");
    assert_eq!(world.moved(), (0, 0));
    world.answers(1, 0);
    world.servers[2].status.phase = TimeServerPhase::Silent;
    assert!(!world.look().synchronized, "one against one");
    world.answers(2, 0);
    assert!(world.look().synchronized);
    assert_eq!(world.behind(), 0);
}

#[test]
fn a_name_has_one_voice_where_three_are_named() {
    let mut world = World::new(0, &["a", "many", "many", "many", "c"]);
    for (at, ahead) in [0, 60, 60, 60, 0].into_iter().enumerate() {
        world.answers(at, ahead * SECOND);
    }
    let status = world.look();
    assert!(status.synchronized);
    assert_eq!((status.agreeing, status.answering), (2, 3));
    assert_eq!(world.behind(), 0);
    // Of fewer each address has one: it may be a pool.
    let mut world = World::new(0, &["pool", "pool", "pool"]);
    for (at, ahead) in [0, 60 * SECOND, 0].into_iter().enumerate() {
        world.answers(at, ahead);
    }
    assert_eq!(world.look().agreeing, 2);
}

#[test]
fn silence_is_borne_for_hours_and_then_said() {
    let mut world = World::new(0, &["a"]);
    world.answers(0, 0);
    world.look();
    world.servers[0].status.phase = TimeServerPhase::Silent;
    world.pass(8000);
    assert!(world.look().synchronized);
    world.pass(1000);
    let status = world.look();
    assert!(!status.synchronized);
    assert_eq!((status.since, &*status.reason), (None, "no answer from a"));
}

#[test]
fn before_this_system_was_built_it_never_was() {
    let mut world = World::new(0, &["a"]);
    world.answers(0, -200_000_000 * SECOND);
    let status = world.look();
    assert_eq!(status.reason, "a say it is before this system was built");
    assert_eq!(world.moved(), (0, 0));
}

#[test]
fn what_was_heard_before_a_sleep_says_nothing_after_it() {
    let mut world = World::new(0, &["a"]);
    world.answers(0, 0);
    world.state.lock().unwrap().now.boot += 5_000_000_000;
    assert!(voices(&world.servers, world.now()).is_empty());
}

#[test]
fn the_config_turns_it_off() {
    let mut world = World::new(3 * SECOND, &["a"]);
    world.answers(0, 0);
    world.spec.enabled = false;
    assert_eq!(world.look().reason, "the config turns it off");
    assert_eq!(world.moved(), (0, 0));
}

#[test]
fn a_leap_second_is_one_that_most_announce() {
    let mut world = World::new(3 * SECOND, &["a", "b", "c"]);
    for at in 0..3 {
        world.answers(at, 0);
    }
    world.servers[0].status.leap = LeapSecond::Delete;
    world.servers[1].status.leap = LeapSecond::Insert;
    world.servers[2].status.leap = LeapSecond::Insert;
    world.look();
    assert_eq!(world.state.lock().unwrap().leaps, [Leap::Insert]);
}

#[test]
fn the_strongest_source_of_servers_counts_and_the_config_alone_turns_them_off() {
    let documents = |text: &str| {
        let head = "apiVersion: garboard/v1alpha1\nkind: Time\n";
        ::config::parse("test", format!("{head}{text}").as_bytes()).unwrap()
    };
    let merged = |text: &str, dhcp: &[&str]| {
        let mut specs = wanted(&documents(text));
        for (at, server) in dhcp.iter().enumerate() {
            let spec = TimeSpec {
                servers: vec![(*server).to_owned()],
                enabled: true,
                layer: ConfigLayer::Operator,
            };
            specs.insert(format!("operator/dhcp4/eth{at}"), spec);
        }
        let spec = merge(specs.iter().map(|(id, spec)| (&**id, spec))).unwrap();
        (spec.servers.join(" "), spec.enabled)
    };
    let is = |servers: &str, enabled| (servers.to_owned(), enabled);
    assert_eq!(
        merged("enabled: true", &[]),
        is("time.cloudflare.com", true)
    );
    let dhcp = ["10.0.0.1", "10.0.0.2", "10.0.0.1"];
    assert_eq!(
        merged("enabled: true", &dhcp),
        is("10.0.0.1 10.0.0.2", true)
    );
    assert_eq!(
        merged("enabled: false", &dhcp),
        is("10.0.0.1 10.0.0.2", false)
    );
    assert_eq!(
        merged("servers: [a, 10.0.0.3]", &dhcp),
        is("a 10.0.0.3", true)
    );
}

proptest! {
    /// However the machine's quartz runs and however long the ways are, the clock is never farther off than is said of it, and
    /// once it is right nothing makes it jump.
    #[test]
    fn the_clock_stays_within_what_is_said_of_it(
        behind in -100_000 * SECOND..100_000 * SECOND,
        drift in -14..=14i64,
        rounds in prop::collection::vec(
            (16..1024u64, prop::collection::vec((0..40 * MILLI, 0..40 * MILLI), 3)),
            2..30,
        ),
    ) {
        let mut world = World::new(behind, &["a", "b", "c"]);
        let mut unheard = 0;
        for (wait, ways) in rounds {
            world.pass(wait);
            unheard += wait;
            // A quartz that runs slow by millionths.
            world.lost += i64::try_from(wait).unwrap() * 1000 * drift;
            let now = world.now();
            let truth = world.truth();
            for (server, (there, back)) in world.servers.iter_mut().zip(&ways) {
                server.status.phase = TimeServerPhase::Answering;
                server.status.interval_seconds = 32;
                server.status.samples.push(TimeSample {
                    // The way back took another time than half of both.
                    server_nanos: truth + (there - back) / 2,
                    raw_nanos: now.raw,
                    boot_nanos: now.boot,
                    delay_nanos: (there + back).unsigned_abs(),
                    distance_nanos: 0,
                });
                // A client keeps eight.
                let extra = server.status.samples.len().saturating_sub(8);
                server.status.samples.drain(..extra);
            }
            let before = world.moved();
            let status = world.look();
            if world.moved() != before {
                unheard = 0;
            }
            prop_assert!(status.synchronized);
            let off = world.behind().unsigned_abs();
            prop_assert!(off <= status.error_nanos + unheard * 15_000 + 10, "off by {off}: {status:?}");
        }
        prop_assert!(world.moved().0 <= 1, "a step");
        let near = behind.unsigned_abs() + 40_000_000 < u64::try_from(FIRST_STEP.as_nanos()).unwrap();
        prop_assert!(!near || world.moved().0 == 0);
    }
}
