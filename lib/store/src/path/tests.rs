use super::*;
use serde_json::json;

#[test]
fn paths() {
    let spec = json!({
        "operState": "up", "mtu": 1500, "up": true, "none": null,
        "link": {"speed": 10}, "labels": {"a.b": "c"},
        "addresses": [{"cidr": "10.0.0.1/24"}, {"cidr": "::1/128"}], "tags": ["x", "y"],
    });
    for (path, expected) in [
        ("operState", "up"),
        (".operState", "up"),
        ("{.operState}", "up"),
        ("{$.operState}", "up"),
        ("mtu", "1500"),
        ("up", "true"),
        ("none", ""),
        ("missing.deeply[3]", ""),
        ("link.speed", "10"),
        ("link", r#"{"speed":10}"#),
        ("labels[\"a.b\"]", "c"),
        ("labels['a.b']", "c"),
        ("addresses[1].cidr", "::1/128"),
        ("addresses[9].cidr", ""),
        ("addresses[*].cidr", "10.0.0.1/24,::1/128"),
        ("addresses.*.cidr", "10.0.0.1/24,::1/128"),
        ("tags[*]", "x,y"),
        ("tags", "x,y"),
        (
            "addresses",
            r#"[{"cidr":"10.0.0.1/24"},{"cidr":"::1/128"}]"#,
        ),
    ] {
        let compiled = Path::new(path).expect(path);
        assert_eq!(compiled.print(&spec), expected, "{path}");
    }
}

#[test]
fn malformed_paths() {
    for path in [
        "{a", "a..b", "a.", "a[", "a[x]", "a[1", "a[0]b", "a['b]", "[-1]",
    ] {
        assert!(Path::new(path).is_err(), "{path}");
    }
}

#[test]
fn columns_of_yaml() {
    let yaml = "state: up\naddresses:\n  - 10.0.0.1\n";
    assert_eq!(
        columns(yaml, ["state", "addresses[0]", "x..y", "gone"]),
        ["up", "10.0.0.1", "", ""]
    );
    assert_eq!(columns("\t: [", ["state"]), [""]);
}

#[test]
fn the_whole_spec() {
    let whole = Path::new("{.}").expect("the whole spec");
    assert_eq!(whole.print(&json!("x")), "x");
}
