//! The documents of a config while patches change them.

use std::sync::Arc;

use super::{Wrong, shown, wrong};
use crate::API_VERSION;
use crate::document::{Document, Documents, Identity};
use crate::node::{Entry, Node, Value};
use crate::problem::Place;
use crate::read::{Header, header, unknown_kind};
use crate::schema::KindSchema;
use crate::tree::Tree;

/// All documents, in order.
#[derive(Clone)]
pub(super) struct Stream {
    pub(super) held: Vec<Held>,
    pub(super) notes: Vec<Wrong>,
    schemas: Arc<[KindSchema]>,
}

/// A document.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) identity: Identity,
    /// All of it, `apiVersion` and `kind` included.
    pub(super) node: Arc<Node>,
    /// Which document of the config it was.
    pub(super) origin: Option<usize>,
}

impl Stream {
    /// The documents of a config as it was read.
    pub(super) fn new(trees: &[Tree], documents: &Documents) -> Self {
        let pairs = trees.iter().zip(documents.iter()).enumerate();
        let held = pairs.map(|(index, (tree, document))| Held {
            identity: document.identity(),
            node: Arc::clone(&tree.node),
            origin: Some(index),
        });
        Self {
            held: held.collect(),
            notes: Vec::new(),
            schemas: Document::schemas().into(),
        }
    }

    /// What documents of a kind look like.
    pub(super) fn schema(&self, kind: &str) -> Option<&KindSchema> {
        self.schemas.iter().find(|it| it.kind == kind)
    }

    pub(super) fn find(&self, identity: &Identity) -> Option<&Held> {
        self.held.iter().find(|it| it.identity == *identity)
    }

    /// Makes this the content of a document, which is the last when it is new.
    pub(super) fn put(&mut self, identity: Identity, node: Arc<Node>) {
        match self.held.iter_mut().find(|it| it.identity == identity) {
            Some(held) => held.node = node,
            None => self.held.push(Held {
                identity,
                node,
                origin: None,
            }),
        }
    }

    /// Removes a document; whether it was there.
    pub(super) fn remove(&mut self, identity: &Identity) -> bool {
        let before = self.held.len();
        self.held.retain(|it| it.identity != *identity);
        self.held.len() < before
    }

    /// There is no such document.
    pub(super) fn missing(&self, identity: &Identity, place: Place) -> Wrong {
        let wrong = Wrong::new(place, format!("there is no {} here", printed(identity)));
        let names = self.held.iter().filter_map(|it| {
            let same = it.identity.kind == identity.kind;
            it.identity.name.as_deref().filter(|_| same)
        });
        match &identity.name {
            Some(name) => wrong.among(name, names),
            None => wrong,
        }
    }
}

fn printed(identity: &Identity) -> String {
    match &identity.name {
        Some(name) => format!("{} `{}`", identity.kind, shown(name)),
        None => identity.kind.to_owned(),
    }
}

/// Which document a document of a patch is about, from its `kind` and its name.
pub(super) fn identity(node: &Node, schemas: &[KindSchema]) -> Result<Identity, Wrong> {
    let entries = node.entries().unwrap_or_default();
    let read = |key| header(entries, key, node.place).map_err(|error| wrong(error, node.place));
    let kind = read("kind")?;
    let schema = find_kind(schemas, &kind)?;
    let name = schema.name.map(read).transpose();
    let name = name.map_err(|wrong| match wrong.help {
        None => wrong.help(format!("by its name, a patch finds a {}", schema.kind)),
        Some(_) => wrong,
    })?;
    Ok(named(schema, name.map(|it| it.word)))
}

/// The document of a kind that a patch calls so, in any spelling. What can be no name is found by nobody, and refused
/// when a document with it is read.
pub(super) fn named(schema: &KindSchema, name: Option<String>) -> Identity {
    Identity {
        kind: schema.kind,
        name: name.map(|name| Document::canonical(schema.kind, &name).unwrap_or(name)),
    }
}

fn find_kind<'a>(schemas: &'a [KindSchema], kind: &Header) -> Result<&'a KindSchema, Wrong> {
    let found = schemas.iter().find(|it| it.kind == kind.word);
    found.ok_or_else(|| wrong(unknown_kind(kind), kind.place))
}

impl Stream {
    /// Which document a document of a patch is about.
    pub(super) fn identity(&self, node: &Node) -> Result<Identity, Wrong> {
        identity(node, &self.schemas)
    }

    /// A whole document: first what says which it is, then its fields.
    pub(super) fn whole(&self, identity: &Identity, fields: Vec<Entry>, place: Place) -> Arc<Node> {
        let name = self.schema(identity.kind).and_then(|it| it.name);
        let line = |key: &str, text: &str| Entry {
            key: key.to_owned(),
            place,
            value: Arc::new(Node::new(
                Value::Scalar {
                    text: text.to_owned(),
                    plain: false,
                },
                place,
            )),
        };
        let mut entries = vec![line("apiVersion", API_VERSION), line("kind", identity.kind)];
        if let (Some(key), Some(name)) = (name, &identity.name) {
            entries.push(line(key, name));
        }
        entries.extend(fields);
        Arc::new(Node::new(Value::Map(entries), place))
    }

    /// The fields of a document, without what says which it is.
    pub(super) fn fields(&self, identity: &Identity, node: &Node) -> Vec<Entry> {
        let name = self.schema(identity.kind).and_then(|it| it.name);
        let entries = node.entries().unwrap_or_default().iter();
        entries
            .filter(|it| !matches!(it.key.as_str(), "apiVersion" | "kind"))
            .filter(|it| Some(it.key.as_str()) != name)
            .cloned()
            .collect()
    }
}
