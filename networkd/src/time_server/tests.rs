//! The client against servers that are good, slow, silent, hostile and drifting.

use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;
use resources::net::{LeapSecond, TimeServerPhase};
use sys::clock::Moment;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const NANOS: i64 = 1_000_000_000;

/// A client, its two clocks, and a server whose clock is ahead of the counter by `ahead` and runs off by `drift` parts per billion.
struct Talk {
    client: Client,
    now: Moment,
    ahead: i64,
    drift: i64,
    way: Duration,
    asked: u32,
}

impl Talk {
    fn new() -> Self {
        let now = Moment {
            raw: SECOND * 100,
            boot: SECOND * 100,
        };
        Self {
            client: Client::new(now.boot),
            now,
            ahead: 1_800_000_000 * NANOS,
            drift: 0,
            way: Duration::from_millis(5),
            asked: 0,
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now.raw += time;
        self.now.boot += time;
    }

    fn happens(&mut self, event: Event) -> bool {
        let asks = self.client.step(self.now, event, 7);
        self.asked += u32::from(asks);
        asks
    }

    /// Time passes until something is due; whether it was a question, and how long it took.
    fn due(&mut self) -> (bool, Duration) {
        let at = self.client.deadline().expect("it goes on");
        let wait = at.saturating_sub(self.now.boot);
        self.pass(wait);
        (self.happens(Event::Tick), wait)
    }

    fn hears(&mut self, reply: Result<Reply, PacketError>) {
        let heard = Heard {
            reply,
            at: self.now,
            frequency: 0,
        };
        assert!(!self.happens(Event::Heard(heard)), "it asks at once");
    }

    fn server(&self) -> i64 {
        let raw = i64::try_from(self.now.raw.as_nanos()).unwrap();
        self.ahead + raw + raw / NANOS * self.drift
    }

    /// The server answers the question under way.
    fn answer(&mut self) {
        self.pass(self.way);
        let at = self.server();
        self.pass(self.way);
        self.hears(Ok(Reply::Time(Answer {
            received: at,
            sent: at,
            distance: Duration::from_millis(1),
            stratum: 1,
            reference: "GPS".to_owned(),
            leap: LeapSecond::None,
        })));
    }

    /// One question and its answer; how long it took until it was asked.
    fn round(&mut self) -> Duration {
        let (asks, wait) = self.due();
        assert!(asks);
        self.answer();
        wait
    }

    fn phase(&self) -> TimeServerPhase {
        self.client.status().phase
    }
}

#[test]
fn an_answer_says_what_the_servers_clock_showed_when_it_came() {
    let mut talk = Talk::new();
    talk.round();
    let status = talk.client.status();
    let [sample] = &status.samples[..] else {
        panic!("{status:?}")
    };
    assert_eq!(sample.server_nanos, talk.server());
    assert_eq!(sample.delay_nanos, 10_000_000);
    assert_eq!(u128::from(sample.raw_nanos), talk.now.raw.as_nanos());
    assert_eq!(status.phase, TimeServerPhase::Answering);
    assert_eq!((status.stratum, &*status.reference), (1, "GPS"));
}

#[test]
fn a_steady_server_is_asked_ever_less_and_a_running_off_one_is_not() {
    let mut talk = Talk::new();
    let waits: Vec<u64> = (0..40).map(|_| talk.round().as_secs()).collect();
    assert_eq!(waits[..5], [0, 2, 2, 2, 32]);
    let mut sorted = waits[1..].to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, waits[1..], "never more often");
    assert_eq!(waits.last(), Some(&1024), "{waits:?}");
    assert_eq!(talk.client.status().samples.len(), 8);

    // Now its clock jumps by a second at every answer.
    let waits: Vec<u64> = (0..8)
        .map(|_| {
            talk.ahead += NANOS;
            talk.round().as_secs()
        })
        .collect();
    assert_eq!(waits.last(), Some(&32), "{waits:?}");
}

#[test]
fn the_counters_own_speed_keeps_the_questions_close_until_it_is_known() {
    let mut talk = Talk::new();
    // 100 millionths: within what quartz does, and 3 ms in 32 s, which a server nearby lets one see.
    talk.drift = 100_000;
    talk.way = Duration::from_micros(100);
    let waits: Vec<Duration> = (0..20).map(|_| talk.round()).collect();
    assert!(waits.iter().all(|it| it.as_secs() <= 32), "{waits:?}");
}

#[test]
fn silence_is_met_with_patience() {
    let mut talk = Talk::new();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let (asks, wait) = talk.due();
        assert!(asks);
        waits.push(wait.as_secs());
        let (asks, patience) = talk.due();
        assert!(!asks);
        assert_eq!(patience, SECOND * 2);
    }
    assert_eq!(
        waits,
        [0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024]
    );
    assert_eq!(talk.phase(), TimeServerPhase::Silent);
    assert_eq!(talk.client.status().unanswered, 12);

    // The network comes: it is asked soon, and when it answers, quickly again.
    talk.happens(Event::Wake);
    assert!(talk.round() <= SECOND * 2);
    assert_eq!(talk.client.status().unanswered, 0);
    assert_eq!(talk.round(), SECOND * 2);
}

