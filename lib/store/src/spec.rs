//! Specs, typed and erased: what a resource says, behind one shared pointer, with its wire forms made once.
//!
//! An erased spec is immutable. Bytes and YAML are made when first asked for and kept with the spec, so all watchers
//! and all versions that share a spec share its encoding. A type this process does not know stays a pair of bytes and
//! YAML, exactly as it came.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{DecodeError, Message};
use crate::definition::Definition;
use crate::yaml;

/// What a resource type says: derived with `#[derive(Spec)]`.
pub trait Spec:
    Message + Serialize + DeserializeOwned + Clone + PartialEq + fmt::Debug + Send + Sync + 'static
{
    /// Its name, aliases, columns and sensitivity.
    const DEFINITION: Definition;
}

/// A spec cannot be written as YAML.
#[derive(Clone, Debug, thiserror::Error)]
#[error("spec of type {ty} has no YAML form: {reason}")]
pub struct YamlError {
    /// The type's full name.
    pub ty: &'static str,
    /// What the writer said.
    pub reason: String,
}

/// The two wire forms of a spec whose type this process does not know.
#[derive(Clone, PartialEq, Eq)]
pub struct RawSpec {
    /// The bytes as they came.
    pub proto: Vec<u8>,
    /// The YAML as it came.
    pub yaml: String,
    /// Whether its definition calls the type sensitive.
    pub sensitive: bool,
}

impl fmt::Debug for RawSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The content may be a secret of a type we cannot judge.
        write!(f, "RawSpec({} bytes)", self.proto.len())
    }
}

/// What the store needs of a typed spec without knowing its type.
trait DynSpec: Any + Send + Sync {
    fn definition(&self) -> &'static Definition;
    fn proto(&self) -> Vec<u8>;
    fn yaml(&self) -> Result<String, YamlError>;
    fn same(&self, other: &dyn DynSpec) -> bool;
    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<S: Spec> DynSpec for S {
    fn definition(&self) -> &'static Definition {
        &S::DEFINITION
    }

    fn proto(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    fn yaml(&self) -> Result<String, YamlError> {
        yaml::write(self).map_err(|reason| YamlError {
            ty: S::DEFINITION.ty,
            reason,
        })
    }

    fn same(&self, other: &dyn DynSpec) -> bool {
        other
            .as_any()
            .downcast_ref::<S>()
            .is_some_and(|other| self == other)
    }

    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

#[derive(Clone)]
enum Value {
    Typed(Arc<dyn DynSpec>),
    Raw(Arc<RawSpec>),
}

#[derive(Default)]
struct Wire {
    proto: OnceLock<Vec<u8>>,
    yaml: OnceLock<Result<String, YamlError>>,
}

/// A spec of any type; cheap to clone.
#[derive(Clone)]
pub struct ErasedSpec {
    value: Value,
    wire: Arc<Wire>,
}

impl ErasedSpec {
    /// A spec whose type this process knows.
    pub fn new<S: Spec>(spec: S) -> Self {
        Self::shared(Arc::new(spec))
    }

    /// The same for a spec that is shared already.
    pub fn shared<S: Spec>(spec: Arc<S>) -> Self {
        Self {
            value: Value::Typed(spec),
            wire: Arc::default(),
        }
    }

    /// A spec whose type this process does not know.
    #[must_use]
    pub fn raw(spec: RawSpec) -> Self {
        Self {
            value: Value::Raw(Arc::new(spec)),
            wire: Arc::default(),
        }
    }

    /// The spec, if it is of this Rust type.
    #[must_use]
    pub fn get<S: Spec>(&self) -> Option<&S> {
        match &self.value {
            Value::Typed(spec) => (**spec).as_any().downcast_ref(),
            Value::Raw(_) => None,
        }
    }

    /// The same, shared. A raw spec is decoded.
    ///
    /// # Errors
    /// When a raw spec's bytes are not of this type. `Ok(None)` when it is of another Rust type.
    pub fn to_shared<S: Spec>(&self) -> Result<Option<Arc<S>>, DecodeError> {
        match &self.value {
            Value::Typed(spec) => Ok(Arc::clone(spec).into_any().downcast().ok()),
            Value::Raw(raw) => S::decode(&raw.proto).map(|spec| Some(Arc::new(spec))),
        }
    }

    /// Its type's definition; `None` when this process does not know it.
    #[must_use]
    pub fn definition(&self) -> Option<&'static Definition> {
        match &self.value {
            Value::Typed(spec) => Some((**spec).definition()),
            Value::Raw(_) => None,
        }
    }

    /// Whether only an administrator may read it.
    #[must_use]
    pub fn is_sensitive(&self) -> bool {
        match &self.value {
            Value::Typed(spec) => (**spec).definition().sensitive,
            Value::Raw(raw) => raw.sensitive,
        }
    }

    /// Its proto bytes.
    #[must_use]
    pub fn proto(&self) -> &[u8] {
        match &self.value {
            Value::Typed(spec) => self.wire.proto.get_or_init(|| (**spec).proto()),
            Value::Raw(raw) => &raw.proto,
        }
    }

    /// Its YAML.
    ///
    /// # Errors
    /// When its type serialises to something YAML has no form for.
    pub fn yaml(&self) -> Result<&str, YamlError> {
        match &self.value {
            Value::Typed(spec) => match self.wire.yaml.get_or_init(|| (**spec).yaml()) {
                Ok(yaml) => Ok(yaml),
                Err(error) => Err(error.clone()),
            },
            Value::Raw(raw) => Ok(&raw.yaml),
        }
    }
}

impl PartialEq for ErasedSpec {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Typed(a), Value::Typed(b)) => Arc::ptr_eq(a, b) || (**a).same(&**b),
            (Value::Raw(a), Value::Raw(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for ErasedSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            _ if self.is_sensitive() => f.write_str("<redacted>"),
            Value::Typed(spec) => (**spec).debug(f),
            Value::Raw(raw) => raw.fmt(f),
        }
    }
}
