//! What patches make of a config: the values, the text around them, and the words of what is refused.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod any;

use any::{document, documents};
use config::patch::{Patched, Text, apply, check};
use config::{Document, Documents};
use proptest::collection::vec;
use proptest::prelude::*;

const API: &str = "apiVersion: garboard/v1alpha1\n";

const BASE: &str = "\
# the lab's node
apiVersion: garboard/v1alpha1
kind: Hostname
hostname: node-1 # by hand
---
# the uplink
apiVersion: garboard/v1alpha1
kind: Link
name: eth0
mtu: 1500 # as the switch
addresses: [10.0.0.2/24]
routes:
  - to: default
    via: 10.0.0.1
  - {to: 10.8.0.0/16, via: 10.0.0.8}
";

fn patched(base: &str, patches: &[&str]) -> Result<Patched, String> {
    let names: Vec<String> = (1..=patches.len()).map(|it| format!("p{it}")).collect();
    let texts: Vec<Text<'_>> = names
        .iter()
        .zip(patches)
        .map(|(name, patch)| Text {
            name,
            bytes: patch.as_bytes(),
        })
        .collect();
    let base = Text {
        name: "base",
        bytes: base.as_bytes(),
    };
    apply(base, &texts).map_err(|it| it.to_string())
}

fn fine(patch: &str) -> String {
    patched(BASE, &[patch]).unwrap().text
}

fn refused(patch: &str) -> String {
    patched(BASE, &[patch]).unwrap_err()
}

/// The first line of a refusal, and the last: what is wrong, and what to do.
fn ends(message: &str) -> (String, String) {
    let mut lines = message.lines().map(|it| it.trim().to_owned());
    let first = lines.next().unwrap();
    let last = lines.next_back().unwrap_or_default();
    (first, last)
}

#[test]
fn what_a_patch_does_not_change_keeps_its_text() {
    let text = fine("{kind: Hostname, hostname: node-2}");
    let (name, link) = text.split_once("---\n").unwrap();
    assert_eq!(
        name,
        "# the lab's node\napiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: node-2\n"
    );
    assert_eq!(link, BASE.split_once("---\n").unwrap().1);
    // Fields beside it keep theirs.
    let text = fine("{kind: Link, name: eth0, up: false, routes: null}");
    assert_eq!(
        text.split_once("---\n").unwrap().1,
        "# the uplink
apiVersion: garboard/v1alpha1
kind: Link
name: eth0
mtu: 1500 # as the switch
addresses: [10.0.0.2/24]
up: false
"
    );
    // The same values again change nothing, however they are written.
    for nothing in [
        "{kind: Hostname, hostname: 'node-1'}",
        "",
        "# no document\n",
        "[]",
        "- {op: test, path: /Link/eth0/mtu, value: 1500}\n- {op: replace, path: /Link/eth0/mtu, value: 1500}",
    ] {
        assert_eq!(fine(nothing), BASE, "{nothing}");
    }
}

#[test]
fn maps_merge_and_lists_replace() {
    let text = fine("kind: Link\nname: eth0\nmtu: 9000\naddresses: [10.0.0.3/24, 'fd00::3/64']\n");
    assert_eq!(
        text.split_once("---\n").unwrap().1,
        "# the uplink
apiVersion: garboard/v1alpha1
kind: Link
name: eth0
mtu: 9000
addresses:
  - 10.0.0.3/24
  - fd00::3/64
routes:
  - to: default
    via: 10.0.0.1
  - {to: 10.8.0.0/16, via: 10.0.0.8}
"
    );
}

#[test]
fn a_comment_above_a_field_stays_with_it() {
    let base = format!(
        "{API}# which card\nkind: Dhcp4\n\n# the uplink\nname: eth0\n# for the lab\nmetric: 7\n\n# the rest\n"
    );
    let less = patched(
        &base,
        &["{kind: Dhcp4, name: eth0, metric: null, enabled: false}"],
    );
    assert_eq!(
        less.unwrap().text,
        format!(
            "{API}# which card\nkind: Dhcp4\n\n# the uplink\nname: eth0\n# for the lab\nenabled: false\n\n# the rest\n"
        )
    );
    // An anchor that others need, and a document in brackets, are written out.
    let base = format!(
        "# head\n{API}kind: Link\nname: eth0\naddresses: [&a 10.0.0.2/24]\nroutes: [{{to: 10.0.0.0/24}}] # r\n\
         --- {{apiVersion: garboard/v1alpha1, kind: Resolver, servers: &s [9.9.9.9]}}\n"
    );
    let patch = "{kind: Link, name: eth0, mtu: 9000}\n---\n{kind: Resolver, servers: [1.1.1.1]}";
    assert_eq!(
        patched(&base, &[patch]).unwrap().text,
        format!(
            "# head\n{API}kind: Link\nname: eth0\naddresses: [&a 10.0.0.2/24]\nroutes: [{{to: 10.0.0.0/24}}] # r\nmtu: 9000\n\
             ---\n{API}kind: Resolver\nservers:\n  - 1.1.1.1\n"
        )
    );
}