#[test]
fn what_anybody_may_send_does_not_end_the_wait() {
    let mut talk = Talk::new();
    assert!(talk.due().0);
    for error in [
        PacketError::Unasked,
        PacketError::Foreign,
        PacketError::Short,
    ] {
        talk.hears(Err(error));
        assert!(talk.client.is_waiting(), "{error}");
    }
    talk.answer();
    assert_eq!(talk.phase(), TimeServerPhase::Answering);
    // The same answer once more.
    talk.answer();
    assert_eq!(talk.client.status().samples.len(), 1);
}

#[test]
fn an_answer_from_before_the_question_counts_for_nothing() {
    let mut talk = Talk::new();
    assert!(talk.due().0);
    let sent = talk.server();
    talk.hears(Ok(Reply::Time(Answer {
        received: sent - 5 * NANOS,
        sent,
        distance: Duration::ZERO,
        stratum: 1,
        reference: String::new(),
        leap: LeapSecond::None,
    })));
    assert!(talk.client.status().samples.is_empty());
    assert_eq!(talk.phase(), TimeServerPhase::Silent);
}

#[test]
fn a_server_that_wants_to_be_asked_less_is() {
    let mut talk = Talk::new();
    for _ in 0..4 {
        talk.round();
    }
    assert!(talk.due().0);
    talk.hears(Ok(Reply::Kiss(Kiss::Slower)));
    let mut waits = vec![talk.round()];
    // Not even silence or a wake makes us hurry.
    assert!(talk.due().0);
    assert!(!talk.due().0);
    waits.push(talk.round());
    talk.happens(Event::Wake);
    waits.push(talk.round());
    assert!(waits.iter().all(|it| it.as_secs() >= 62), "{waits:?}");
}

#[test]
fn a_server_that_forbids_it_is_never_asked_again() {
    let mut talk = Talk::new();
    assert!(talk.due().0);
    talk.hears(Ok(Reply::Kiss(Kiss::Never)));
    assert_eq!(talk.phase(), TimeServerPhase::Denied);
    talk.happens(Event::Wake);
    assert_eq!(talk.client.deadline(), None);
    assert!(!talk.happens(Event::Tick));
}

fn events() -> impl Strategy<Value = Event> {
    let kiss = prop_oneof![Just(Kiss::Slower), Just(Kiss::Other("INIT".to_owned()))];
    let answer = (any::<i64>(), any::<i64>(), any::<u32>()).prop_map(|(received, sent, far)| {
        Reply::Time(Answer {
            received,
            sent,
            distance: Duration::from_nanos(far.into()),
            stratum: 3,
            reference: Ipv4Addr::LOCALHOST.to_string(),
            leap: LeapSecond::Insert,
        })
    });
    let heard = prop_oneof![kiss.prop_map(Reply::Kiss), answer].prop_map(|reply| {
        Event::Heard(Heard {
            reply: Ok(reply),
            at: Moment::default(),
            frequency: 0,
        })
    });
    prop_oneof![
        4 => Just(Event::Tick),
        4 => heard,
        1 => Just(Event::Lost("unreachable".to_owned())),
        1 => Just(Event::Wake),
    ]
}

proptest! {
    /// Whatever it is told, a client neither ends nor hurries: four questions within a burst, then half a minute.
    #[test]
    fn no_server_is_ever_pestered(
        events in prop::collection::vec((events(), 0..3u64), 1..400),
        base in 0..1_000_000u64,
    ) {
        let mut talk = Talk::new();
        talk.now.raw += Duration::from_millis(base);
        let mut asked: Vec<Duration> = Vec::new();
        for (event, ahead) in events {
            match event {
                Event::Tick => {
                    let due = talk.client.deadline().unwrap();
                    let wait = due.saturating_sub(talk.now.boot);
                    talk.pass(wait + SECOND * u32::try_from(ahead).unwrap());
                    if talk.happens(Event::Tick) {
                        asked.push(talk.now.boot);
                    }
                }
                Event::Heard(heard) => {
                    talk.pass(Duration::from_millis(ahead));
                    talk.hears(heard.reply);
                }
                other => {
                    talk.happens(other);
                }
            }
            prop_assert!(talk.client.deadline().is_some());
        }
        for gap in asked.windows(2) {
            prop_assert!(gap[1] - gap[0] >= SECOND * 2);
        }
        // Nine questions in a row are more than two bursts.
        for many in asked.windows(10) {
            prop_assert!(many[9] - many[0] >= SECOND * 16, "{many:?}");
        }
    }
}
