//! The codec against another implementation of protobuf, against itself, and against nonsense.

mod everything;

use everything::{Everything, Part, State, Theirs, everything};
use jiff::Timestamp;
use proptest::prelude::*;
use prost::Message as _;
use store::codec::{DecodeError, Message};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_and_back(ours in everything()) {
        let bytes = ours.encode_to_vec();
        prop_assert_eq!(&Everything::decode(&bytes).expect("its own bytes"), &ours);
    }

    #[test]
    fn the_same_bytes_as_prost(ours in everything()) {
        let theirs = Theirs::from(&ours);
        prop_assert_eq!(Message::encode_to_vec(&ours), theirs.encode_to_vec());
    }

    #[test]
    fn yaml_and_back(ours in everything()) {
        let spec = store::ErasedSpec::new(ours.clone());
        let yaml = spec.yaml().expect("yaml").to_owned();
        let mut registry = store::Registry::new();
        registry.register::<Everything>().expect("a valid type");
        let back = registry.from_yaml("Everythings.test.example", &yaml).expect("known");
        let back = back.expect(&yaml);
        prop_assert_eq!(back.get::<Everything>(), Some(&ours));
    }

    #[test]
    fn nonsense_is_an_error_or_a_value(bytes: Vec<u8>) {
        if let Ok(value) = Everything::decode(&bytes) {
            let again = Everything::decode(&value.encode_to_vec()).expect("its own bytes");
            prop_assert_eq!(again, value);
        }
    }

    #[test]
    fn damaged_bytes_are_an_error_or_a_value(ours in everything(), at: prop::sample::Index, byte: u8, cut: bool) {
        let mut bytes = ours.encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        if let Ok(value) = Everything::decode(&bytes) {
            let again = Everything::decode(&value.encode_to_vec()).expect("its own bytes");
            prop_assert_eq!(again, value);
        }
    }
}

/// The least that [`Everything`] can be read from: only the address has no zero.
fn least() -> Vec<u8> {
    let theirs = Theirs {
        address: "::1".to_owned(),
        ..Theirs::default()
    };
    theirs.encode_to_vec()
}

fn with(extra: &[u8]) -> Result<Everything, DecodeError> {
    Everything::decode(&[least().as_slice(), extra].concat())
}

/// What went wrong, without where.
fn reason(error: DecodeError) -> (Option<&'static str>, DecodeError) {
    match error {
        DecodeError::Field { field, source, .. } => (Some(field), *source),
        other => (None, other),
    }
}

#[test]
fn what_is_left_out_is_zero() {
    let value = with(&[]).expect("enough");
    assert_eq!(value.state, State::Unknown);
    assert_eq!(
        (value.medium, value.maybe, value.time),
        (0, None, Timestamp::UNIX_EPOCH)
    );
    assert!(value.part.name.is_empty() && value.labels.is_empty());
}

#[test]
fn zeroes_are_left_out_but_not_inside_an_option() {
    let mut value = with(&[]).expect("enough");
    let plain = value.encode_to_vec();
    value.maybe = Some(0);
    assert_eq!(value.encode_to_vec().len(), plain.len() + 2);
    assert_eq!(with(&[14 << 3, 0]).expect("enough").maybe, Some(0));
}

#[test]
fn unknown_fields_are_skipped() {
    // Number 40 as varint, fixed64, bytes, group with a field inside, fixed32.
    let key = |wire: u8| [0xc0 | wire, 0x02];
    let mut extra = Vec::new();
    extra.extend(key(0));
    extra.push(5);
    extra.extend(key(1));
    extra.extend([0; 8]);
    extra.extend(key(2));
    extra.extend([2, 9, 9]);
    extra.extend(key(3));
    extra.extend([8, 1]);
    extra.extend(key(4));
    extra.extend(key(5));
    extra.extend([0; 4]);
    assert_eq!(with(&extra).expect("skipped"), with(&[]).expect("enough"));
}

#[test]
fn packed_and_unpacked_numbers_are_read() {
    let value = with(&[9 << 3, 1, 9 << 3 | 2, 2, 2, 3, 9 << 3, 4]).expect("numbers");
    assert_eq!(value.numbers, [1, 2, 3, 4]);
}

#[test]
fn the_last_of_several_wins() {
    assert_eq!(with(&[4 << 3, 1, 4 << 3, 2]).expect("numbers").medium, 2);
}

#[test]
fn what_has_no_meaning_is_an_error_that_names_the_field() {
    let refused = |extra: &[u8]| reason(with(extra).expect_err("no meaning"));
    assert!(matches!(
        refused(&[12 << 3, 1]),
        (
            Some("state"),
            DecodeError::UnknownVariant {
                name: "State",
                number: 1
            }
        )
    ));
    assert!(matches!(
        refused(&[3 << 3, 0x80, 0x80, 0x04]),
        (Some("small"), DecodeError::Range { number: 65_536, .. })
    ));
    assert!(matches!(
        refused(&[1 << 3 | 2, 1, 0xff]),
        (Some("text"), DecodeError::Utf8(_))
    ));
    assert!(matches!(
        refused(&[1 << 3, 1]),
        (Some("text"), DecodeError::WireType { .. })
    ));
    assert!(matches!(
        refused(&[1 << 3 | 2, 9, b'x']),
        (Some("text"), DecodeError::Truncated)
    ));
    // 301 as a key: bytes "no".
    assert!(matches!(
        refused(&[0xea, 0x12, 2, b'n', b'o']),
        (Some("gateway"), DecodeError::Text { .. })
    ));
    assert!(matches!(
        reason(Everything::decode(&[]).expect_err("no address")),
        (Some("address"), DecodeError::Missing)
    ));
    assert!(matches!(
        refused(&[0, 1]),
        (None, DecodeError::Malformed(_))
    ));
}

#[test]
fn messages_nest_to_a_limit() {
    let nested = |depth: usize| {
        let mut part = Part {
            name: "leaf".to_owned(),
            parts: Vec::new(),
        };
        for _ in 0..depth {
            part = Part {
                name: String::new(),
                parts: vec![part],
            };
        }
        Part::decode(&part.encode_to_vec())
    };
    assert!(nested(100).is_ok());
    let mut error = nested(101).expect_err("too deep");
    while let DecodeError::Field { source, .. } = error {
        error = *source;
    }
    assert!(matches!(error, DecodeError::TooDeep));
}

#[test]
fn a_recursive_type_has_a_finite_schema() {
    let mut registry = store::Registry::new();
    registry.register::<Everything>().expect("a valid type");
    let schema = registry.schema();
    for row in [
        "Everythings.test.example 1 text single string",
        "Everythings.test.example 9 numbers repeated int32",
        "Everythings.test.example 11 labels map string,string",
        "Everythings.test.example 12 state single enum State",
        "Everythings.test.example 17 maybe_part optional message Part",
        "Everythings.test.example 20 time single timestamp",
        "Everythings.test.example 300 address single string",
        "Everythings.test.example/Part 7 parts repeated message Part",
        "Everythings.test.example/State -1 GoingDown enum number",
    ] {
        assert!(schema.lines().any(|line| line == row), "{row}\n{schema}");
    }
    assert_eq!(store::schema::check(&schema, &schema), []);
}