#[test]
fn a_name_is_found_in_every_spelling() {
    let base = format!("{BASE}---\n{API}kind: KernelModule\nname: nf-conntrack # mine\n");
    for patch in [
        "{kind: KernelModule, name: nf_conntrack, parameters: {acct: 1}}",
        "{kind: KernelModule, name: nf-conntrack, parameters: {acct: 1}}",
        "[{op: add, path: /KernelModule/nf-conntrack, value: {name: nf_conntrack, parameters: {acct: 1}}}]",
        "[{op: add, path: /KernelModule/nf_conntrack/parameters, value: {acct: 1}}]",
    ] {
        let text = patched(&base, &[patch]).unwrap().text;
        assert!(text.ends_with("parameters:\n  acct: 1\n"), "{text}");
        let again = patched(&text, &[patch]).unwrap().text;
        assert_eq!(again, text);
    }
    let gone = "{kind: KernelModule, name: nf_conntrack, $patch: delete}";
    assert_eq!(patched(&base, &[gone]).unwrap().text, BASE);
    let key = "[{op: add, path: /Sysctl/net~1core~1somaxconn, value: {value: 7}}]";
    let text = patched(&base, &[key]).unwrap().text;
    assert!(
        text.ends_with("kind: Sysctl\nname: net.core.somaxconn\nvalue: 7\n"),
        "{text}"
    );
}

#[test]
fn a_list_with_a_key_merges_by_it() {
    let patch = "
kind: Link
name: eth0
routes:
  - {to: default, metric: 7}
  - {to: 10.8.0.0/16, $patch: delete}
  - {to: 10.9.0.0/16, via: 10.0.0.9}
";
    let text = fine(patch);
    let routes = "routes:
  - to: default
    via: 10.0.0.1
    metric: 7
  - to: 10.9.0.0/16
    via: 10.0.0.9
";
    assert!(text.ends_with(routes), "{text}");
    let all = "
kind: Link
name: eth0
routes: [{$patch: replace}, {to: 10.9.0.0/16, via: 10.0.0.9}]
";
    let only = "routes:\n  - to: 10.9.0.0/16\n    via: 10.0.0.9\n";
    assert!(fine(all).ends_with(only));
}

#[test]
fn an_item_that_cannot_be_told_from_another_is_refused() {
    let two = format!(
        "{API}kind: Link\nname: eth0\nroutes: [{{to: 10.8.0.0/16, metric: 1}}, {{to: 10.8.0.0/16, metric: 2}}]\n"
    );
    let one = "{kind: Link, name: eth0, routes: [{to: 10.8.0.0/16, metric: 3}]}";
    let (first, last) = ends(&patched(&two, &[one]).unwrap_err());
    assert_eq!(first, "p1:1:35: 2 items here have `to: 10.8.0.0/16`");
    assert_eq!(
        last,
        "write all of them, or name one by its number in a JSON patch"
    );
    let both = "{kind: Link, name: eth0, routes: [{to: 10.8.0.0/16, metric: 3}, {to: 10.8.0.0/16, metric: 4}]}";
    let text = patched(&two, &[both]).unwrap().text;
    assert!(text.contains("metric: 3") && text.contains("metric: 4"));
    let second = "[{op: replace, path: /Link/eth0/routes/1/metric, value: 5}]";
    let text = patched(&two, &[second]).unwrap().text;
    assert!(text.contains("metric: 1") && text.contains("metric: 5"));
}

