use proptest::prelude::*;

use super::super::message::{ReplyKind, RequestKind, Terms};
use super::*;

const MAC: Mac = [2, 0, 0, 0, 0, 1];
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// A client under a clock and a die of our own.
struct Bench {
    client: Client,
    now: Duration,
    seed: u32,
}

impl Bench {
    fn new(remembered: Option<Lease>) -> Self {
        Self {
            client: Client::new(MAC, remembered),
            now: Duration::from_secs(100),
            seed: 7,
        }
    }

    fn step(&mut self, event: Event) -> Vec<Send> {
        let seed = &mut self.seed;
        let mut chance = || {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *seed
        };
        self.client.step(self.now, event, &mut chance)
    }

    /// Moves the clock to the deadline and lets it pass.
    fn wait(&mut self) -> Vec<Send> {
        self.now = self
            .now
            .max(self.client.deadline().expect("something is due"));
        self.step(Event::Tick)
    }

    fn say(&mut self, kind: ReplyKind, seconds: u32) -> Vec<Send> {
        let reply = reply(kind, self.client.transaction.xid, seconds);
        self.step(Event::Reply(Box::new(reply)))
    }

    fn bind(&mut self, seconds: u32) {
        self.step(Event::CarrierUp);
        self.say(ReplyKind::Offer, seconds);
        self.say(ReplyKind::Ack, seconds);
        assert_eq!(self.phase(), Dhcp4Phase::Bound);
    }

    fn phase(&self) -> Dhcp4Phase {
        self.client.status().phase
    }
}

fn terms(seconds: u32) -> Terms {
    Terms {
        address: "10.0.0.9/24".parse().unwrap(),
        seconds,
        ..Terms::default()
    }
}

fn reply(kind: ReplyKind, xid: u32, seconds: u32) -> Reply {
    Reply {
        kind,
        xid,
        mac: MAC,
        server: Some(SERVER),
        terms: (kind != ReplyKind::Nak).then(|| Box::new(terms(seconds))),
    }
}

fn remembered(now: u64, seconds: u32) -> Lease {
    Lease::new(terms(seconds), SERVER, Duration::from_secs(now))
}

#[test]
fn four_messages_make_a_lease() {
    let mut bench = Bench::new(None);
    let sent = bench.step(Event::CarrierUp);
    assert_eq!(sent[0].request.kind, RequestKind::Discover);
    let sent = bench.say(ReplyKind::Offer, 600);
    assert_eq!(sent[0].request.requested, Some(Ipv4Addr::new(10, 0, 0, 9)));
    assert_eq!(sent[0].request.server, Some(SERVER));
    assert_eq!(sent[0].to, To::Everyone);
    assert!(bench.client.lease().is_none());
    bench.say(ReplyKind::Ack, 600);
    let status = bench.client.status();
    assert_eq!(
        (status.phase, status.attempts, status.error.as_str()),
        (Dhcp4Phase::Bound, 0, "")
    );
    assert_eq!(
        (status.renew_at, status.rebind_at, status.expires_at),
        (400, 625, Some(700))
    );
}

#[test]
fn waits_double_to_64_seconds_and_never_end() {
    let mut bench = Bench::new(None);
    bench.step(Event::CarrierUp);
    for wanted in [4, 8, 16, 32, 64, 64, 64, 64] {
        let before = bench.now;
        assert_eq!(bench.wait().len(), 1);
        let waited = (bench.now - before).as_secs_f64();
        assert!(
            (waited - f64::from(wanted)).abs() <= 1.0,
            "waited {waited} instead of {wanted}"
        );
    }
    assert_eq!(bench.client.status().attempts, 9);
}

#[test]
fn a_silent_server_is_left_after_a_minute() {
    let mut bench = Bench::new(None);
    bench.step(Event::CarrierUp);
    bench.say(ReplyKind::Offer, 600);
    let kinds: Vec<_> = (0..4).map(|_| bench.wait()[0].request.kind).collect();
    assert_eq!(
        kinds,
        [
            RequestKind::Request,
            RequestKind::Request,
            RequestKind::Request,
            RequestKind::Discover
        ]
    );
    assert!(bench.client.status().error.contains("10.0.0.1"));
}

