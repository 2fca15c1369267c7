//! A resource: metadata and a spec, erased or typed, and its YAML document.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::metadata::{Metadata, Reference, Version};
use crate::spec::{ErasedSpec, Spec, YamlError};
use crate::yaml;

/// A resource whose type is known only at run time. Cheap to clone but for its metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Identity, version, owner and the rest.
    pub metadata: Metadata,
    /// What it says.
    pub spec: ErasedSpec,
}

impl Resource {
    /// A new resource of a known type; the type's name comes from the spec's definition.
    pub fn new<S: Spec>(namespace: impl Into<Arc<str>>, id: impl Into<Arc<str>>, spec: S) -> Self {
        Self {
            metadata: Metadata::new(namespace, S::DEFINITION.ty, id),
            spec: ErasedSpec::new(spec),
        }
    }

    /// A new resource in its type's default namespace.
    pub fn in_default<S: Spec>(id: impl Into<Arc<str>>, spec: S) -> Self {
        Self::new(S::DEFINITION.namespace, id, spec)
    }

    /// The spec, if it is of this Rust type.
    #[must_use]
    pub fn spec<S: Spec>(&self) -> Option<&S> {
        self.spec.get()
    }

    /// The identity alone.
    #[must_use]
    pub fn reference(&self) -> Reference {
        self.metadata.reference()
    }

    /// The same with one label more.
    #[must_use]
    pub fn with_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata = self.metadata.with_label(key, value);
        self
    }

    /// The document a person reads: `metadata`, then `spec`.
    ///
    /// # Errors
    /// When the spec has no YAML form.
    pub fn to_yaml(&self) -> Result<String, YamlError> {
        document(&self.metadata, self.spec.yaml()?).map_err(|reason| YamlError {
            ty: "metadata",
            reason,
        })
    }
}

/// A resource of a type known at compile time.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed<S: Spec> {
    /// Identity, version, owner and the rest.
    pub metadata: Metadata,
    /// What it says, shared with the store.
    pub spec: Arc<S>,
}

impl<S: Spec> Typed<S> {
    /// The same resource, typed; `None` when it is of another type, or its bytes are not a spec of this one.
    #[must_use]
    pub fn from_resource(resource: &Resource) -> Option<Self> {
        if *resource.metadata.ty != *S::DEFINITION.ty {
            return None;
        }
        let spec = resource.spec.to_shared().ok().flatten()?;
        Some(Self {
            metadata: resource.metadata.clone(),
            spec,
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.metadata.id
    }

    /// The same resource, erased.
    #[must_use]
    pub fn into_resource(self) -> Resource {
        Resource {
            metadata: self.metadata,
            spec: ErasedSpec::shared(self.spec),
        }
    }
}

impl<S: Spec> From<Typed<S>> for Resource {
    fn from(typed: Typed<S>) -> Self {
        typed.into_resource()
    }
}

/// The YAML form of metadata, in the contract's order of keys: up to the times, which are written without quotes,
/// and what follows them.
#[derive(Serialize)]
struct Head<'a> {
    namespace: &'a str,
    #[serde(rename = "type")]
    ty: &'a str,
    id: &'a str,
    version: VersionText,
    owner: &'a str,
    phase: &'static str,
}

#[derive(Serialize)]
struct Tail<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    finalizers: &'a [String],
}

#[derive(Serialize)]
#[serde(untagged)]
enum VersionText {
    Stored(u64),
    Undefined(&'static str),
}

/// RFC 3339 in whole seconds.
fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Puts metadata and a ready spec text under their keys, for raw specs as for typed ones.
fn document(metadata: &Metadata, spec: &str) -> Result<String, String> {
    let head = yaml::write(&Head {
        namespace: &metadata.namespace,
        ty: &metadata.ty,
        id: &metadata.id,
        version: match metadata.version {
            Version::UNDEFINED => VersionText::Undefined("undefined"),
            Version(number) => VersionText::Stored(number),
        },
        owner: &metadata.owner,
        phase: metadata.phase.as_str(),
    })?;
    let tail = yaml::write(&Tail {
        labels: &metadata.labels,
        annotations: &metadata.annotations,
        finalizers: metadata.finalizers.names(),
    })?;
    let (created, updated) = (seconds(metadata.created), seconds(metadata.updated));
    let tail = if tail.trim() == "{}" { "" } else { &tail };
    let mut out = String::from("metadata:");
    let metadata = format!("{head}created: {created}\nupdated: {updated}\n{tail}");
    yaml::nest(&metadata, &mut out);
    out.push_str("spec:");
    yaml::nest(spec, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests;