#[test]
fn fields_and_documents_are_removed() {
    for field in ["mtu: null", "mtu: {$patch: delete}", "mtu:"] {
        let text = fine(&format!("kind: Link\nname: eth0\n{field}\n"));
        assert!(!text.contains("mtu"), "{text}");
    }
    let gone = patched(BASE, &["{kind: Link, name: eth0, $patch: delete}"]).unwrap();
    assert_eq!(gone.documents.iter().count(), 1);
    assert_eq!(gone.notes, []);
    assert_eq!(gone.text, BASE.split_once("---\n").unwrap().0);
    let first = fine("{kind: Hostname, $patch: delete}");
    assert_eq!(
        first,
        format!("---\n{}", BASE.split_once("---\n").unwrap().1)
    );

    let twice = patched(BASE, &["{kind: Link, name: eth1, $patch: delete}"]).unwrap();
    assert_eq!(twice.text, BASE);
    let note = twice.notes.first().unwrap().to_string();
    let (first, last) = ends(&note);
    assert_eq!(first, "p1:1:1: there is no Link `eth1` here");
    assert_eq!(last, "did you mean `eth0`?");
}

#[test]
fn a_new_document_comes_last_and_needs_no_version() {
    let text = fine("enabled: true\nname: eth1\nkind: Dhcp4\nmetric:\n");
    let added = format!("---\n{API}kind: Dhcp4\nname: eth1\nenabled: true\n");
    assert_eq!(text, format!("{BASE}{added}"));
    let replaced = fine("{$patch: replace, kind: Link, name: eth0, up: false}");
    assert!(replaced.ends_with(&format!("{API}kind: Link\nname: eth0\nup: false\n")));
}

#[test]
fn operations_reach_every_document() {
    for (patch, expected) in [
        (
            "[{op: add, path: /Link/eth0/addresses/-, value: 10.0.0.9/24}]",
            "addresses:\n  - 10.0.0.2/24\n  - 10.0.0.9/24\n",
        ),
        (
            "[{op: add, path: /Link/eth0/addresses/0, value: 10.0.0.9/24}]",
            "addresses:\n  - 10.0.0.9/24\n  - 10.0.0.2/24\n",
        ),
        (
            "[{op: add, path: /Link/eth0/mtu, value: 1400}]",
            "mtu: 1400\n",
        ),
        (
            "[{op: remove, path: /Link/eth0/routes/0}]",
            "routes:\n  - to: 10.8.0.0/16\n    via: 10.0.0.8\n",
        ),
        (
            r#"[{"op": "replace", "path": "/Hostname/hostname", "value": "node-9"}]"#,
            "hostname: node-9\n",
        ),
        (
            "[{op: copy, from: /Link/eth0, path: /Link/eth1}, {op: replace, path: /Link/eth1/addresses, value: []}, {op: remove, path: /Link/eth1/routes}]",
            "name: eth1\nmtu: 1500\naddresses: []\n",
        ),
        (
            "[{op: move, from: /Link/eth0, path: /Link/eth7}]",
            "kind: Link\nname: eth7\nmtu: 1500\n",
        ),
        (
            "[{op: add, path: /Dhcp4/eth1, value: {enabled: false}}]",
            "kind: Dhcp4\nname: eth1\nenabled: false\n",
        ),
        (
            "[{op: test, path: /Link/eth0/routes/1, value: {via: 10.0.0.8, to: 10.8.0.0/16}}, {op: remove, path: /Hostname}]",
            "# the uplink\n",
        ),
    ] {
        let text = fine(patch);
        assert!(text.contains(expected), "{patch}\n{text}");
    }
}

#[test]
fn a_failed_operation_undoes_those_before_it() {
    let patch = "[{op: remove, path: /Hostname}, {op: test, path: /Link/eth0/mtu, value: 9000}]";
    assert_eq!(
        ends(&refused(patch)).0,
        "p1:1:50: test failed: `/Link/eth0/mtu` holds something else"
    );
}

#[test]
fn a_wrong_value_is_told_where_the_patch_has_it() {
    let (first, last) = ends(&refused("kind: Link\nname: eth0\nmtuu: 1\n"));
    assert_eq!(
        (first.as_str(), last.as_str()),
        ("p1:3:1: unknown field `mtuu`", "did you mean `mtu`?")
    );
    let two = patched(
        BASE,
        &[
            "{kind: Hostname, hostname: b}",
            "kind: Link\nname: eth0\nmtu: 1\n",
        ],
    );
    assert_eq!(
        ends(&two.unwrap_err()).0,
        "p2:3:6: an MTU is from 68 to 65536, not 1"
    );
    // What the patch leaves wrong in the rest is told there.
    let lost = refused("{kind: Link, name: eth0, addresses: []}");
    assert_eq!(
        ends(&lost).0,
        "base:14:10: no address or route of link `eth0` reaches the gateway 10.0.0.1"
    );
    let missing = refused("{kind: Hostname, hostname: null}");
    assert_eq!(ends(&missing).0, "p1:1:1: missing field `hostname`");
    let base = patched("kind: Hostnam\n", &[]).unwrap_err();
    assert_eq!(ends(&base).0, "base:1:1: missing field `apiVersion`");
}

