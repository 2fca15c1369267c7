use std::time::Duration;

use proptest::prelude::*;
use sys::link::{ChildState, FromInit, Start};

use super::*;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Both daemons started at 0, machined as 10 and networkd as 20.
fn running() -> Supervisor {
    let mut supervisor = Supervisor::new(secs(0));
    let actions = supervisor.step(&Event::Tick, secs(0));
    assert_eq!(starts(&actions), [Daemon::Machined, Daemon::Networkd]);
    supervisor.step(&Event::Started(Daemon::Machined, 10), secs(0));
    supervisor.step(&Event::Started(Daemon::Networkd, 20), secs(0));
    supervisor
}

fn starts(actions: &[Action]) -> Vec<Daemon> {
    actions
        .iter()
        .filter_map(|a| {
            if let Action::Start(d, _) = a {
                Some(*d)
            } else {
                None
            }
        })
        .collect()
}

fn start_of(actions: &[Action]) -> Option<&Start> {
    actions.iter().find_map(|a| {
        if let Action::Start(_, start) = a {
            Some(start)
        } else {
            None
        }
    })
}

/// Lets time pass in ticks, both daemons pinging, until `until`; gives all actions.
fn pass(supervisor: &mut Supervisor, from: u64, until: u64) -> Vec<Action> {
    let mut actions = Vec::new();
    for now in from..=until {
        actions.extend(supervisor.step(&Event::Ping(Daemon::Machined), secs(now)));
        actions.extend(supervisor.step(&Event::Ping(Daemon::Networkd), secs(now)));
    }
    actions
}

#[test]
fn restarts_wait_longer_each_time_up_to_half_a_minute() {
    let mut supervisor = running();
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16, 30, 30] {
        supervisor.step(&Event::Exited(20, Exit::Code(1)), secs(now));
        let before = pass(&mut supervisor, now, now + wait - 1);
        assert_eq!(starts(&before), []);
        now += wait;
        let actions = supervisor.step(&Event::Tick, secs(now));
        assert_eq!(starts(&actions), [Daemon::Networkd]);
        assert_eq!(start_of(&actions).unwrap().reason, "exited with status 1");
        supervisor.step(&Event::Started(Daemon::Networkd, 20), secs(now));
    }
}

#[test]
fn a_life_in_peace_forgives() {
    let mut supervisor = running();
    supervisor.step(&Event::Exited(20, Exit::Signal(9)), secs(0));
    supervisor.step(&Event::Tick, secs(1));
    supervisor.step(&Event::Started(Daemon::Networkd, 21), secs(1));
    supervisor.step(&Event::Ready(Daemon::Networkd), secs(2));
    pass(&mut supervisor, 2, 31);
    supervisor.step(&Event::Exited(21, Exit::Signal(9)), secs(31));
    let actions = supervisor.step(&Event::Tick, secs(32));
    let start = start_of(&actions).unwrap();
    assert_eq!(
        (start.epoch, start.restarts, start.reason.as_str()),
        (3, 1, "killed by signal 9")
    );
}

#[test]
fn five_failed_starts_lead_to_safe_mode_and_a_clean_exit_leads_out() {
    let mut supervisor = running();
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16] {
        assert!(!supervisor.child(Daemon::Machined).is_safe());
        supervisor.step(&Event::Exited(10, Exit::Code(101)), secs(now));
        now += wait;
        let actions = pass(&mut supervisor, now, now);
        assert_eq!(starts(&actions), [Daemon::Machined]);
        supervisor.step(&Event::Started(Daemon::Machined, 10), secs(now));
    }
    assert!(supervisor.child(Daemon::Machined).is_safe());
    let actions = supervisor.step(&Event::Exited(10, Exit::Code(0)), secs(now));
    assert!(actions.contains(&Action::Log(
        Level::Info,
        "machined leaves safe mode".into()
    )));
    let actions = supervisor.step(&Event::Tick, secs(now + 1));
    assert_eq!(
        start_of(&actions).map(|start| (start.safe, start.restarts)),
        Some((false, 1))
    );
}

#[test]
fn a_machined_that_never_gets_ready_ends_in_safe_mode_too() {
    let mut supervisor = running();
    for now in 0..400 {
        for action in supervisor.step(&Event::Ping(Daemon::Networkd), secs(now)) {
            match action {
                Action::Kill(10) => {
                    supervisor.step(&Event::Exited(10, Exit::Signal(9)), secs(now));
                }
                Action::Start(Daemon::Machined, start) if start.safe => {
                    assert_eq!(start.reason, "silent for 30 s");
                    return;
                }
                Action::Start(daemon, _) => {
                    supervisor.step(&Event::Started(daemon, 10), secs(now));
                }
                _ => {}
            }
        }
    }
    panic!("no safe mode");
}

