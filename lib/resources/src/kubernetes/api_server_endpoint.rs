//! An API server that programs of the node reach by its balancer, on 127.0.0.1:7445.
//!
//! Written by machined in `kubernetes`, id: its address and port, or its name and port.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One way to an API server. The one that the next connection goes to has the lowest place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "ApiServerEndpoints.kubernetes.garboard",
    namespace = "kubernetes",
    aliases("apiserver", "apiservers"),
    columns(("NODE", "node"), ("WELL", "well"), ("VERSION", "version"), ("PLACE", "place"), ("REASON", "reason"))
)]
pub struct ApiServerEndpoint {
    /// The node that it is on; empty where nobody knows: that is the cluster's endpoint.
    #[field(1)]
    pub node: String,
    /// Whether it takes requests, as far as this node knows.
    #[field(2)]
    pub well: bool,
    /// How many are tried before it.
    #[field(3)]
    pub place: u32,
    /// Why it is not well; empty when it is.
    #[field(4)]
    pub reason: String,
    /// What it said last that it runs, such as `1.37.1`; empty until it has.
    #[field(5)]
    pub version: String,
}
