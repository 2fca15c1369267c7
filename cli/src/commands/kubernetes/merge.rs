//! Merging a kubeconfig into another one, and taking it out again. Pure.

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::files;

/// The lists of a kubeconfig, whose entries have names.
const LISTS: [&str; 3] = ["clusters", "contexts", "users"];

/// The key of the context that is used.
const CURRENT: &str = "current-context";

/// Where the authority of a cluster stands.
const AUTHORITY: &str = "/cluster/certificate-authority-data";

/// Where the place of its API server stands.
const SERVER: &str = "/cluster/server";

/// A merged kubeconfig.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The file.
    pub(crate) text: String,
    /// What came in.
    pub(crate) entry: Entry,
    /// The context that was the current one before.
    pub(crate) before: Option<String>,
}

/// What a kubeconfig of one cluster puts into another one: enough to find it there again, and nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The name of its cluster.
    pub(crate) cluster: String,
    /// The name of its context.
    pub(crate) context: String,
    /// The name of its user.
    pub(crate) user: String,
    /// The authority of the cluster, which tells it from others of its name.
    pub(crate) authority: String,
}

impl Entry {
    /// That of a kubeconfig's current context.
    fn of(config: &Map<String, Value>) -> Option<Self> {
        let context = current(config)?;
        let of_context = named(config, "contexts", context)?;
        let part = |pointer: &str| of_context.pointer(pointer).and_then(Value::as_str);
        let (cluster, user) = (part("/context/cluster")?, part("/context/user")?);
        let of_cluster = named(config, "clusters", cluster)?;
        Some(Self {
            cluster: cluster.to_owned(),
            context: context.to_owned(),
            user: user.to_owned(),
            authority: of_cluster.pointer(AUTHORITY)?.as_str()?.to_owned(),
        })
    }
}

/// The current context, when there is one.
fn current(config: &Map<String, Value>) -> Option<&str> {
    let current = config.get(CURRENT)?.as_str()?;
    (!current.is_empty()).then_some(current)
}

/// The entry of a list that is called so.
fn named<'a>(config: &'a Map<String, Value>, list: &str, name: &str) -> Option<&'a Value> {
    let mut entries = config.get(list)?.as_array()?.iter();
    entries.find(|it| is_called(it, name))
}

fn is_called(entry: &Value, name: &str) -> bool {
    entry.get("name").and_then(Value::as_str) == Some(name)
}

/// Where the cluster of this name in a kubeconfig has its API server, when there is such a cluster.
///
/// # Errors
/// It is no kubeconfig.
pub(crate) fn server(text: &str, cluster: &str) -> Result<Option<String>> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let config = parse(text)?;
    for list in LISTS {
        entries(&config, list)?;
    }
    let server = named(&config, "clusters", cluster).map(|it| it.pointer(SERVER));
    let server = server.map(|it| it.and_then(Value::as_str).unwrap_or_default().to_owned());
    Ok(server)
}

/// The same kubeconfig without an entry, when that is still in it. If its context is the current one, `before` is that again, as far
/// as it is there. Everything else stays.
///
/// # Errors
/// It is no kubeconfig.
pub(crate) fn without(text: &str, entry: &Entry, before: Option<&str>) -> Result<Option<String>> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut config = parse(text)?;
    let cluster = named(&config, "clusters", &entry.cluster);
    let authority = cluster.and_then(|it| it.pointer(AUTHORITY)?.as_str());
    if authority != Some(entry.authority.as_str()) {
        return Ok(None);
    }
    let ours = |it: &Value| {
        let cluster = it.pointer("/context/cluster").and_then(Value::as_str);
        is_called(it, &entry.context) && cluster == Some(entry.cluster.as_str())
    };
    let mut contexts = entries(&config, "contexts")?;
    contexts.retain(|it| !ours(it));
    let uses = |pointer: &str, name: &str| {
        let mut users = contexts.iter();
        users.any(|it| it.pointer(pointer).and_then(Value::as_str) == Some(name))
    };
    // A context that somebody made beside ours keeps what it leads to.
    for (list, pointer, name) in [
        ("clusters", "/context/cluster", &entry.cluster),
        ("users", "/context/user", &entry.user),
    ] {
        if !uses(pointer, name) {
            let mut left = entries(&config, list)?;
            left.retain(|it| !is_called(it, name));
            config.insert(list.to_owned(), Value::Array(left));
        }
    }
    let is_there = |name: &str| contexts.iter().any(|it| is_called(it, name));
    if current(&config).is_some_and(|it| it == entry.context && !is_there(it)) {
        let back = before.filter(|it| is_there(it)).unwrap_or_default();
        config.insert(CURRENT.to_owned(), back.into());
    }
    config.insert("contexts".to_owned(), Value::Array(contexts));
    Ok(Some(serde_yaml::to_string(&config)?))
}

/// What the kubeconfig that a node sent puts into another one.
///
/// # Errors
/// It is no kubeconfig.
pub(crate) fn entry(sent: &str) -> Result<Entry> {
    let entry = Entry::of(&parse(sent).context("what the node sent")?);
    entry.context("the node sent a kubeconfig without a context, or without its cluster; it may be newer than this osctl")
}