#[test]
fn failures_far_apart_do_not() {
    let mut supervisor = running();
    let mut now = 0;
    for _ in 0..10 {
        supervisor.step(&Event::Ready(Daemon::Machined), secs(now));
        pass(&mut supervisor, now, now + 40);
        now += 40;
        supervisor.step(&Event::Exited(10, Exit::Signal(9)), secs(now));
        now += 1;
        assert_eq!(starts(&pass(&mut supervisor, now, now)), [Daemon::Machined]);
        supervisor.step(&Event::Started(Daemon::Machined, 10), secs(now));
    }
    assert!(!supervisor.child(Daemon::Machined).is_safe());
}

#[test]
fn a_silent_daemon_is_killed_once() {
    let mut supervisor = running();
    let mut kills = Vec::new();
    for now in 0..40 {
        let actions = supervisor.step(&Event::Ping(Daemon::Machined), secs(now));
        kills.extend(
            actions
                .into_iter()
                .filter(|a| matches!(a, Action::Kill(_)))
                .map(|a| (now, a)),
        );
    }
    assert_eq!(kills, [(30, Action::Kill(20))]);
}

#[test]
fn nobody_is_blamed_when_the_machine_stood_still() {
    let mut supervisor = running();
    let actions = supervisor.step(&Event::Tick, secs(3600));
    assert!(!actions.iter().any(|a| matches!(a, Action::Kill(_))));
    assert!(supervisor.deadline() <= secs(3605));
}

#[test]
fn a_missing_program_is_tried_again() {
    let mut supervisor = Supervisor::new(secs(0));
    supervisor.step(&Event::Tick, secs(0));
    supervisor.step(&Event::Started(Daemon::Machined, 10), secs(0));
    let actions = supervisor.step(
        &Event::NotStarted(Daemon::Networkd, "no file".into()),
        secs(0),
    );
    let told = actions.iter().find_map(|a| {
        if let Action::Tell(FromInit::Child(c)) = a {
            Some(c)
        } else {
            None
        }
    });
    assert_eq!(told.unwrap().state, ChildState::Failed);
    assert_eq!(
        starts(&supervisor.step(&Event::Tick, secs(1))),
        [Daemon::Networkd]
    );
}

#[test]
fn machined_is_told_of_everyone_when_it_starts() {
    let mut supervisor = running();
    supervisor.step(&Event::Exited(10, Exit::Signal(9)), secs(1));
    supervisor.step(&Event::Tick, secs(2));
    let actions = supervisor.step(&Event::Started(Daemon::Machined, 11), secs(2));
    let told = actions
        .iter()
        .filter(|a| matches!(a, Action::Tell(FromInit::Child(_))))
        .count();
    assert_eq!(told, 2);
}

#[test]
fn a_wanted_reboot_ends_machined_first_then_the_rest() {
    let mut supervisor = running();
    let actions = supervisor.step(&Event::EndWanted(End::Reboot), secs(5));
    assert!(actions.contains(&Action::Terminate(10)) && !actions.contains(&Action::TerminateAll));
    let actions = supervisor.step(&Event::Exited(10, Exit::Code(0)), secs(6));
    assert!(actions.contains(&Action::TerminateAll));
    let actions = supervisor.step(&Event::Exited(20, Exit::Code(0)), secs(6));
    assert!(!actions.iter().any(|a| matches!(a, Action::Finish(_))));
    assert_eq!(
        supervisor.step(&Event::Childless, secs(6)),
        [Action::Finish(End::Reboot)]
    );
    assert_eq!(supervisor.step(&Event::Childless, secs(7)), []);
}

#[test]
fn a_signal_asks_machined_and_goes_on_without_an_answer() {
    let mut supervisor = running();
    let actions = supervisor.step(&Event::Signalled(End::Poweroff), secs(0));
    assert!(actions.contains(&Action::Tell(FromInit::Shutdown)));
    let mut log = Vec::new();
    for now in 0..120 {
        for action in pass(&mut supervisor, now, now) {
            log.push((now, action));
        }
    }
    let at = |wanted: Action| {
        log.iter()
            .find(|(_, action)| *action == wanted)
            .map(|(at, _)| *at)
    };
    assert_eq!(at(Action::Terminate(10)), Some(60));
    assert_eq!(at(Action::Kill(10)), Some(70));
    assert_eq!(at(Action::TerminateAll), Some(70));
    assert_eq!(at(Action::KillAll), Some(75));
    assert_eq!(at(Action::Finish(End::Poweroff)), Some(78));
}

#[derive(Debug, Clone)]
enum Move {
    Pass(u64),
    StartWorks(bool),
    Exit(Daemon, Exit),
    Say(Event),
}

