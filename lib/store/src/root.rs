//! The state itself: persistent ordered maps, shared between snapshots, changed only through `apply`.

use std::sync::Arc;

use imbl::OrdMap;

use crate::entry::Entry;
use crate::metadata::{Metadata, Reference, Revision, Uid, Version};

/// All resources of one type in one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kind {
    pub(crate) entries: OrdMap<Arc<str>, Arc<Entry>>,
    /// The highest version of anything destroyed here: new resources start above it, so that no id ever sees a
    /// version twice. One number per kind instead of one per destroyed id.
    floor: Version,
}

/// The whole state at one revision.
#[derive(Clone, Debug, Default)]
pub(crate) struct Root {
    pub(crate) revision: Revision,
    last_uid: u64,
    namespaces: OrdMap<Arc<str>, OrdMap<Arc<str>, Kind>>,
}

impl Root {
    pub(crate) fn kind(&self, namespace: &str, ty: &str) -> Option<&Kind> {
        self.namespaces.get(namespace)?.get(ty)
    }

    pub(crate) fn get(&self, namespace: &str, ty: &str, id: &str) -> Option<&Arc<Entry>> {
        self.kind(namespace, ty)?.entries.get(id)
    }

    pub(crate) fn find(&self, reference: &Reference) -> Option<&Arc<Entry>> {
        self.get(&reference.namespace, &reference.ty, &reference.id)
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &Kind)> {
        self.namespaces.iter().flat_map(|(namespace, kinds)| {
            kinds.iter().map(move |(ty, kind)| (namespace, ty, kind))
        })
    }

    pub(crate) fn next_uid(&mut self) -> Uid {
        self.last_uid += 1;
        Uid(self.last_uid)
    }

    /// The version a new resource of this kind starts with.
    pub(crate) fn first_version(&self, reference: &Reference) -> Version {
        self.kind(&reference.namespace, &reference.ty)
            .map_or(Version::UNDEFINED, |kind| kind.floor)
            .next()
    }

    /// Makes the identity's strings the ones the kind's other resources use.
    pub(crate) fn share_names(&self, metadata: &mut Metadata) {
        if let Some((namespace, kinds)) = self.namespaces.get_key_value(&*metadata.namespace) {
            metadata.namespace = Arc::clone(namespace);
            if let Some((ty, _)) = kinds.get_key_value(&*metadata.ty) {
                metadata.ty = Arc::clone(ty);
            }
        }
    }

    pub(crate) fn insert(&mut self, entry: Arc<Entry>) {
        let Reference { namespace, ty, id } = entry.reference();
        self.namespaces
            .entry(namespace)
            .or_default()
            .entry(ty)
            .or_default()
            .entries
            .insert(id, entry);
    }

    pub(crate) fn remove(&mut self, reference: &Reference) -> Option<Arc<Entry>> {
        let kind = self
            .namespaces
            .get_mut(&*reference.namespace)?
            .get_mut(&*reference.ty)?;
        let entry = kind.entries.remove(&*reference.id)?;
        kind.floor = kind.floor.max(entry.metadata.version);
        Some(entry)
    }
}
