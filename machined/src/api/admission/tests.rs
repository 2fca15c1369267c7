//! Who goes when there are too many.

use std::net::IpAddr;

use tokio::sync::oneshot::Receiver;

use super::{Admission, Limit, Limits, Pass, Stage};

const SMALL: Limits = Limits {
    silent: Limit {
        total: 4,
        per_source: 2,
    },
    talking: Limit {
        total: 4,
        per_source: 2,
    },
    anonymous: Limit {
        total: 4,
        per_source: 2,
    },
    proven: Limit {
        total: 3,
        per_source: 2,
    },
    streams: Limit {
        total: 3,
        per_source: 2,
    },
};

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// Whether the connection has been told to end.
fn ended(receiver: &mut Receiver<()>) -> bool {
    receiver.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Closed)
}

fn admit(admission: &Admission, last: u8, stage: Stage) -> (Pass, Receiver<()>) {
    let (pass, receiver) = admission.admit(address(last)).unwrap();
    if stage != Stage::Silent {
        assert!(pass.rise(stage));
    }
    (pass, receiver)
}

#[test]
fn the_oldest_of_a_crowded_source_gives_way() {
    let admission = Admission::new(SMALL);
    let (_a, mut a) = admit(&admission, 1, Stage::Silent);
    let (_other, mut other) = admit(&admission, 2, Stage::Silent);
    let (_b, mut b) = admit(&admission, 1, Stage::Silent);
    let (_c, mut c) = admit(&admission, 1, Stage::Silent);
    assert!(ended(&mut a), "the oldest of the crowded source goes");
    assert!(!ended(&mut b) && !ended(&mut c) && !ended(&mut other));
}

#[test]
fn the_oldest_of_all_gives_way_when_every_source_is_modest() {
    let admission = Admission::new(SMALL);
    let mut all: Vec<_> = (1..=5)
        .map(|last| admit(&admission, last, Stage::Talking))
        .collect();
    assert!(ended(&mut all[0].1));
    assert!(all[1..].iter_mut().all(|(_, receiver)| !ended(receiver)));
    assert_eq!(admission.count(Stage::Talking), 4);
}

#[test]
fn a_flood_below_does_not_touch_who_rose() {
    let admission = Admission::new(SMALL);
    let (_proven, mut proven) = admit(&admission, 1, Stage::Proven);
    let (_anonymous, mut anonymous) = admit(&admission, 1, Stage::Anonymous);
    for _ in 0..1000 {
        // Kept alive by the table only, as a client that hangs on would be.
        std::mem::forget(admit(&admission, 1, Stage::Silent).0);
    }
    assert!(!ended(&mut proven) && !ended(&mut anonymous));
    assert_eq!(admission.count(Stage::Silent), 2);
}

#[test]
fn the_proven_stay_and_newcomers_are_turned_away() {
    let admission = Admission::new(SMALL);
    let (first, mut receiver) = admit(&admission, 1, Stage::Proven);
    let (_second, _) = admit(&admission, 1, Stage::Proven);
    let (third, _) = admit(&admission, 1, Stage::Talking);
    assert!(!third.rise(Stage::Proven), "too many of one source");
    let (_other, _) = admit(&admission, 2, Stage::Proven);
    let (last, _) = admit(&admission, 3, Stage::Talking);
    assert!(!last.rise(Stage::Proven), "too many in all");
    assert!(!ended(&mut receiver));
    drop(first);
    assert!(last.rise(Stage::Proven), "a place came free");
}

#[test]
fn who_was_given_up_does_not_rise_and_places_come_back() {
    let admission = Admission::new(SMALL);
    let (pass, mut receiver) = admit(&admission, 1, Stage::Silent);
    admission.give_up_oldest();
    assert!(ended(&mut receiver));
    assert!(!pass.rise(Stage::Talking));
    drop(pass);
    let (pass, mut receiver) = admit(&admission, 1, Stage::Proven);
    admission.give_up_oldest();
    assert!(!ended(&mut receiver), "the proven are not given up");
    drop(pass);
    assert_eq!(admission.count(Stage::Proven), 0);
    let (_pass, mut receiver) = admit(&admission, 1, Stage::Proven);
    admission.end_all();
    assert!(ended(&mut receiver));
}

#[test]
fn one_host_is_one_source_in_either_protocol() {
    let admission = Admission::new(SMALL);
    let admit = |text: &str| admission.admit(text.parse().unwrap()).unwrap();
    let (_a, mut a) = admit("2001:db8:0:1::1");
    let (_b, mut b) = admit("2001:db8:0:1:ffff::2");
    let (_c, mut c) = admit("2001:db8:0:2::1");
    let (_d, _) = admit("2001:db8:0:1::3");
    assert!(ended(&mut a) && !ended(&mut b) && !ended(&mut c));
    let (_e, mut e) = admit("192.0.2.1");
    let (_f, _) = admit("::ffff:192.0.2.1");
    let (_g, _) = admit("192.0.2.1");
    assert!(
        ended(&mut e) || ended(&mut b),
        "mapped addresses count as IPv4, the total as well"
    );
}
