//! The types a process knows: by full name, by alias, from bytes.

use std::collections::BTreeMap;
use std::fmt;

use crate::codec::{DecodeError, Descriptor, Message};
use crate::definition::{Definition, DefinitionError};
use crate::meta::{Namespace, ResourceDefinition};
use crate::spec::{ErasedSpec, RawSpec, Spec};

/// Why a type cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Its definition breaks a rule.
    #[error("cannot register {ty}")]
    Definition {
        /// The type.
        ty: &'static str,
        /// The rule.
        #[source]
        source: DefinitionError,
    },
    /// Another type has the name, up to case.
    #[error("type {ty} is registered already")]
    Taken {
        /// The type.
        ty: &'static str,
    },
}

/// Why a name means no type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No type answers to it.
    #[error("no resource type is called {name:?}")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Several types answer to it.
    #[error("{name:?} may mean {}", types.join(" or "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The types, in order.
        types: Vec<String>,
    },
}

/// A spec's YAML does not fit its type.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not the spec of a {ty}: {reason}")]
pub struct FromYamlError {
    /// The type.
    pub ty: &'static str,
    /// What the reader said, with the place.
    pub reason: String,
}

/// What the registry can do with a type.
#[derive(Clone, Copy)]
struct Known {
    definition: &'static Definition,
    descriptor: Descriptor,
    decode: fn(&[u8]) -> Result<ErasedSpec, DecodeError>,
    from_yaml: fn(&str) -> Result<ErasedSpec, FromYamlError>,
}

/// The types a process knows.
#[derive(Clone)]
pub struct Registry {
    types: BTreeMap<&'static str, Known>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// Knows the two types that describe the others.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Self {
            types: BTreeMap::new(),
        };
        registry.insert::<ResourceDefinition>();
        registry.insert::<Namespace>();
        registry
    }

    /// Adds a type.
    ///
    /// # Errors
    /// When its definition breaks a rule or its name is taken.
    pub fn register<S: Spec>(&mut self) -> Result<&mut Self, RegistryError> {
        let ty = S::DEFINITION.ty;
        S::DEFINITION
            .validate()
            .map_err(|source| RegistryError::Definition { ty, source })?;
        if self
            .types
            .keys()
            .any(|known| known.eq_ignore_ascii_case(ty))
        {
            return Err(RegistryError::Taken { ty });
        }
        self.insert::<S>();
        Ok(self)
    }

    fn insert<S: Spec>(&mut self) {
        let known = Known {
            definition: &S::DEFINITION,
            descriptor: <S as Message>::DESCRIPTOR,
            decode: |bytes| S::decode(bytes).map(ErasedSpec::new),
            from_yaml: from_yaml::<S>,
        };
        self.types.insert(S::DEFINITION.ty, known);
    }

    /// A type's definition, by its full name.
    #[must_use]
    pub fn definition(&self, ty: &str) -> Option<&'static Definition> {
        self.types.get(ty).map(|known| known.definition)
    }

    /// All definitions, by full name.
    pub fn definitions(&self) -> impl Iterator<Item = &'static Definition> {
        self.types.values().map(|known| known.definition)
    }

    /// The one type a person means: its full name or an alias, in any case. A full name wins over aliases.
    ///
    /// # Errors
    /// When no type or several types answer to the name.
    pub fn lookup(&self, name: &str) -> Result<&'static Definition, LookupError> {
        let lower = name.to_ascii_lowercase();
        if let Some(full) = self.definitions().find(|d| d.id() == lower) {
            return Ok(full);
        }
        let found: Vec<_> = self
            .definitions()
            .filter(|definition| definition.all_aliases().contains(&lower))
            .collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => Err(LookupError::Unknown {
                name: name.to_owned(),
            }),
            several => Err(LookupError::Ambiguous {
                name: name.to_owned(),
                types: several.iter().map(|d| d.ty.to_owned()).collect(),
            }),
        }
    }

    /// A spec from its wire forms. A type nobody registered keeps both as they are.
    ///
    /// # Errors
    /// When a known type's bytes are not a spec of it.
    pub fn decode(&self, ty: &str, proto: &[u8], yaml: &str) -> Result<ErasedSpec, DecodeError> {
        match self.types.get(ty) {
            Some(known) => (known.decode)(proto),
            None => Ok(ErasedSpec::raw(RawSpec {
                proto: proto.to_vec(),
                yaml: yaml.to_owned(),
                sensitive: false,
            })),
        }
    }

    /// A known type's spec from YAML; `None` when nobody registered the type.
    ///
    /// # Errors
    /// When the YAML is not a spec of it.
    pub fn from_yaml(&self, ty: &str, yaml: &str) -> Option<Result<ErasedSpec, FromYamlError>> {
        Some((self.types.get(ty)?.from_yaml)(yaml))
    }

    /// One line per type, field and enum number, in order: what [`crate::schema::check`] compares with its record.
    #[must_use]
    pub fn schema(&self) -> String {
        let mut out = String::new();
        for (ty, known) in &self.types {
            for row in crate::schema::rows(ty, &known.descriptor) {
                out.push_str(&format!("{row}\n"));
            }
        }
        out
    }
}

/// YAML may leave out what the bytes require; such a spec would be stored and then read by nobody.
fn from_yaml<S: Spec>(yaml: &str) -> Result<ErasedSpec, FromYamlError> {
    let refuse = |reason| FromYamlError {
        ty: S::DEFINITION.ty,
        reason,
    };
    let spec: S = serde_yaml::from_str(yaml).map_err(|error| refuse(error.to_string()))?;
    match S::decode(&spec.encode_to_vec()) {
        Ok(_) => Ok(ErasedSpec::new(spec)),
        Err(error) => Err(refuse(match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })),
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.types.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
