use super::*;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn matches(op: LabelOp, value: Option<&str>) -> [bool; 2] {
    let labels = labels(value.map(|v| ("k", v)).as_slice());
    let term = LabelTerm::new("k", op);
    [
        term.matches(&labels),
        term.clone().inverted().matches(&labels),
    ]
}

#[test]
fn terms() {
    let text = |s: &str| s.to_owned();
    // Operation, value, outcome, outcome when turned around.
    for (op, value, expected) in [
        (LabelOp::Exists, Some("x"), [true, false]),
        (LabelOp::Exists, None, [false, true]),
        (LabelOp::Equal(text("x")), Some("x"), [true, false]),
        (LabelOp::Equal(text("x")), Some("y"), [false, true]),
        (LabelOp::Equal(text("x")), None, [false, true]),
        (
            LabelOp::In(vec![text("x"), text("y")]),
            Some("y"),
            [true, false],
        ),
        (LabelOp::In(vec![]), Some("y"), [false, true]),
        (LabelOp::In(vec![text("x")]), None, [false, true]),
        (LabelOp::Lt(text("b")), Some("a"), [true, false]),
        (LabelOp::Lt(text("b")), Some("b"), [false, true]),
        (LabelOp::Lt(text("b")), None, [false, false]),
        (LabelOp::Lte(text("b")), Some("b"), [true, false]),
        (LabelOp::Lt(text("10")), Some("9"), [false, true]),
        (LabelOp::LtNumeric(text("10")), Some("9"), [true, false]),
        (LabelOp::LtNumeric(text("1k")), Some("1000"), [false, true]),
        (LabelOp::LteNumeric(text("1k")), Some("1000"), [true, false]),
        (LabelOp::LtNumeric(text("1Ki")), Some("1000"), [true, false]),
        (LabelOp::LtNumeric(text("x")), Some("1"), [false, false]),
        (LabelOp::LtNumeric(text("1")), Some("x"), [false, false]),
        (LabelOp::LtNumeric(text("1")), None, [false, false]),
    ] {
        let what = format!("{op:?} on {value:?}");
        assert_eq!(matches(op, value), expected, "{what}");
    }
}

#[test]
fn numbers() {
    for (text, expected) in [
        ("5", Some(5)),
        (" -5 ", Some(-5)),
        ("2k", Some(2_000)),
        ("2 MB", Some(2_000_000)),
        ("2GiB", Some(2 << 30)),
        ("3pi", Some(3 << 50)),
        ("7 apples", Some(7)),
        ("1.1k", None),
        ("k", None),
        ("", None),
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775807k", None),
        ("9223372036854775808", None),
        ("5é", None),
        ("5-", None),
    ] {
        assert_eq!(number(text), expected, "{text:?}");
    }
}

#[test]
fn terms_are_anded_and_queries_ored() {
    let both = LabelQuery {
        terms: vec![
            LabelTerm::new("a", LabelOp::Exists),
            LabelTerm::new("b", LabelOp::Exists),
        ],
    };
    assert!(!both.matches(&labels(&[("a", "1")])));
    assert!(both.matches(&labels(&[("a", "1"), ("b", "1")])));
    let selector = Selector {
        labels: vec![both, LabelQuery::equal("c", "3")],
        ids: Some(IdQuery::new("^eth").expect("a pattern")),
    };
    let metadata =
        |id: &str, key: &str, value: &str| Metadata::new("n", "T", id).with_label(key, value);
    assert!(selector.matches(&metadata("eth0", "c", "3")));
    assert!(!selector.matches(&metadata("eth0", "a", "1")));
    assert!(!selector.matches(&metadata("veth0", "c", "3")));
    assert!(Selector::default().matches(&metadata("x", "y", "z")));
}

#[test]
fn id_patterns_match_anywhere_and_are_bounded() {
    assert!(IdQuery::new("th").expect("a pattern").matches("eth0"));
    assert!(IdQuery::new("(").is_err());
    assert!(IdQuery::new(&"(a{1000}){1000}".repeat(3)).is_err());
}
