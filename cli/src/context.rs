//! Contexts: which cluster osctl speaks to, whom it believes and who it is.
//!
//! One YAML file under the user's configuration folder holds them all. It is written whole, mode 0600, because it holds
//! the client's key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use pki::Certificate;
use serde::{Deserialize, Serialize};

use crate::files::{self, Existing};

/// All contexts of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The name of the context that commands use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// The contexts by name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// The authority that signs the nodes' certificates, PEM.
    pub(crate) ca: String,
    /// The client's certificate, PEM.
    pub(crate) certificate: String,
    /// The client's key, PEM.
    pub(crate) key: String,
    /// The nodes that are known by name.
    #[serde(default)]
    pub(crate) nodes: Vec<Node>,
}

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    /// The name its certificate is for.
    pub(crate) name: String,
    /// Where its API is reached, `HOST:PORT`.
    pub(crate) address: String,
}

/// The file of a user's contexts.
#[derive(Clone, Debug)]
pub(crate) struct ContextFile {
    path: PathBuf,
}

impl ContextFile {
    /// The file given, or the one in the user's configuration folder.
    pub(crate) fn new(given: Option<&Path>) -> Result<Self> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => files::config_home()?.join("contexts.yaml"),
        };
        Ok(Self { path })
    }

    /// Where the contexts are kept.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// All contexts; none when there is no file yet.
    pub(crate) fn load(&self) -> Result<Contexts> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Contexts::default());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("reading {}", self.path.display()));
            }
        };
        parse(&text).with_context(|| {
            format!(
                "{} is damaged; mend it, or move it away and begin a new one with `osctl context add` or `osctl gen crt`",
                self.path.display()
            )
        })
    }

    /// Changes the contexts, while no other osctl does.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Contexts) -> Result<T>) -> Result<T> {
        // The file is replaced, so its folder is what can be locked.
        let _lock = files::lock_folder(&self.path)?;
        let mut contexts = self.load()?;
        let outcome = change(&mut contexts)?;
        self.save(&contexts)?;
        Ok(outcome)
    }

    fn save(&self, contexts: &Contexts) -> Result<()> {
        let text = serde_yaml::to_string(contexts).context("writing contexts as YAML")?;
        files::write_secret(&self.path, &text, Existing::Replace)
    }

    /// The context of this name, or the current one.
    pub(crate) fn pick(&self, name: Option<&str>) -> Result<(String, Context)> {
        let mut contexts = self.load()?;
        let Some(name) = name.map(str::to_owned).or(contexts.current.take()) else {
            bail!(
                "no context is chosen in {}; `osctl cluster create` makes a local cluster with one, \
                 `osctl context add` takes one from files, `osctl context use` chooses",
                self.path.display()
            );
        };
        let known = contexts.names();
        match contexts.contexts.remove(&name) {
            Some(context) => Ok((name, context)),
            None => bail!(
                "no context named {name:?} in {}; there are: {known}",
                self.path.display()
            ),
        }
    }
}

impl Context {
    /// Takes the nodes of the context that this one replaces, if it names none itself and is of the same cluster.
    pub(crate) fn keep_nodes(&mut self, before: Option<&Self>) {
        if let Some(before) = before.filter(|before| before.ca == self.ca)
            && self.nodes.is_empty()
        {
            self.nodes.clone_from(&before.nodes);
        }
    }

    /// Takes a node in, in the place of what has its name or its address: it was moved or renamed then.
    pub(crate) fn set_node(&mut self, node: Node) {
        let is_it = |other: &Node| other.name == node.name || other.address == node.address;
        let place = self.nodes.iter().position(is_it);
        self.nodes.retain(|other| !is_it(other));
        let place = place.unwrap_or(self.nodes.len());
        self.nodes.insert(place, node);
    }

    /// The client's certificate, read; `name` is the context's.
    pub(crate) fn own_certificate(&self, name: &str) -> Result<Certificate> {
        Certificate::from_pem(&self.certificate).with_context(|| {
            format!(
                "your certificate in context {name:?} is damaged; `osctl gen crt --name {name} --force` issues a new one"
            )
        })
    }