#[test]
fn renews_with_its_server_then_with_any_and_keeps_the_address() {
    let mut bench = Bench::new(None);
    bench.bind(600);
    let sent = bench.wait();
    assert_eq!(bench.phase(), Dhcp4Phase::Renewing);
    assert!(matches!(sent[0].to, To::Server { server: SERVER, .. }));
    assert_eq!(
        sent[0].request.requested, None,
        "a renewal says its address in ciaddr alone"
    );
    while bench.phase() == Dhcp4Phase::Renewing {
        bench.wait();
    }
    assert_eq!(bench.phase(), Dhcp4Phase::Rebinding);
    assert!(bench.client.lease().is_some());
    bench.say(ReplyKind::Ack, 600);
    assert_eq!(bench.phase(), Dhcp4Phase::Bound);
}

#[test]
fn an_unanswered_lease_ends_when_it_ends() {
    let mut bench = Bench::new(None);
    bench.bind(600);
    while bench.client.lease().is_some() {
        assert!(bench.now < Duration::from_secs(700));
        bench.wait();
    }
    assert_eq!(bench.now, Duration::from_secs(700));
    assert_eq!(bench.phase(), Dhcp4Phase::Selecting);
}

#[test]
fn a_refusal_starts_over_at_once_then_slower() {
    let mut bench = Bench::new(None);
    bench.bind(600);
    bench.wait();
    bench.say(ReplyKind::Nak, 0);
    assert_eq!(
        (bench.phase(), bench.client.deadline()),
        (Dhcp4Phase::Init, Some(bench.now))
    );
    assert!(bench.client.status().error.contains("refused"));
    let mut waits = Vec::new();
    for _ in 0..3 {
        bench.wait();
        bench.say(ReplyKind::Offer, 600);
        bench.say(ReplyKind::Nak, 0);
        waits.push((bench.client.deadline().unwrap() - bench.now).as_secs());
    }
    assert_eq!(waits, [4, 8, 16]);
}

#[test]
fn a_remembered_lease_is_asked_about_and_kept_through_silence() {
    let mut bench = Bench::new(Some(remembered(50, 600)));
    assert!(bench.client.lease().is_some());
    let sent = bench.step(Event::CarrierUp);
    assert_eq!(
        (sent[0].request.kind, sent[0].request.server),
        (RequestKind::Request, None)
    );
    assert_eq!(sent[0].request.client, Ipv4Addr::UNSPECIFIED);
    while bench.phase() == Dhcp4Phase::InitReboot {
        bench.wait();
        assert!(bench.client.lease().is_some());
    }
    assert_eq!(bench.phase(), Dhcp4Phase::Bound);
    assert_eq!(bench.client.lease(), Some(&remembered(50, 600)));
}

#[test]
fn a_remembered_lease_that_is_refused_goes() {
    let mut bench = Bench::new(Some(remembered(50, 600)));
    bench.step(Event::CarrierUp);
    bench.say(ReplyKind::Nak, 0);
    assert!(bench.client.lease().is_none());
}

#[test]
fn an_endless_lease_is_left_in_peace() {
    let mut bench = Bench::new(None);
    bench.bind(u32::MAX);
    assert_eq!(bench.client.deadline(), None);
}