/// Takes the entries of `new` into `old`, in the place of those of the same names. Everything else stays.
///
/// # Errors
/// One of them is no kubeconfig; or `old` has another cluster of the same name, and it is not to be replaced.
pub(crate) fn merged(old: &str, new: &str, make_current: bool, force: bool) -> Result<Merged> {
    let entry = entry(new)?;
    let new = parse(new).context("what the node sent")?;
    let mut merged = if old.trim().is_empty() {
        let mut empty = new.clone();
        for list in LISTS {
            empty.insert(list.to_owned(), Value::Array(Vec::new()));
        }
        empty.remove(CURRENT);
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
    let before = current(&merged).map(str::to_owned);
    if make_current || before.is_none() {
        merged.insert(CURRENT.to_owned(), entry.context.clone().into());
    }
    Ok(Merged {
        text: serde_yaml::to_string(&merged)?,
        entry,
        before,
    })
}

/// Refuses to take the place of another cluster, which has another authority.
fn no_other(old: &Map<String, Value>, new: &Map<String, Value>) -> Result<()> {
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
pub(crate) fn led_to(text: &str, server: &str) -> Result<String> {
    let mut config = parse(text).context("what the node sent")?;
    let mut clusters = entries(&config, "clusters")?;
    for cluster in &mut clusters {
        let place = cluster.pointer_mut(SERVER);
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
                       contexts:\n- {name: admin@lab, context: {cluster: lab, user: admin@lab}}\nusers:\n- {name: admin@lab, user: {}}\n";

    fn value(text: &str) -> Value {
        serde_yaml::from_str(text).expect("YAML")
    }

    #[test]
    fn entries_of_the_same_name_are_replaced_and_others_stay() {
        let merged = merged(OLD, NEW, true, false).expect("both are kubeconfigs");
        let text = value(&merged.text);
        assert_eq!(merged.entry.context, "admin@lab");
        assert_eq!(merged.before.as_deref(), Some("work"));
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
            assert!(server(old, "lab").is_err(), "{old}");
        }
        for new in [
            NEW.replace("current-context: admin@lab", "current-context: ''"),
            NEW.replace("certificate-authority-data: QQ==", "a: b"),
        ] {
            assert!(merged(OLD, &new, true, false).is_err(), "{new}");
        }
    }

    #[test]
    fn what_came_in_goes_out_again_and_everything_else_stays() {
        let Merged {
            text,
            entry,
            before,
        } = merged(OLD, NEW, true, false).expect("both are kubeconfigs");
        let left = without(&text, &entry, before.as_deref()).expect("a kubeconfig");
        let left = value(&left.expect("it was in there"));
        assert_eq!(left["current-context"], "work");
        assert_eq!(left["preferences"]["colors"], true);
        let mut clusters = value(OLD)["clusters"].clone();
        clusters.as_array_mut().expect("a list").truncate(1);
        assert_eq!(left["clusters"], clusters);
        assert_eq!(left["contexts"], value(OLD)["contexts"]);
        assert_eq!(left["users"].as_array().expect("a list").len(), 0);
        let again = serde_yaml::to_string(&left).expect("YAML");
        assert_eq!(without(&again, &entry, None).expect("a kubeconfig"), None);
        assert_eq!(without("", &entry, None).expect("no file"), None);
    }

    #[test]
    fn only_what_is_still_ours_goes_out() {
        let merged = merged(OLD, NEW, true, false).expect("both are kubeconfigs");
        let (text, entry) = (&merged.text, &merged.entry);
        let other = text.replace("QQ==", "Qg==");
        assert_eq!(without(&other, entry, None).expect("a kubeconfig"), None);

        // Of a context that somebody added, nothing is taken away; one that is current stays so.
        let mut config = value(text);
        config["current-context"] = "mine".into();
        let mine = value("{name: mine, context: {cluster: lab, user: admin@lab, namespace: x}}");
        let contexts = config["contexts"].as_array_mut().expect("a list");
        contexts.push(mine);
        let text = serde_yaml::to_string(&config).expect("YAML");
        let left = without(&text, entry, Some("gone")).expect("a kubeconfig");
        let left = value(&left.expect("it was in there"));
        assert_eq!(left["current-context"], "mine");
        assert_eq!(left["contexts"].as_array().expect("a list").len(), 2);
        assert_eq!(
            (&left["clusters"], &left["users"]),
            (&config["clusters"], &config["users"])
        );

        // Without the one before, no context is the current one.
        let left = without(&merged.text, entry, Some("gone")).expect("a kubeconfig");
        assert_eq!(
            value(&left.expect("it was in there"))["current-context"],
            ""
        );
    }

    #[test]
    fn where_a_cluster_is_can_be_told() {
        assert_eq!(
            server(OLD, "lab").expect("one").as_deref(),
            Some("https://old")
        );
        assert_eq!(server(OLD, "other").expect("one"), None);
        assert_eq!(server("", "lab").expect("no file"), None);
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
