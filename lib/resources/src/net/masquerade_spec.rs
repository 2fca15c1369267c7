//! Whose packets leave the node in its own name, since nobody out there knows the way back to their sender.
//!
//! Written by machined in `network`, id `pods`.

use serde::{Deserialize, Serialize};
use store::Spec;

use super::{Cidr, LinkName};

/// The id of the only resource of this type.
pub const PODS: &str = "pods";

/// Senders, and what they reach in their own name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "MasqueradeSpecs.net.garboard",
    namespace = "network",
    columns(("SOURCES", "sources"), ("EXCEPT", "except"), ("INSIDE", "inside"))
)]
pub struct MasqueradeSpec {
    /// The ranges of the senders.
    #[field(1)]
    pub sources: Vec<Cidr>,
    /// What they reach in their own name, besides one another.
    #[field(2)]
    pub except: Vec<Cidr>,
    /// The link that senders are on: what goes out there stays among them.
    #[field(3)]
    pub inside: LinkName,
}
