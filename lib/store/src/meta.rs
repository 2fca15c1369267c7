//! The two types that describe the others: resource definitions and namespaces. Names and field numbers are the
//! contract's, so that any of its clients can read them.

use serde::{Deserialize, Serialize};

use crate::{Resource, Spec, SpecEnum, SpecMessage};

/// The namespace of both, and the owner of what the program itself registers there.
pub const META: &str = "meta";

/// A column as a resource definition carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, SpecMessage)]
#[serde(rename_all = "camelCase")]
pub struct PrintColumn {
    /// Its heading.
    #[field(1)]
    pub name: String,
    /// Where its value is in the YAML spec.
    #[field(2)]
    pub json_path: String,
}

/// Who may read a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
pub enum Sensitivity {
    /// Every reader.
    #[default]
    #[serde(rename = "")]
    Open = 0,
    /// Only an administrator.
    #[serde(rename = "sensitive")]
    Sensitive = 1,
}

/// A resource type, as tools see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[spec(
    type = "ResourceDefinitions.meta.cosi.dev",
    namespace = "meta",
    aliases("api-resources"),
    columns(("ALIASES", "aliases"))
)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDefinition {
    /// The full name.
    #[field(1)]
    #[serde(rename = "type")]
    pub ty: String,
    /// The name for one of them.
    #[field(2)]
    pub display_type: String,
    /// The namespace tools look in unless told another.
    #[field(3)]
    pub default_namespace: String,
    /// The short names.
    #[field(4)]
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Every name a person may type, except the full one.
    #[field(5)]
    #[serde(default)]
    pub all_aliases: Vec<String>,
    /// The table's columns.
    #[field(6)]
    #[serde(default)]
    pub print_columns: Vec<PrintColumn>,
    /// Who may read it.
    #[field(7)]
    #[serde(default)]
    pub sensitivity: Sensitivity,
}

impl ResourceDefinition {
    /// Whether a person who typed this means this type: the full name or an alias, in any case.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.ty.to_ascii_lowercase() == name || self.all_aliases.contains(&name)
    }

    /// Its resource, as the program registers it.
    #[must_use]
    pub fn into_resource(self) -> Resource {
        Resource::new(META, self.ty.to_ascii_lowercase(), self)
    }
}

/// A namespace; resources may also live in one that has no such resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[spec(
    type = "Namespaces.meta.cosi.dev",
    namespace = "meta",
    aliases("ns"),
    columns(("DESCRIPTION", "description"))
)]
pub struct Namespace {
    /// What it is for.
    #[field(1)]
    pub description: String,
}
