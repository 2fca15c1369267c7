//! A type with every kind of field, the same by prost, and random values of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum, SpecMessage};

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Nobody knows.
    Unknown = 0,
    /// It is up.
    Up = 2,
    /// It is on its way.
    GoingDown = -1,
}

/// A part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, SpecMessage)]
pub(crate) struct Part {
    #[field(1)]
    pub(crate) name: String,
    #[field(7)]
    pub(crate) parts: Vec<Part>,
}

/// Every kind of field, not in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "Everythings.test.example", namespace = "test")]
#[serde(rename_all = "camelCase")]
pub(crate) struct Everything {
    #[field(2)]
    pub(crate) flag: bool,
    #[field(1)]
    pub(crate) text: String,
    #[field(3)]
    pub(crate) small: u16,
    #[field(4)]
    pub(crate) medium: u32,
    #[field(5)]
    pub(crate) large: u64,
    #[field(6)]
    pub(crate) signed: i32,
    #[field(7)]
    pub(crate) wide: i64,
    #[field(8)]
    pub(crate) bytes: Vec<u8>,
    #[field(9)]
    pub(crate) numbers: Vec<i32>,
    #[field(10)]
    pub(crate) texts: Vec<String>,
    #[field(11)]
    pub(crate) labels: BTreeMap<String, String>,
    #[field(12)]
    pub(crate) state: State,
    #[field(13)]
    pub(crate) states: Vec<State>,
    #[field(14)]
    pub(crate) maybe: Option<u32>,
    #[field(15)]
    pub(crate) part: Part,
    #[field(16)]
    pub(crate) parts: Vec<Part>,
    #[field(17)]
    pub(crate) maybe_part: Option<Part>,
    #[field(20)]
    pub(crate) time: Timestamp,
    #[field(21)]
    pub(crate) span: Duration,
    #[field(22)]
    pub(crate) offset: SignedDuration,
    #[field(300)]
    pub(crate) address: IpAddr,
    #[field(301)]
    pub(crate) gateway: Option<Ipv4Addr>,
    #[field(302)]
    pub(crate) resolvers: Vec<Ipv6Addr>,
}

/// [`Part`] by prost.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TheirPart {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "7")]
    pub(crate) parts: Vec<TheirPart>,
}

/// `google.protobuf.Timestamp` and `Duration`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TheirTime {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

/// [`Everything`] by prost.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Theirs {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    #[prost(bool, tag = "2")]
    pub(crate) flag: bool,
    #[prost(uint32, tag = "3")]
    pub(crate) small: u32,
    #[prost(uint32, tag = "4")]
    pub(crate) medium: u32,
    #[prost(uint64, tag = "5")]
    pub(crate) large: u64,
    #[prost(int32, tag = "6")]
    pub(crate) signed: i32,
    #[prost(int64, tag = "7")]
    pub(crate) wide: i64,
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) bytes: Vec<u8>,
    #[prost(int32, repeated, tag = "9")]
    pub(crate) numbers: Vec<i32>,
    #[prost(string, repeated, tag = "10")]
    pub(crate) texts: Vec<String>,
    #[prost(btree_map = "string, string", tag = "11")]
    pub(crate) labels: BTreeMap<String, String>,
    #[prost(int32, tag = "12")]
    pub(crate) state: i32,
    #[prost(int32, repeated, tag = "13")]
    pub(crate) states: Vec<i32>,
    #[prost(uint32, optional, tag = "14")]
    pub(crate) maybe: Option<u32>,
    #[prost(message, optional, tag = "15")]
    pub(crate) part: Option<TheirPart>,
    #[prost(message, repeated, tag = "16")]
    pub(crate) parts: Vec<TheirPart>,
    #[prost(message, optional, tag = "17")]
    pub(crate) maybe_part: Option<TheirPart>,
    #[prost(message, optional, tag = "20")]
    pub(crate) time: Option<TheirTime>,
    #[prost(message, optional, tag = "21")]
    pub(crate) span: Option<TheirTime>,
    #[prost(message, optional, tag = "22")]
    pub(crate) offset: Option<TheirTime>,
    #[prost(string, tag = "300")]
    pub(crate) address: String,
    #[prost(string, optional, tag = "301")]
    pub(crate) gateway: Option<String>,
    #[prost(string, repeated, tag = "302")]
    pub(crate) resolvers: Vec<String>,
}

pub(crate) fn number(state: State) -> i32 {
    match state {
        State::Unknown => 0,
        State::Up => 2,
        State::GoingDown => -1,
    }
}

impl From<&Part> for TheirPart {
    fn from(part: &Part) -> Self {
        Self {
            name: part.name.clone(),
            parts: part.parts.iter().map(Self::from).collect(),
        }
    }
}