    /// Refuses a certificate that no node would take now: nodes themselves say it less clearly.
    pub(crate) fn check(&self, name: &str, now: Timestamp) -> Result<()> {
        let own = self.own_certificate(name)?;
        if now > own.not_after {
            bail!(
                "your certificate in context {name:?} ended at {}; `osctl gen crt --name {name} --force` issues a new one",
                own.not_after
            );
        }
        if now < own.not_before {
            bail!(
                "your certificate in context {name:?} begins to hold at {}; compare the clock of this computer",
                own.not_before
            );
        }
        Ok(())
    }
}

impl Contexts {
    /// The names, for people.
    pub(crate) fn names(&self) -> String {
        if self.contexts.is_empty() {
            return "none".to_owned();
        }
        self.contexts
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Takes every context of `other`; one of the same name and another content is refused unless `force`.
    pub(crate) fn merge(&mut self, other: Contexts, force: bool) -> Result<Vec<String>> {
        let clash = |name: &String, context: &Context| {
            self.contexts
                .get(name)
                .is_some_and(|mine| *mine != *context)
        };
        if let Some((name, _)) = other
            .contexts
            .iter()
            .find(|(name, context)| !force && clash(name, context))
        {
            bail!("a context named {name:?} exists with another content; --force replaces it");
        }
        let names: Vec<_> = other.contexts.keys().cloned().collect();
        if names.iter().any(String::is_empty) {
            bail!("a context needs a name");
        }
        self.contexts.extend(other.contexts);
        if self.current.is_none() {
            self.current = other.current.or_else(|| names.first().cloned());
        }
        Ok(names)
    }
}

/// Contexts from YAML.
pub(crate) fn parse(text: &str) -> Result<Contexts> {
    if text.trim().is_empty() {
        return Ok(Contexts::default());
    }
    files::parse_secret(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(address: &str) -> Context {
        let node = Node {
            name: "one".into(),
            address: address.into(),
        };
        Context {
            ca: "CA\n".into(),
            certificate: "CERT\n".into(),
            key: "KEY\n".into(),
            nodes: vec![node],
        }
    }

    fn contexts(name: &str, address: &str) -> Contexts {
        Contexts {
            current: Some(name.into()),
            contexts: [(name.into(), context(address))].into(),
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = ContextFile::new(Some(&folder.path().join("contexts.yaml"))).expect("a file");
        assert_eq!(file.load().expect("nothing yet"), Contexts::default());
        file.change(|all| all.merge(contexts("demo", "127.0.0.1:1"), false))
            .expect("saved");
        assert_eq!(
            file.load().expect("loaded"),
            contexts("demo", "127.0.0.1:1")
        );
        assert_eq!(file.pick(None).expect("current").0, "demo");
        let error = file.pick(Some("other")).expect_err("unknown");
        assert!(error.to_string().ends_with("there are: demo"), "{error}");
    }

    #[test]
    fn a_merge_never_replaces_silently() {
        let mut mine = contexts("demo", "127.0.0.1:1");
        assert!(mine.merge(contexts("demo", "127.0.0.1:2"), false).is_err());
        assert_eq!(mine, contexts("demo", "127.0.0.1:1"));
        mine.merge(contexts("demo", "127.0.0.1:2"), true)
            .expect("forced");
        mine.merge(contexts("lab", "10.0.0.1:50000"), false)
            .expect("new");
        assert_eq!(mine.current.as_deref(), Some("demo"));
        assert_eq!(mine.names(), "demo, lab");
    }

    #[test]
    fn a_node_is_renamed_moved_or_added_and_never_there_twice() {
        let node = |name: &str, address: &str| Node {
            name: name.into(),
            address: address.into(),
        };
        let mut context = context("10.0.0.1:1");
        context.set_node(node("two", "10.0.0.2:1"));
        context.set_node(node("renamed", "10.0.0.1:1"));
        context.set_node(node("two", "10.0.0.3:1"));
        let nodes = [node("renamed", "10.0.0.1:1"), node("two", "10.0.0.3:1")];
        assert_eq!(context.nodes, nodes);
        context.set_node(node("renamed", "10.0.0.3:1"));
        assert_eq!(context.nodes, [node("renamed", "10.0.0.3:1")]);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(parse("contexts: {}\ncurrant: demo\n").is_err());
    }
}
