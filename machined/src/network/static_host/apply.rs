//! Writes `hosts`.

use std::fs;
use std::path::PathBuf;

use ::config::Hostname;
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::net::{MERGED, StaticHostSpec};

use crate::network::file;

/// The controller.
#[derive(Debug)]
pub struct Apply {
    path: PathBuf,
}

cosi::declare! {
    Apply as "network.static-host.apply" {
        reads StaticHostSpec: MERGED;
    }
}

impl Apply {
    /// Writes this file.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let mut specs = cx.list::<StaticHostSpec>();
        // The first line of an address is the one that gives it a name.
        specs.sort_by_key(|it| it.id() != "localhost");
        let mut text = render(specs.iter().map(|it| &*it.spec));
        // A name that is not there may only mean that nobody has spoken of it yet.
        if !cx.deletions_allowed() {
            let before = fs::read_to_string(&self.path).unwrap_or_default();
            text = keep(&text, &before);
        }
        file::replace(&self.path, &text)?;
        Ok(Outcome::Done)
    }
}

/// The file's text, as hosts(5) has it: a line for each address of a name, in the order they come.
///
/// Names from the wire may be none at all; nothing of theirs may begin another line of the file.
#[must_use]
pub fn render<'a>(specs: impl IntoIterator<Item = &'a StaticHostSpec>) -> String {
    let mut text = String::new();
    let is_name = |it: &&str| it.parse::<Hostname>().is_ok();
    for spec in specs.into_iter().filter(|it| is_name(&it.name.as_str())) {
        let aliases = spec.aliases.iter().map(String::as_str).filter(is_name);
        let names: Vec<&str> = std::iter::once(spec.name.as_str()).chain(aliases).collect();
        for address in &spec.addresses {
            text.push_str(&format!("{address} {}\n", names.join(" ")));
        }
    }
    text
}

/// The text, and after it what else was there before: what comes first is what readers take.
#[must_use]
pub fn keep(text: &str, before: &str) -> String {
    let missing = before
        .lines()
        .filter(|old| !text.lines().any(|it| it == *old));
    let missing: String = missing.map(|old| format!("{old}\n")).collect();
    format!("{text}{missing}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn spec(name: &str, addresses: &[&str], aliases: &[&str]) -> StaticHostSpec {
        StaticHostSpec {
            name: name.to_owned(),
            addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
            aliases: aliases.iter().map(|&it| it.to_owned()).collect(),
            ..StaticHostSpec::default()
        }
    }

    #[test]
    fn a_line_for_each_address() {
        let specs = [
            spec(
                "registry.example.org",
                &["10.0.0.5", "fd00::5"],
                &["registry"],
            ),
            spec("a\n6.6.6.6 bank", &["10.0.0.6"], &[]),
            spec("b", &["10.0.0.7"], &["c\n6.6.6.6 bank", "d"]),
        ];
        let expected = "10.0.0.5 registry.example.org registry\nfd00::5 registry.example.org registry\n10.0.0.7 b d\n";
        assert_eq!(render(&specs), expected);
    }

    #[test]
    fn what_was_there_stays_behind_what_is_said_now() {
        let before = "127.0.0.1 localhost\n10.0.0.5 a\n10.0.0.6 b\n";
        let now = "127.0.0.1 localhost\n10.0.0.7 a\n";
        let kept = keep(now, before);
        assert_eq!(
            kept,
            "127.0.0.1 localhost\n10.0.0.7 a\n10.0.0.5 a\n10.0.0.6 b\n"
        );
        assert_eq!(keep(now, &kept), kept, "it does not grow");
    }

    /// What a reader of hosts(5) finds: the addresses of a name in the order of the lines.
    fn look_up(text: &str, name: &str) -> Vec<IpAddr> {
        let line = |line: &str| {
            let mut words = line.split(' ');
            let address = words.next()?.parse().ok()?;
            words.any(|it| it == name).then_some(address)
        };
        text.lines().filter_map(line).collect()
    }

    proptest! {
        #[test]
        fn every_name_is_found_at_its_addresses(
            hosts in prop::collection::btree_map("[a-z]{1,3}", prop::collection::vec(any::<IpAddr>(), 1..4), 0..6),
        ) {
            let specs: BTreeMap<String, StaticHostSpec> = hosts
                .iter()
                .map(|(name, addresses)| {
                    let spec = StaticHostSpec { addresses: addresses.clone(), ..spec(name, &[], &[]) };
                    (name.clone(), spec)
                })
                .collect();
            let text = render(specs.values());
            for (name, addresses) in &hosts {
                prop_assert_eq!(&look_up(&text, name), addresses);
            }
            prop_assert_eq!(text.lines().count(), hosts.values().map(Vec::len).sum::<usize>());
        }
    }
}
