//! A patch to a config, as `osctl config patch` and a folder of machine patches bring it.
//!
//! The config comes first, up to a line of `===`; without one the patch is for a config that has a bit of everything.

use config::patch::{Text, apply, check};

pub(super) const WORDS: &[&str] = &[
    "\n===\n",
    "apiVersion: garboard/v1alpha1\n",
    "{kind: Link, name: eth0, ",
    "{kind: Hostname, hostname: ",
    "routes: [{to: default, ",
    "$patch: delete",
    "$patch: replace",
    "mtu: null",
    "- {op: add, ",
    "{op: copy, from: /Link/eth0, ",
    "op: move, from: ",
    "op: remove, ",
    "op: replace, ",
    "op: test, ",
    "path: /Link/eth0/addresses/-, ",
    "path: /Hostname, ",
    "value: ",
    "~0",
    "~1",
    "\n---\n",
    "...\n",
    "%YAML 1.2\n",
    "&a ",
    "*a",
    "# c\n",
];

const BASE: &str = "\
# head
apiVersion: garboard/v1alpha1
kind: Hostname
hostname: a # beside
---
# above
apiVersion: garboard/v1alpha1
kind: Link
name: eth0
mtu: 1500
addresses: &a [10.0.0.2/24]
routes:
  - {to: default, via: 10.0.0.1}
  - to: 10.8.0.0/16
--- {apiVersion: garboard/v1alpha1, kind: Dhcp4, name: eth1}
";

pub(super) fn run(data: &[u8]) {
    const SEAM: &[u8] = b"\n===\n";
    let seam = data.windows(SEAM.len()).position(|it| it == SEAM);
    let (base, patch) = match seam.and_then(|at| data.split_at_checked(at)) {
        Some((base, rest)) => (base, rest.strip_prefix(SEAM).unwrap_or_default()),
        None => (BASE.as_bytes(), data),
    };
    let (config, patch) = (text("config", base), text("patch", patch));
    let alone = check(patch);
    match apply(config, &[patch]) {
        Ok(patched) => {
            alone.expect("what can be applied is a patch");
            let again = config::check("patched", patched.text.as_bytes());
            let again = again.expect("a patched config is a config");
            assert_eq!(again, patched.documents, "the text says something else");
            let nothing = apply(text("again", patched.text.as_bytes()), &[]);
            let nothing = nothing.expect("a config without patches is one");
            assert_eq!(nothing.text, patched.text, "no patch changes something");
        }
        Err(problems) => super::config::refused(&problems, base.len() + patch.bytes.len()),
    }
}

fn text<'a>(name: &'a str, bytes: &'a [u8]) -> Text<'a> {
    Text { name, bytes }
}