fn moves() -> impl Strategy<Value = Move> {
    let daemon = prop_oneof![Just(Daemon::Machined), Just(Daemon::Networkd)];
    let exit = prop_oneof![(0..3).prop_map(Exit::Code), Just(Exit::Signal(9))];
    prop_oneof![
        6 => (0_u64..20_000).prop_map(Move::Pass),
        2 => any::<bool>().prop_map(Move::StartWorks),
        4 => (daemon.clone(), exit).prop_map(|(d, e)| Move::Exit(d, e)),
        3 => daemon.clone().prop_map(|d| Move::Say(Event::Ping(d))),
        2 => daemon.prop_map(|d| Move::Say(Event::Ready(d))),
        1 => Just(Move::Say(Event::Signalled(End::Reboot))),
        1 => Just(Move::Say(Event::EndWanted(End::Halt))),
        1 => Just(Move::Say(Event::Childless)),
    ]
}

/// A world that obeys the actions and checks that each makes sense.
struct World {
    supervisor: Supervisor,
    now: Duration,
    works: bool,
    next_pid: u32,
    alive: Vec<(Daemon, u32)>,
    ending: bool,
    finished: u32,
}

impl World {
    fn say(&mut self, event: Event) {
        let mut queue = std::collections::VecDeque::from([event]);
        while let Some(event) = queue.pop_front() {
            self.ending |= matches!(event, Event::Signalled(_) | Event::EndWanted(_));
            for action in self.supervisor.step(&event, self.now) {
                self.obey(action, &mut queue);
            }
        }
    }

    fn obey(&mut self, action: Action, queue: &mut std::collections::VecDeque<Event>) {
        match action {
            Action::Start(daemon, _) => {
                assert!(!self.ending, "a start on the way down");
                assert!(
                    !self.alive.iter().any(|(d, _)| *d == daemon),
                    "two of one daemon"
                );
                if self.works {
                    self.next_pid += 1;
                    self.alive.push((daemon, self.next_pid));
                    queue.push_back(Event::Started(daemon, self.next_pid));
                } else {
                    queue.push_back(Event::NotStarted(daemon, "x".into()));
                }
            }
            Action::Kill(pid) => {
                assert!(
                    self.alive.iter().any(|(_, p)| *p == pid),
                    "a kill of a dead process"
                );
                self.alive.retain(|(_, p)| *p != pid);
                queue.push_back(Event::Exited(pid, Exit::Signal(9)));
            }
            Action::Finish(_) => self.finished += 1,
            Action::TerminateAll | Action::KillAll => assert!(self.ending),
            Action::Terminate(_) | Action::Tell(_) | Action::Log(..) => {}
        }
    }

    fn check(&self) {
        assert!(self.finished <= 1);
        assert!(self.supervisor.deadline() <= self.now + TICK);
        for daemon in Daemon::ALL {
            let child = self.supervisor.child(daemon);
            assert_eq!(
                child.pid(),
                self.alive
                    .iter()
                    .find(|(d, _)| *d == daemon)
                    .map(|(_, p)| *p)
            );
            if let Life::Waiting(until) = child.life {
                assert!(until <= self.now + BACKOFF_LAST, "a wait without end");
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_daemons_come_back_and_the_end_comes(moves in proptest::collection::vec(moves(), 0..80)) {
        let mut world = World {
            supervisor: Supervisor::new(secs(0)),
            now: secs(0),
            works: true,
            next_pid: 100,
            alive: Vec::new(),
            ending: false,
            finished: 0,
        };
        world.say(Event::Tick);
        for step in moves {
            match step {
                Move::Pass(millis) => {
                    world.now += Duration::from_millis(millis);
                    world.say(Event::Tick);
                }
                Move::StartWorks(works) => world.works = works,
                Move::Exit(daemon, exit) => {
                    if let Some(at) = world.alive.iter().position(|(d, _)| *d == daemon) {
                        let (_, pid) = world.alive.remove(at);
                        world.say(Event::Exited(pid, exit));
                    }
                }
                Move::Say(event) => world.say(event),
            }
            world.check();
        }
        if world.ending {
            // 15 + 10 + 5 + 3 s are the bounds of the phases.
            for _ in 0..40 {
                world.now += secs(1);
                world.say(Event::Tick);
            }
            prop_assert_eq!(world.finished, 1);
        } else {
            world.works = true;
            for _ in 0..31 {
                world.now += secs(1);
                world.say(Event::Ping(Daemon::Machined));
                world.say(Event::Ping(Daemon::Networkd));
            }
            prop_assert_eq!(world.alive.len(), 2);
        }
    }
}
