//! `RegistryMirror`: where images of a registry are fetched from before it is asked itself.

use derive::Schema;
use serde::{Deserialize, Serialize};

use super::no;
use crate::document::{Kind, kind};
use crate::types::{RegistryName, WebUrl};

/// Where images of a registry are fetched from before the registry itself is asked, or in its place.
///
/// Endpoints are asked in their order; one that does not answer, or has not got the image, is passed over. Images that came with the node
/// count before all of them. It holds from the next pull on, of pods as of services: nothing is started anew. `osctl get registries`
/// shows what each registry's images are fetched from.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: RegistryMirror
/// name: docker.io
/// endpoints:
///   - url: https://mirror.example.org
///     overridePath: false
/// skipFallback: false
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryMirrorConfig {
    /// Whose images.
    pub name: RegistryName,
    /// The mirrors. Without any the registry itself is asked, whatever the document of `*` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(merge_key = "url")]
    pub endpoints: Vec<RegistryEndpointConfig>,
    /// Whether the registry itself is never asked. Without endpoints there are then only the images that came with the node.
    #[serde(default = "no")]
    pub skip_fallback: bool,
}

/// A mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryEndpointConfig {
    /// Where it is. How it is asked say the `RegistryAuth` and the `RegistryTls` of its host.
    pub url: WebUrl,
    /// Whether the path of the URL is all that stands before the name of an image; else `/v2` is added, as registries have it.
    #[serde(default = "no")]
    pub override_path: bool,
}

impl Kind for RegistryMirrorConfig {
    kind!(RegistryMirror, name);
}