#[test]
fn a_patch_that_doubles_a_value_without_end_is_refused() {
    let mut operations = String::new();
    for _ in 0..100 {
        operations.push_str("- {op: copy, from: /Hostname, path: /Hostname/a}\n");
        operations.push_str("- {op: copy, from: /Hostname, path: /Hostname/b}\n");
    }
    let (first, _) = ends(&refused(&operations));
    assert!(first.ends_with("becomes too large or too deep"), "{first}");
}

#[test]
fn odd_streams_are_written_anew_rather_than_wrongly() {
    let odd = format!(
        "{API}kind: Hostname\nhostname: a\n...\n%YAML 1.2\n---\n{API}kind: Dhcp4\nname: eth0\n"
    );
    let gone = "{kind: Dhcp4, name: eth0, $patch: delete}";
    let patched = patched(&odd, &[gone]).unwrap();
    assert_eq!(patched.text, format!("{API}kind: Hostname\nhostname: a\n"));
}

/// A merge patch that takes one config to another: what is new or different, and the deletion of the rest.
fn difference(from: &Documents, to: &Documents) -> String {
    let mut patch = String::new();
    for document in from.iter() {
        let identity = document.identity();
        if !to.iter().any(|it| it.identity() == identity) {
            let name = identity.name.map(|it| format!(", name: {it:?}"));
            let name = name.unwrap_or_default();
            patch.push_str(&format!(
                "---\n{{kind: {}{name}, $patch: delete}}\n",
                identity.kind
            ));
        }
    }
    for document in to.iter() {
        let text = Documents::new([document.clone()]).unwrap().to_yaml();
        patch.push_str(&format!("---\n$patch: replace\n{}", text.unwrap()));
    }
    patch
}

proptest! {
    #[test]
    fn a_patch_with_nothing_changes_nothing(documents in documents()) {
        let text = documents.to_yaml().unwrap();
        if let Ok(patched) = patched(&text, &[""]) {
            prop_assert_eq!(&patched.text, &text);
            prop_assert_eq!(patched.documents, documents);
        }
    }

    #[test]
    fn a_merge_patch_twice_is_the_patch_once(from in documents(), with in vec(document(), 1..4)) {
        let base = from.to_yaml().unwrap();
        let mut patch = String::new();
        for document in with {
            let one: [Document; 1] = [document];
            patch.push_str(&format!("---\n{}", Documents::new(one).unwrap().to_yaml().unwrap()));
        }
        if let Ok(once) = patched(&base, &[&patch]) {
            let twice = patched(&base, &[&patch, &patch]).unwrap();
            prop_assert_eq!(&twice.text, &once.text);
            let again = patched(&once.text, &[&patch]).unwrap();
            prop_assert_eq!(again.text, once.text);
        }
    }

    #[test]
    fn what_replaces_everything_is_what_is_left(from in documents(), to in documents()) {
        let patch = difference(&from, &to);
        let base = from.to_yaml().unwrap();
        match patched(&base, &[&patch]) {
            Ok(patched) => {
                for document in to.iter() {
                    prop_assert!(patched.documents.iter().any(|it| it == document));
                }
                prop_assert_eq!(patched.documents.iter().count(), to.iter().count());
                let again = config::check("patched", patched.text.as_bytes()).unwrap();
                prop_assert_eq!(again, patched.documents);
            }
            // The two are made without regard to what documents say of each other.
            Err(_) => prop_assert!(!to.validate().is_empty()),
        }
    }

    #[test]
    fn any_patch_is_answered(
        documents in documents(),
        patch in "(\\[?\\{(op|kind|path|name|value|from|\\$patch|mtu|routes): ?(add|remove|copy|move|delete|Link|/Link/a|/Hostname|\\[\\{to: a\\}\\]|~|'), ?){1,5}[\\]}, \n-]{0,4}",
    ) {
        let text = documents.to_yaml().unwrap();
        let name = "any";
        let _answer = check(Text { name, bytes: patch.as_bytes() });
        if let Ok(patched) = patched(&text, &[&patch]) {
            let again = config::check("again", patched.text.as_bytes()).unwrap();
            prop_assert_eq!(again, patched.documents);
        }
    }
}
