//! DHCPv4 from the wire: packets, messages, and a client that an adversary speaks to.

use std::net::IpAddr;
use std::time::Duration;

use networkd::dhcp4::{
    Client, Event, Lease, Mac, Reply, ReplyKind, Send, Terms, build, parse_frame, parse_reply,
};

use super::bytes;

const PORT: u16 = 68;
const MAC: Mac = [2, 0, 0, 0, 0, 1];
/// Ticks of one moment after which a client must wait for time to pass: one may end a lease, the next begin anew.
const TICKS_AT_ONCE: usize = 4;

pub(super) fn run(data: &[u8]) {
    if let Ok(reply) = parse_reply(data) {
        sane(&reply);
    }
    if let Ok((from, payload)) = parse_frame(data, PORT) {
        assert!(payload.len() + 28 <= data.len());
        let to = "255.255.255.255:68".parse().expect("an address and a port");
        let packet = build(from, to, payload).expect("it came in one packet");
        assert_eq!(parse_frame(&packet, PORT), Ok((from, payload)));
        if let Ok(reply) = parse_reply(payload) {
            sane(&reply);
        }
    }
    converse(data);
}

/// What a lease is made of is usable, whatever the server wrote.
fn sane(reply: &Reply) {
    let Some(terms) = &reply.terms else {
        assert_eq!(reply.kind, ReplyKind::Nak);
        return;
    };
    assert_ne!(reply.kind, ReplyKind::Nak);
    assert!(reply.server.is_some(), "an offer of nobody");
    let IpAddr::V4(address) = terms.address.address() else {
        unreachable!("DHCPv4 gives IPv4");
    };
    assert!(!address.is_unspecified() && !address.is_multicast() && !address.is_loopback());
    assert!(!address.is_broadcast() && terms.seconds > 0);
    for hosts in [&terms.routers, &terms.resolvers, &terms.time_servers] {
        let mut once = hosts.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), hosts.len(), "the same host twice");
    }
    for name in [&terms.domain, &terms.hostname] {
        let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b".-".contains(&it);
        assert!(
            name.len() <= 253 && name.bytes().all(plain),
            "{name:?} is no name"
        );
    }
    assert!(!terms.hostname.contains('.'));
    assert!(terms.mtu.is_none_or(|it| (576..=65_535).contains(&it)));
}

/// A client, the clock, and what it asked last.
struct Talk {
    client: Client,
    now: Duration,
    asked: u32,
    seed: u32,
}

/// The input as a script of what happens to a client.
fn converse(mut script: &[u8]) {
    let mut talk = Talk {
        client: Client::new(MAC, None),
        now: Duration::from_secs(1),
        asked: 0,
        seed: 7,
    };
    talk.happens(Event::CarrierUp);
    while !script.is_empty() {
        let event = match bytes::first(&mut script) % 8 {
            0 => Event::CarrierUp,
            1 => Event::CarrierDown,
            2 => {
                let seconds = u64::from(bytes::number(&mut script) >> 4);
                talk.now += Duration::from_secs(seconds);
                Event::Tick
            }
            3 | 4 => {
                talk.pass();
                continue;
            }
            5 => match parse_reply(bytes::piece(&mut script)) {
                Ok(reply) => Event::Reply(Box::new(Reply {
                    xid: talk.asked,
                    mac: MAC,
                    ..reply
                })),
                Err(_) => continue,
            },
            6 => Event::Reply(Box::new(talk.reply(&mut script))),
            _ => {
                talk.restart();
                continue;
            }
        };
        talk.happens(event);
    }
    talk.happens(Event::Stop);
    assert!(
        talk.client.lease().is_none(),
        "a stopped client holds a lease"
    );
}

impl Talk {
    fn happens(&mut self, event: Event) {
        let ticked = event == Event::Tick;
        let seed = &mut self.seed;
        let mut chance = || {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *seed
        };
        let said = self.client.step(self.now, event, &mut chance);
        assert!(said.len() <= 1, "more than one packet at once");
        for Send { request, .. } in said {
            assert_eq!(request.mac, MAC);
            assert!((300..=576).contains(&request.encode().len()));
            self.asked = request.xid;
        }
        if ticked {
            let over = self.client.lease().is_some_and(|it| it.is_over(self.now));
            assert!(!over, "a lease is held beyond its end");
        }
    }

    /// Time passes until something is due, and then it is done: no moment is due for ever.
    fn pass(&mut self) {
        let Some(due) = self.client.deadline() else {
            return;
        };
        self.now = self.now.max(due);
        for _ in 0..TICKS_AT_ONCE {
            self.happens(Event::Tick);
            if self.client.deadline().is_none_or(|it| it > self.now) {
                return;
            }
        }
        unreachable!("the client spins");
    }

    /// An answer to the last question, from one of four servers.
    fn reply(&self, script: &mut &[u8]) -> Reply {
        let which = bytes::first(script);
        let kind = match which & 3 {
            0 => ReplyKind::Nak,
            1 => ReplyKind::Offer,
            _ => ReplyKind::Ack,
        };
        let terms = Terms {
            address: "10.0.0.9/24".parse().expect("a subnet"),
            seconds: bytes::number(script).max(1),
            renew: (which & 4 != 0).then(|| bytes::number(script)),
            rebind: (which & 8 != 0).then(|| bytes::number(script)),
            ..Terms::default()
        };
        Reply {
            kind,
            xid: self.asked,
            mac: MAC,
            server: Some([10, 0, 0, 1 + (which >> 6)].into()),
            terms: (kind != ReplyKind::Nak).then(|| Box::new(terms)),
        }
    }

    /// The process dies and comes back with what was remembered.
    fn restart(&mut self) {
        let held = self.client.lease().cloned();
        let kept = Lease::from_resource(&self.client.status(), self.now);
        if let Some(held) = held.filter(|it| !it.is_over(self.now)) {
            let kept = kept
                .as_ref()
                .map(|it| (it.address(), it.server, it.terms.address));
            let held = Some((held.address(), held.server, held.terms.address));
            // Times are remembered in whole seconds, so a lease may end up to one earlier.
            let soon = self.client.lease().and_then(|it| it.expires);
            let ends = soon.is_some_and(|it| it.as_secs() <= self.now.as_secs());
            assert!(kept == held || ends, "{held:?} came back as {kept:?}");
        }
        self.client = Client::new(MAC, kept);
        self.happens(Event::CarrierUp);
    }
}
