//! Shell patterns as they stand in `modules.alias`.
//!
//! Owns: matching. `-` and `_` are the same letter, as everywhere in module names.

/// Whether `text` matches `pattern` with its `*`, `?`, `[a-f]`, `[!x]` and `\`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and how much text it has swallowed: the only thing to come back to.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if let Some(used) = one(pattern.get(p..).unwrap_or_default(), *byte) {
            p += used;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            star = Some((star_p, star_t + 1));
            p = star_p + 1;
            t = star_t + 1;
        } else {
            return false;
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

/// How many bytes of the pattern match this one byte of text.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', set @ ..] => class(set, byte).map(|used| used + 1),
        [b'\\', literal, ..] => (fold(*literal) == fold(byte)).then_some(2),
        [literal, ..] => (fold(*literal) == fold(byte)).then_some(1),
        [] => None,
    }
}

/// How many bytes a class takes with its `]`, when the byte is in it.
fn class(set: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(set.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    // A `]` directly at the start is a member.
    let length = set
        .get(start + 1..)?
        .iter()
        .position(|byte| *byte == b']')?
        + 1;
    let mut members = set.get(start..start + length)?;
    let mut found = false;
    while let Some((first, rest)) = members.split_first() {
        if let [b'-', last, tail @ ..] = rest {
            found |= (*first..=*last).contains(&byte);
            members = tail;
        } else {
            found |= *first == byte;
            members = rest;
        }
    }
    (found != negated).then_some(start + length + 1)
}

fn fold(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches_what_drivers_say() {
        let yes = [
            (
                "pci:v00001AF4d*sv*sd*bc*sc*i*",
                "pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00",
            ),
            ("virtio:d00000002v*", "virtio:d00000002v00001AF4"),
            (
                "usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*",
                "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00",
            ),
            ("acpi*:PNP0C0A:*", "acpi:PNP0C0A:"),
            ("x[0-9a-f]y", "xby"),
            ("x[!0-9]y", "x-y"),
            ("x[]a]y", "x]y"),
            ("a\\*b", "a*b"),
            ("net-pf-10", "net_pf_10"),
            ("*", ""),
            ("a**b*", "ab"),
        ];
        for (pattern, text) in yes {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        let no = [
            ("a", ""),
            ("", "a"),
            ("a?", "a"),
            ("x[0-9]y", "xay"),
            ("x[0-9", "x0"),
            ("a*b", "abc"),
            ("\\", "a"),
        ];
        for (pattern, text) in no {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn plain_text_matches_only_itself(a in "[a-z:0-9]{0,8}", b in "[a-z:0-9]{0,8}") {
            prop_assert_eq!(matches(&a, &b), a == b);
        }

        #[test]
        fn a_star_matches_what_it_stands_for(a in "[ab]{0,5}", b in "[ab]{0,5}", c in "[ab]{0,5}") {
            let pattern = format!("{a}*{c}");
            let text = format!("{a}{b}{c}");
            prop_assert!(matches(&pattern, &text));
        }

        #[test]
        fn any_pattern_ends(pattern in "[\\[\\]*?\\\\a!-]{0,30}", text in "[a\\]-]{0,30}") {
            let _ = matches(&pattern, &text);
        }
    }
}
