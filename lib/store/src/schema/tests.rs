use super::*;

const RECORD: &str = "\
# Rows are never removed.
Links.net 1 name single string
Links.net 2 mtu single uint32
Links.net 3 gone single string
";

#[test]
fn the_same_and_less_is_compatible() {
    assert_eq!(check(RECORD, RECORD), []);
    assert_eq!(check(RECORD, "Links.net 1 name single string\n"), []);
}

#[test]
fn another_meaning_is_not() {
    for changed in [
        "Links.net 2 speed single uint32",
        "Links.net 2 mtu single string",
        "Links.net 2 mtu repeated uint32",
        "Links.net 3 fresh single string",
    ] {
        let findings = check(RECORD, changed);
        assert!(
            matches!(findings.as_slice(), [Finding::Changed { .. }]),
            "{changed}: {findings:?}"
        );
    }
}

#[test]
fn a_new_number_must_be_recorded() {
    let findings = check(RECORD, "Links.net 4 speed single uint32\n");
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}");
    };
    assert_eq!(
        finding.to_string(),
        "add to the record: Links.net 4 speed single uint32"
    );
}

#[test]
fn a_broken_record_is_said_to_be() {
    assert!(matches!(
        check("Links.net one name single string", "").as_slice(),
        [Finding::Malformed(_)]
    ));
}
