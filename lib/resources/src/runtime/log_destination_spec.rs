//! Where the node's logs are to be sent.
//!
//! Written by machined in `runtime`, id: the name of their document.

use serde::{Deserialize, Serialize};
use store::Spec;

/// One destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "LogDestinationSpecs.runtime.garboard",
    namespace = "runtime",
    columns(
        ("URL", "url"),
        ("KERNEL", "kernel"),
        ("SERVICES", "services"),
    )
)]
pub struct LogDestinationSpec {
    /// `tcp://HOST:PORT` or `udp://HOST:PORT`.
    #[field(1)]
    pub url: String,
    /// Whether the kernel's log is sent.
    #[field(2)]
    pub kernel: bool,
    /// Whether the logs of services are.
    #[field(3)]
    pub services: bool,
    /// Further fields of every line, each `name=value`.
    #[field(4)]
    pub tags: Vec<String>,
}
