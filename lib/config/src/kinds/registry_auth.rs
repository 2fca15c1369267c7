//! `RegistryAuth`: what a registry or a mirror lets the node in with.

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::{Password, RegistryHost, Username};

/// What a registry, or a mirror of one, lets the node in with.
///
/// It is sent with every request to that server, and to where that server has tokens fetched. Every pod of the node can be started from
/// images that are fetched with it; credentials of a pod (`imagePullSecrets`) are for what the node has none for.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: RegistryAuth
/// name: registry.example.org:5000
/// username: node
/// password: ExamplePassword
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryAuthConfig {
    /// The server, as the names of its images begin or as its URL in a `RegistryMirror` has it.
    pub name: RegistryHost,
    /// The user. Registries that have only tokens say what stands here.
    pub username: Username,
    /// The password, or the token that stands for it.
    pub password: Password,
}

impl Kind for RegistryAuthConfig {
    kind!(RegistryAuth, name);
}
