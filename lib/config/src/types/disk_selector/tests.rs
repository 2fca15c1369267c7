//! What selectors mean, and what is said of those that mean nothing.

use proptest::prelude::*;

use super::*;

const DISK: DiskFacts<'_> = DiskFacts {
    name: "nvme0n1",
    size: 1_920_383_410_176,
    model: "SAMSUNG MZQL21T9HCJR",
    serial: "S64GNE0R123456",
    wwid: "eui.36344730523001230025384500000001",
    bus_path: "0000:01:00.0",
    bus: DiskBus::Nvme,
    rotational: false,
    removable: false,
};

const TURNING: DiskFacts<'_> = DiskFacts {
    name: "sda",
    size: 1 << 40,
    model: r#"Bob's "best" \ disk"#,
    serial: "",
    wwid: "",
    bus_path: "",
    bus: DiskBus::Usb,
    rotational: true,
    removable: true,
};

fn fits(selector: &str, disk: &DiskFacts<'_>) -> bool {
    let read = selector.parse::<DiskSelector>();
    read.unwrap_or_else(|it| panic!("{selector}: {it}"))
        .fits(disk)
}

/// Selectors, and whether each of the two disks is meant.
const MEANINGS: &[(&str, [bool; 2])] = &[
    (
        r#"size >= 100GiB && bus == "nvme" && !rotational"#,
        [true, false],
    ),
    (r#"serial == "S64GNE0R123456""#, [true, false]),
    (r#"serial == "s64gne0r123456""#, [false, false]),
    (r#"serial == """#, [false, true]),
    (r#"serial != """#, [true, false]),
    ("serial=='S64GNE0R123456'", [true, false]),
    (r#"model == "Bob's \"best\" \\ disk""#, [false, true]),
    (r#"model == 'Bob\'s "best" \\ disk'"#, [false, true]),
    (r#"model.startsWith("SAMSUNG ")"#, [true, false]),
    (r#"wwid.endsWith("0001")"#, [true, false]),
    (r#"model . contains ( "b" )"#, [false, true]),
    (r#"!model.contains("b")"#, [true, false]),
    (r#"bus_path == "0000:01:00.0""#, [true, false]),
    (r#"name == "sda""#, [false, true]),
    (r#"bus != "nvme""#, [false, true]),
    ("size == 1TiB", [false, true]),
    ("size != 1TiB", [true, false]),
    ("size < 1920383410176B", [false, true]),
    ("size <= 1920383410176B", [true, true]),
    ("size > 1TiB", [true, false]),
    ("size >= 1TiB", [true, true]),
    ("size > 1100GB", [true, false]),
    (
        "size > 1000000000KB && size < 2000000MB && size < 2TB",
        [true, true],
    ),
    (
        "size == 1073741824KiB && size == 1048576MiB && size == 1024GiB",
        [false, true],
    ),
    ("size < 16777215TiB", [true, true]),
    ("rotational", [false, true]),
    ("!removable", [true, false]),
    ("!!rotational", [false, true]),
    ("rotational == true", [false, true]),
    ("rotational == false", [true, false]),
    ("rotational != false", [false, true]),
    ("!(size > 1TiB)", [false, true]),
    // `&&` binds before `||`.
    ("rotational || size > 0B && size < 1B", [false, true]),
    ("(rotational || size > 0B) && size < 1B", [false, false]),
    ("removable && rotational || size > 1TiB", [true, true]),
    ("  size > 1TiB \n  && !rotational\n", [true, false]),
];

#[test]
fn selectors_mean_what_they_say() {
    for (selector, expected) in MEANINGS {
        let found = [DISK, TURNING].map(|disk| fits(selector, &disk));
        assert_eq!(found, *expected, "{selector}");
    }
}

#[test]
fn a_selector_stays_as_it_was_written() {
    let text = "  size>1TiB   &&( !rotational )\n";
    let selector: DiskSelector = text.parse().unwrap();
    assert_eq!(selector.to_string(), text.trim());
    assert_eq!(selector.as_str().parse(), Ok(selector));
}

const REFUSALS: &[(&str, &str)] = &[
    (
        "",
        "a disk selector must not be empty; `size > 0B` fits every disk with a medium",
    ),
    (
        " \n",
        "a disk selector must not be empty; `size > 0B` fits every disk with a medium",
    ),
    (
        "seril == \"a\"",
        "column 1: unknown field `seril`; did you mean `serial`?",
    ),
    (
        "!transport",
        "column 2: unknown field `transport`; known: size, name, model, serial, wwid, bus, bus_path, rotational, removable",
    ),
    (
        "disk.size > 1TB",
        "column 1: unknown field `disk`; a field stands alone: `size`, not `disk.size`",
    ),
    (
        "size > 1TB && Rotational",
        "column 15: unknown field `Rotational`; did you mean `rotational`?",
    ),
    (
        "size > 100",
        "column 8: `100` is no size: a whole number with its unit right behind it, B, KB, MB, GB, TB, KiB, MiB, GiB, TiB",
    ),
    (
        "size > 100 GiB",
        "column 8: `100` is no size: a whole number with its unit right behind it, B, KB, MB, GB, TB, KiB, MiB, GiB, TiB",
    ),
    (
        "size > 1.92TB",
        "column 8: `1.92TB` is no size: a whole number with its unit right behind it, B, KB, MB, GB, TB, KiB, MiB, GiB, TiB",
    ),
    (
        "size > 16777216TiB",
        "column 8: `16777216TiB` is larger than any disk",
    ),
    (
        "size > 99999999999999999999B",
        "column 8: `99999999999999999999B` is larger than any disk",
    ),
    (
        "size > \"1TB\"",
        "column 8: expected a size such as `100GiB`, found a text",
    ),
    (
        "size >",
        "column 7: expected a size such as `100GiB`, found the end",
    ),
    (
        "size",
        "column 1: `size` alone says neither yes nor no: compare it, as in `size > 100GiB`",
    ),
    (
        "serial",
        "column 1: `serial` alone says neither yes nor no: compare it with a text in quotes, as in `bus == \"nvme\"`",
    ),
    (
        "size.contains(\"1\")",
        "column 5: `size` is no text: nothing stands behind a dot",
    ),
    (
        "bus.startsWith(\"n\")",
        "column 4: `bus` is no text: nothing stands behind a dot",
    ),
    (
        "bus == nvme",
        "column 8: expected a text in quotes, found `nvme`",
    ),
    (
        "bus == \"sata\"",
        "column 8: unknown bus `sata`; did you mean `ata`?",
    ),
    (
        "bus == \"raid\"",
        "column 8: unknown bus `raid`; known: virtio, nvme, ata, scsi, usb, mmc, other",
    ),
    (
        "bus < \"nvme\"",
        "column 5: `bus` has no order: compare it with `==` or `!=`",
    ),
    (
        "model >= \"a\"",
        "column 7: `model` has no order: compare it with `==` or `!=`",
    ),
    (
        "rotational > false",
        "column 12: `rotational` has no order: compare it with `==` or `!=`",
    ),
    (
        "rotational == \"no\"",
        "column 15: expected `true` or `false`, found a text",
    ),
    (
        "rotational == 0B",
        "column 15: expected `true` or `false`, found a size",
    ),
    (
        "model == size",
        "column 10: expected a text in quotes, found `size`",
    ),
    (
        "model.startswith(\"a\")",
        "column 7: unknown method `startswith`; did you mean `startsWith`?",
    ),
    (
        "model.matches(\"a\")",
        "column 7: unknown method `matches`; known: startsWith, endsWith, contains",
    ),
    (
        "model.contains(\"\")",
        "column 16: an empty text is in every text: every disk would fit",
    ),
    (
        "model.contains \"a\"",
        "column 16: expected `(`, found a text",
    ),
    (
        "model.contains(1GB)",
        "column 16: expected a text in quotes, found a size",
    ),
    (
        "model.contains(\"a\"",
        "column 19: expected `)`, found the end",
    ),
    (
        "model.",
        "column 7: expected the name of a method, found the end",
    ),
    (
        "1TB < size",
        "column 1: expected a field, `!` or `(`, found a size",
    ),
    (
        "true",
        "column 1: unknown field `true`; known: size, name, model, serial, wwid, bus, bus_path, rotational, removable",
    ),
    (
        "size > 1TB &&",
        "column 14: expected a field, `!` or `(`, found the end",
    ),
    (
        "&& rotational",
        "column 1: expected a field, `!` or `(`, found `&&`",
    ),
    (
        "rotational removable",
        "column 12: expected `&&`, `||` or the end, found `removable`",
    ),
    (
        "(rotational",
        "column 12: expected `&&`, `||` or `)`, found the end",
    ),
    (
        "rotational)",
        "column 11: expected `&&`, `||` or the end, found `)`",
    ),
    (
        "1GB < size < 1TB",
        "column 1: expected a field, `!` or `(`, found a size",
    ),
    (
        "size > 1GB < 2GB",
        "column 12: expected `&&`, `||` or the end, found `<`",
    ),
    (
        "!size > 1TB",
        "column 1: `!` belongs to `size` alone, not to the comparison: put that in parentheses, or turn it round",
    ),
    (
        "a == 1B",
        "column 1: unknown field `a`; known: size, name, model, serial, wwid, bus, bus_path, rotational, removable",
    ),
    (
        "bus = \"nvme\"",
        "column 5: '=' means nothing here; to compare, write `==`",
    ),
    (
        "rotational & removable",
        "column 12: '&' means nothing here; for `and`, write `&&`",
    ),
    (
        "rotational | removable",
        "column 12: '|' means nothing here; for `or`, write `||`",
    ),
    (
        "bus == “nvme”",
        "column 8: '“' means nothing here; use plain quotes, `\"` or `'`",
    ),
    (
        "/dev/sda",
        "column 1: '/' means nothing here; a disk is told by what it is, as in `serial == \"...\"`",
    ),
    (
        "serial == \"a",
        "column 11: the text has no \" at its end; in YAML, ` #` begins a comment",
    ),
    (
        "serial == 'a\"",
        "column 11: the text has no ' at its end; in YAML, ` #` begins a comment",
    ),
    (
        "serial == \"a\\",
        "column 13: '\\\\' cannot stand in a text alone; write `\\\\`, `\\\"` or `\\'`",
    ),
    (
        "serial == \"a\\n\"",
        "column 13: '\\\\' cannot stand in a text alone; write `\\\\`, `\\\"` or `\\'`",
    ),
    (
        "serial == \"ä\n\"",
        "column 13: '\\n' cannot stand in a text",
    ),
];

#[test]
fn what_is_wrong_is_said_with_its_place() {
    // Whether a column is said at all is part of the message.
    for (selector, expected) in REFUSALS {
        let error = selector.parse::<DiskSelector>().unwrap_err().to_string();
        let expected = match expected.starts_with("column") {
            true => format!("disk selector, {expected}"),
            false => (*expected).to_owned(),
        };
        assert_eq!(error, expected, "{selector}");
    }
}

#[test]
fn length_and_depth_have_an_end() {
    let nested = |depth| format!("{}rotational{}", "(".repeat(depth), ")".repeat(depth));
    assert!(fits(&nested(parse::MAX_DEPTH), &TURNING));
    let error = nested(parse::MAX_DEPTH + 1).parse::<DiskSelector>();
    assert_eq!(error, Err(DiskSelectorFault::Deep.at(parse::MAX_DEPTH + 1)));
    // Beside each other they may be as many as there is room for.
    assert!(fits(&["(rotational)"; 16].join("&&"), &TURNING));
    assert!(fits(&format!("{}rotational", "!".repeat(246)), &TURNING));
    let text = |count: usize| format!("serial == \"{}\"", "ä".repeat(count));
    assert!(text(MAX_CHARS - 12).parse::<DiskSelector>().is_ok());
    assert_eq!(
        text(MAX_CHARS - 11).parse::<DiskSelector>(),
        Err(DiskSelectorFault::Long(MAX_CHARS + 1).whole())
    );
}

/// A condition, and whether [`DISK`] and [`TURNING`] are so.
#[derive(Clone, Debug)]
struct Meant {
    text: String,
    holds: [bool; 2],
}

fn condition() -> impl Strategy<Value = Meant> {
    let known = (0..MEANINGS.len()).prop_map(|index| {
        let (text, holds) = MEANINGS[index];
        Meant {
            text: text.to_owned(),
            holds,
        }
    });
    // Short ones, or nothing of any depth would fit.
    let short = known.prop_filter("short", |it| it.text.len() <= 22);
    short.prop_map(|it| Meant {
        text: format!("({})", it.text),
        ..it
    })
}

fn meant() -> impl Strategy<Value = Meant> {
    let space = "[ \t\n]{0,2}";
    condition().prop_recursive(4, 8, 3, move |below| {
        let not = (space, below.clone()).prop_map(|(space, it)| Meant {
            text: format!("!{space}{}", it.text),
            holds: it.holds.map(|it| !it),
        });
        let joined = |sign: &'static str, join: fn(bool, bool) -> bool| {
            let parts = (below.clone(), space, below.clone());
            parts.prop_map(move |(left, space, right)| Meant {
                text: format!("({}{space}{sign}{space}{})", left.text, right.text),
                holds: [0, 1].map(|it| join(left.holds[it], right.holds[it])),
            })
        };
        prop_oneof![
            not,
            joined("&&", |a, b| a && b),
            joined("||", |a, b| a || b)
        ]
    })
}

proptest! {
    #[test]
    fn conditions_are_joined_as_they_say(meant in meant()) {
        prop_assume!(meant.text.chars().count() <= MAX_CHARS);
        prop_assert_eq!([DISK, TURNING].map(|it| fits(&meant.text, &it)), meant.holds);
    }

    #[test]
    fn without_parentheses_and_comes_before_or(
        terms in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..12),
    ) {
        let mut text = String::new();
        // One of several is so when all between two `||` are.
        let (mut any, mut all) = (false, true);
        for (index, (new, value)) in terms.iter().enumerate() {
            if index > 0 {
                text.push_str(if *new { " || " } else { " && " });
            }
            if index > 0 && *new {
                (any, all) = (any || all, true);
            }
            all &= *value;
            text.push_str(if *value { "rotational" } else { "!rotational" });
        }
        prop_assert_eq!(fits(&text, &TURNING), any || all);
    }

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![
        any::<String>(),
        "(size|bus|model|rotational|disk|[(]|[)]|!|&&|[|]{2}|==|<=|[.]|contains|\"a\"|'nvme'|1GB|[ \n\\\\\"'=&|]){0,30}",
    ]) {
        match text.parse::<DiskSelector>() {
            Ok(selector) => {
                prop_assert_eq!(&selector.to_string().parse::<DiskSelector>(), &Ok(selector.clone()));
                let negated = format!("!({selector})").parse::<DiskSelector>();
                if let Ok(negated) = negated {
                    prop_assert_ne!(negated.fits(&DISK), selector.fits(&DISK));
                }
            }
            Err(error) => {
                let end = text.chars().count() + 1;
                prop_assert!(error.column.is_none_or(|it| (1..=end).contains(&it)));
                prop_assert!(!error.to_string().chars().any(char::is_control), "{}", error);
            }
        }
    }

    #[test]
    fn any_text_can_be_asked_for(serial in "[^\\pC]{0,60}") {
        let quoted = serial.replace('\\', "\\\\").replace('"', "\\\"");
        prop_assume!(quoted.chars().count() <= 200);
        let selector = format!("serial == \"{quoted}\"");
        let fits = [&serial, &format!("{serial}.")].map(|serial| {
            fits(&selector, &DiskFacts { serial, ..DISK })
        });
        prop_assert_eq!(fits, [true, false]);
    }
}