impl From<&Everything> for Theirs {
    fn from(ours: &Everything) -> Self {
        let text = |address: &dyn ToString| address.to_string();
        let nanos = |n: u32| i32::try_from(n).expect("less than a second");
        let time = ours.time.as_nanosecond();
        let (seconds, rest) = (
            time.div_euclid(1_000_000_000),
            time.rem_euclid(1_000_000_000),
        );
        Self {
            text: ours.text.clone(),
            flag: ours.flag,
            small: ours.small.into(),
            medium: ours.medium,
            large: ours.large,
            signed: ours.signed,
            wide: ours.wide,
            bytes: ours.bytes.clone(),
            numbers: ours.numbers.clone(),
            texts: ours.texts.clone(),
            labels: ours.labels.clone(),
            state: number(ours.state),
            states: ours.states.iter().copied().map(number).collect(),
            maybe: ours.maybe,
            part: Some((&ours.part).into()),
            parts: ours.parts.iter().map(TheirPart::from).collect(),
            maybe_part: ours.maybe_part.as_ref().map(TheirPart::from),
            time: (time != 0).then(|| TheirTime {
                seconds: seconds.try_into().expect("jiff's range"),
                nanos: rest.try_into().expect("less than a second"),
            }),
            span: (!ours.span.is_zero()).then(|| TheirTime {
                seconds: ours.span.as_secs().try_into().expect("generated so"),
                nanos: nanos(ours.span.subsec_nanos()),
            }),
            offset: (!ours.offset.is_zero()).then(|| TheirTime {
                seconds: ours.offset.as_secs(),
                nanos: ours.offset.subsec_nanos(),
            }),
            address: text(&ours.address),
            gateway: ours.gateway.map(|gateway| gateway.to_string()),
            resolvers: ours.resolvers.iter().map(|r| text(r)).collect(),
        }
    }
}

pub(crate) fn states() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Unknown),
        Just(State::Up),
        Just(State::GoingDown)
    ]
}

pub(crate) fn texts() -> impl Strategy<Value = String> {
    // Text that YAML likes to misread is worth more than random characters.
    prop_oneof![
        any::<String>().prop_filter("YAML has no such text", |text| yaml_text(text)),
        prop::sample::select(vec![
            "", "no", "007", "1e3", "- a", "a: b", "null", "\n", " x ", "#"
        ])
        .prop_map(str::to_owned),
    ]
}

/// The reader turns other line breaks into plain ones inside some styles, as YAML says.
pub(crate) fn yaml_text(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || c == '\n')
}

pub(crate) fn parts() -> impl Strategy<Value = Part> {
    let leaf = texts().prop_map(|name| Part {
        name,
        parts: Vec::new(),
    });
    leaf.prop_recursive(3, 8, 3, |inner| {
        (texts(), prop::collection::vec(inner, 0..3)).prop_map(|(name, parts)| Part { name, parts })
    })
}

prop_compose! {
    fn scalars()(
        text in texts(), flag: bool, small: u16, medium: u32, large: u64, signed: i32, wide: i64,
        bytes: Vec<u8>, maybe: Option<u32>, state in states(),
    ) -> Everything {
        Everything {
            flag, text, small, medium, large, signed, wide, bytes, maybe, state,
            numbers: Vec::new(), texts: Vec::new(), labels: BTreeMap::new(), states: Vec::new(),
            part: Part { name: String::new(), parts: Vec::new() }, parts: Vec::new(), maybe_part: None,
            time: Timestamp::UNIX_EPOCH, span: Duration::ZERO, offset: SignedDuration::ZERO,
            address: Ipv4Addr::LOCALHOST.into(), gateway: None, resolvers: Vec::new(),
        }
    }
}

prop_compose! {
    pub(crate) fn everything()(
        scalars in scalars(), numbers: Vec<i32>, texts in prop::collection::vec(texts(), 0..4),
        labels in prop::collection::btree_map(texts(), texts(), 0..4),
        states in prop::collection::vec(states(), 0..4), part in parts(),
        parts in prop::collection::vec(parts(), 0..3), maybe_part in prop::option::of(parts()),
        seconds in -62_135_596_800i64..253_402_207_200, nanos in 0i32..1_000_000_000,
        span in (0u64..1 << 62, 0u32..1_000_000_000), offset in (-(1i64 << 62)..1 << 62, 0i32..1_000_000_000),
        address: IpAddr, gateway: Option<Ipv4Addr>, resolvers: Vec<Ipv6Addr>,
    ) -> Everything {
        Everything {
            numbers, texts, labels, states, part, parts, maybe_part,
            time: Timestamp::new(seconds, nanos).expect("in range"),
            span: Duration::new(span.0, span.1),
            offset: SignedDuration::new(offset.0, offset.1 * i32::try_from(offset.0.signum()).expect("a sign")),
            address, gateway, resolvers,
            ..scalars
        }
    }
}
