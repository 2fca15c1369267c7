//! The types the crate's own tests store.

use serde::{Deserialize, Serialize};

use crate::{Reference, Resource, Spec};

pub(crate) const NS: &str = "test";

/// Says a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "Numbers.test.example", namespace = "test")]
pub(crate) struct Number {
    /// The number.
    #[field(1)]
    pub(crate) value: u32,
}

/// Says a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[spec(type = "Secrets.test.example", namespace = "test", sensitive)]
pub(crate) struct Secret {
    /// The secret.
    #[field(1)]
    pub(crate) word: String,
}

pub(crate) fn number(id: &str, value: u32) -> Resource {
    Resource::in_default(id, Number { value })
}

pub(crate) fn secret(id: &str, word: &str) -> Resource {
    Resource::in_default(
        id,
        Secret {
            word: word.to_owned(),
        },
    )
}

pub(crate) fn reference(id: &str) -> Reference {
    Reference::new(NS, Number::DEFINITION.ty, id)
}
