//! Datagrams of the routing socket that no kernel would send.

use netlink::{FrameError, parse_frame};
use proptest::prelude::*;

/// A message of this type with a right length around any content.
fn framed(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + content.len()).expect("contents are short");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 10]);
    bytes.extend(content);
    bytes
}

#[test]
fn nothing_is_nothing_and_half_is_cut() {
    assert_eq!(parse_frame(&[]), Ok(vec![]));
    assert_eq!(parse_frame(&[16, 0, 0]), Err(FrameError::Cut { at: 0 }));
    let mut long = framed(16, &[0; 16]);
    long[0] = 200;
    assert_eq!(parse_frame(&long), Err(FrameError::Cut { at: 0 }));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(parse_frame(&bytes));
    }

    // 16 and 17 are links, 20 and 21 addresses, 24 and 25 routes.
    #[test]
    fn any_content_is_survived(
        kind in prop_oneof![Just(16_u16), Just(17), Just(20), Just(21), Just(24), Just(25)],
        family in prop_oneof![Just(0_u8), Just(2), Just(10), Just(28)],
        content in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut content = content;
        if let Some(first) = content.first_mut() {
            *first = family;
        }
        drop(parse_frame(&framed(kind, &content)));
    }

    // Attributes with right lengths reach deeper than noise does.
    #[test]
    fn any_attributes_are_survived(
        (kind, header) in prop_oneof![Just((16_u16, 16_usize)), Just((20, 8)), Just((24, 12))],
        family in prop_oneof![Just(2_u8), Just(10)],
        attributes in proptest::collection::vec((0..40_u16, proptest::collection::vec(any::<u8>(), 0..40)), 0..6),
    ) {
        let mut content = vec![0; header];
        content[0] = family;
        for (kind, value) in attributes {
            let length = u16::try_from(4 + value.len()).unwrap();
            content.extend(length.to_ne_bytes());
            content.extend(kind.to_ne_bytes());
            content.extend(&value);
            content.resize(content.len().next_multiple_of(4), 0);
        }
        drop(parse_frame(&framed(kind, &content)));
    }
}
