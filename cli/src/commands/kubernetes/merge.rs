//! Merging a kubeconfig into another one. Pure.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};

use crate::files;

/// The lists of a kubeconfig, whose entries have names.
const LISTS: [&str; 3] = ["clusters", "contexts", "users"];

/// The key of the context that is used.
const CURRENT: &str = "current-context";

/// A merged kubeconfig.
#[derive(Debug)]
pub(super) struct Merged {
    /// The file.
    pub(super) text: String,
    /// The context that came in.
    pub(super) context: String,
}

/// Takes the entries of `new` into `old`, in the place of those of the same names. Everything else stays.
///
/// # Errors
/// One of them is no kubeconfig; or `old` has another cluster of the same name, and it is not to be replaced.
pub(super) fn merged(old: &str, new: &str, make_current: bool, force: bool) -> Result<Merged> {
    let new = parse(new).context("what the node sent")?;
    let mut merged = if old.trim().is_empty() {
        let mut empty = new.clone();
        for list in LISTS {
            empty.insert(list.to_owned(), Value::Array(Vec::new()));
        }
        empty
    } else {
        parse(old).context("the file")?
    };
    if !force {
        no_other(&merged, &new)?;
    }
    for list in LISTS {
        let entries = entries(&new, list)?;
        let mut all = self::entries(&merged, list)?;
        for entry in entries {
            match all
                .iter_mut()
                .find(|it| it.get("name") == entry.get("name"))
            {
                Some(place) => *place = entry,
                None => all.push(entry),
            }
        }
        merged.insert(list.to_owned(), Value::Array(all));
    }
    let context = new.get(CURRENT).and_then(Value::as_str).unwrap_or_default();
    let has_one = merged
        .get(CURRENT)
        .and_then(Value::as_str)
        .is_some_and(|it| !it.is_empty());
    if make_current || !has_one {
        merged.insert(CURRENT.to_owned(), context.into());
    }
    Ok(Merged {
        text: serde_yaml::to_string(&merged)?,
        context: context.to_owned(),
    })
}

/// Refuses to take the place of another cluster, which has another authority.
fn no_other(old: &Map<String, Value>, new: &Map<String, Value>) -> Result<()> {
    const AUTHORITY: &str = "/cluster/certificate-authority-data";
    for cluster in entries(new, "clusters")? {
        let others = entries(old, "clusters")?;
        let of_the_name = others
            .iter()
            .find(|it| it.get("name") == cluster.get("name"));
        if of_the_name.is_some_and(|it| it.pointer(AUTHORITY) != cluster.pointer(AUTHORITY)) {
            let name = cluster.get("name").and_then(Value::as_str);
            bail!(
                "its {} is another cluster; name another file, or --force replaces it",
                name.unwrap_or_default()
            );
        }
    }
    Ok(())
}

/// The same kubeconfig with its servers at another place.
///
/// # Errors
/// It is no kubeconfig.
pub(super) fn led_to(text: &str, server: &str) -> Result<String> {
    let mut config = parse(text).context("what the node sent")?;
    let mut clusters = entries(&config, "clusters")?;
    for cluster in &mut clusters {
        let place = cluster.pointer_mut("/cluster/server");
        *place.context("it is no kubeconfig: a cluster has no server")? = server.into();
    }
    config.insert("clusters".to_owned(), Value::Array(clusters));
    Ok(serde_yaml::to_string(&config)?)
}

fn parse(text: &str) -> Result<Map<String, Value>> {
    match files::parse_secret(text)? {
        Value::Object(map) => Ok(map),
        _ => bail!("it is no kubeconfig"),
    }
}

fn entries(config: &Map<String, Value>, list: &str) -> Result<Vec<Value>> {
    match config.get(list) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => Ok(entries.clone()),
        Some(_) => bail!("it is no kubeconfig: its {list} are no list"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "apiVersion: v1\nkind: Config\npreferences: {colors: true}\ncurrent-context: work\n\
                       clusters:\n- {name: work, cluster: {server: 'https://w'}}\n\
                       - {name: lab, cluster: {server: 'https://old', certificate-authority-data: QQ==}}\n\
                       contexts:\n- {name: work, context: {}}\nusers: null\n";
    const NEW: &str = "apiVersion: v1\nkind: Config\ncurrent-context: admin@lab\n\
                       clusters:\n- {name: lab, cluster: {server: 'https://new', certificate-authority-data: QQ==}}\n\
                       contexts:\n- {name: admin@lab, context: {cluster: lab}}\nusers:\n- {name: admin@lab, user: {}}\n";

    fn value(text: &str) -> Value {
        serde_yaml::from_str(text).expect("YAML")
    }

    #[test]
    fn entries_of_the_same_name_are_replaced_and_others_stay() {
        let merged = merged(OLD, NEW, true, false).expect("both are kubeconfigs");
        let text = value(&merged.text);
        assert_eq!(merged.context, "admin@lab");
        assert_eq!(text["current-context"], "admin@lab");
        assert_eq!(text["preferences"]["colors"], true);
        assert_eq!(text["clusters"].as_array().expect("a list").len(), 2);
        assert_eq!(text["clusters"][1]["cluster"]["server"], "https://new");
        assert_eq!(text["users"][0]["name"], "admin@lab");
        let again = super::merged(&merged.text, NEW, true, false).expect("as before");
        assert_eq!(value(&again.text), text);
    }

    #[test]
    fn it_leads_to_a_forwarded_port() {
        let led = led_to(NEW, "https://127.0.0.1:40001").expect("a kubeconfig");
        let led = value(&led);
        assert_eq!(
            led["clusters"][0]["cluster"]["server"],
            "https://127.0.0.1:40001"
        );
        assert_eq!(led["current-context"], "admin@lab");
    }

    #[test]
    fn the_current_context_is_left_on_demand() {
        let merged = merged(OLD, NEW, false, false).expect("both are kubeconfigs");
        assert_eq!(value(&merged.text)["current-context"], "work");
        let first = super::merged("", NEW, false, false).expect("a kubeconfig");
        assert_eq!(value(&first.text)["current-context"], "admin@lab");
    }

    #[test]
    fn what_is_no_kubeconfig_is_not_touched() {
        for old in ["- a\n", "clusters: {}\n", "a: [\n"] {
            assert!(merged(old, NEW, true, false).is_err(), "{old}");
        }
    }

    #[test]
    fn another_cluster_of_the_same_name_is_not_replaced_unasked() {
        let other = OLD.replace("QQ==", "Qg==");
        let refused = merged(&other, NEW, true, false).expect_err("it is another one");
        assert!(refused.to_string().contains("--force"), "{refused}");
        let forced = merged(&other, NEW, true, true).expect("it was asked for");
        assert_eq!(
            value(&forced.text)["clusters"][1]["cluster"]["server"],
            "https://new"
        );
    }

    #[test]
    fn no_key_is_shown_when_it_cannot_be_read() {
        let broken = "users:\n- name: a\n  user:\n\tclient-key-data: S0VZS0VZ\n";
        let error = merged(broken, NEW, true, false).expect_err("it has a tab");
        assert!(!format!("{error:#}").contains("S0VZ"), "{error:#}");
    }
}