#[test]
fn strangers_are_not_heard() {
    let mut bench = Bench::new(None);
    bench.step(Event::CarrierUp);
    let xid = bench.client.transaction.xid;
    let mut wrong_mac = reply(ReplyKind::Offer, xid, 600);
    wrong_mac.mac = [2, 0, 0, 0, 0, 2];
    for stray in [
        reply(ReplyKind::Offer, xid ^ 1, 600),
        wrong_mac,
        reply(ReplyKind::Ack, xid, 600),
    ] {
        assert!(bench.step(Event::Reply(Box::new(stray))).is_empty());
        assert_eq!(bench.phase(), Dhcp4Phase::Selecting);
    }
    bench.say(ReplyKind::Offer, 600);
    let mut other = reply(ReplyKind::Nak, xid, 0);
    other.server = Some(Ipv4Addr::new(10, 0, 0, 66));
    bench.step(Event::Reply(Box::new(other)));
    assert_eq!(bench.phase(), Dhcp4Phase::Requesting);
}

#[test]
fn stopping_gives_the_lease_back() {
    let mut bench = Bench::new(None);
    bench.bind(600);
    let sent = bench.step(Event::Stop);
    assert_eq!(
        (sent[0].request.kind, sent[0].request.server),
        (RequestKind::Release, Some(SERVER))
    );
    assert!(bench.client.lease().is_none());
}

#[test]
fn a_lease_survives_its_resource_form() {
    let lease = remembered(50, 600);
    let kept = lease.to_resource(Dhcp4Phase::Bound);
    assert_eq!(
        Lease::from_resource(&kept, Duration::from_secs(60)),
        Some(lease)
    );
    assert_eq!(
        Lease::from_resource(&kept, Duration::from_secs(650)),
        None,
        "it is over"
    );
    assert_eq!(
        Lease::from_resource(&kept, Duration::from_secs(10)),
        None,
        "it is from before this boot"
    );
}

#[derive(Debug, Clone)]
enum Move {
    Up,
    Down,
    Wait,
    Say(ReplyKind, u32, bool),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let kind = prop_oneof![
        Just(ReplyKind::Offer),
        Just(ReplyKind::Ack),
        Just(ReplyKind::Nak)
    ];
    let say = (
        kind,
        prop_oneof![1..10_u32, 600..4000_u32, Just(u32::MAX)],
        any::<bool>(),
    );
    let any = prop_oneof![
        1 => Just(Move::Up),
        1 => Just(Move::Down),
        4 => Just(Move::Wait),
        4 => say.prop_map(|(kind, seconds, right)| Move::Say(kind, seconds, right)),
    ];
    proptest::collection::vec(any, 1..60)
}

proptest! {
    #[test]
    fn whatever_happens(moves in moves(), start in proptest::option::of(1..1000_u32)) {
        let mut bench = Bench::new(start.map(|s| remembered(99, s + 2)));
        let mut carrier = false;
        for step in moves {
            let (held, before) = (bench.client.lease().cloned(), bench.now);
            let refused = matches!(step, Move::Say(ReplyKind::Nak, _, true));
            let sent = match step {
                Move::Up => { carrier = true; bench.step(Event::CarrierUp) }
                Move::Down => { carrier = false; bench.step(Event::CarrierDown) }
                Move::Wait if bench.client.deadline().is_some() => bench.wait(),
                Move::Wait => Vec::new(),
                Move::Say(kind, seconds, true) => bench.say(kind, seconds),
                Move::Say(kind, seconds, false) => {
                    let stray = reply(kind, bench.client.transaction.xid ^ 1, seconds);
                    bench.step(Event::Reply(Box::new(stray)))
                }
            };
            // One packet at most per step, and none into a dead link: no flood.
            prop_assert!(sent.len() <= 1 && (carrier || sent.is_empty()));
            // It never uses an address beyond its time.
            prop_assert!(!bench.client.lease().is_some_and(|l| l.is_over(bench.now)));
            // It never gives one up but for a refusal or the end.
            if let (Some(held), None) = (held, bench.client.lease()) {
                prop_assert!(refused || held.is_over(bench.now));
            }
            // With a carrier it always goes on, except in an endless lease.
            let endless = bench.client.lease().is_some_and(|l| l.expires.is_none());
            prop_assert!(!carrier || endless || bench.client.deadline().is_some());
            prop_assert!(bench.now >= before);
        }
    }
}
