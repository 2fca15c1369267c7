//! What is to be seen on the consoles of the machine.
//!
//! Written by machined in `runtime`, id `console`.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const CONSOLE: &str = "console";

/// What the consoles are to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "ConsoleSpecs.runtime.garboard",
    namespace = "runtime",
    columns(
        ("EVERYWHERE", "everywhere"),
        ("DEVICES", "devices"),
        ("KERNEL LEVEL", "kernelLevel"),
    )
)]
pub struct ConsoleSpec {
    /// Whether the node shows its state on every console.
    #[field(1)]
    pub everywhere: bool,
    /// Where else, by the names of devices.
    #[field(2)]
    pub devices: Vec<String>,
    /// The least bad messages of the kernel to appear, as syslog(2) counts; absent: as the kernel was started.
    #[field(3)]
    pub kernel_level: Option<u32>,
}
