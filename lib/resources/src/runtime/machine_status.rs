//! What the machine is.
//!
//! Written by machined in `runtime`, id `this`, once at start.

use serde::{Deserialize, Serialize};
use store::Spec;

/// The id of the only resource of this type.
pub const THIS: &str = "this";

/// The machine as its firmware and the kernel describe it; what they do not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(
    type = "MachineStatuses.runtime.garboard",
    namespace = "runtime",
    aliases("machine", "machines"),
    columns(
        ("PRODUCT", "product"),
        ("PROCESSORS", "processors"),
        ("MEMORY", "memoryBytes"),
    )
)]
pub struct MachineStatus {
    /// The machine's own id: 32 hexadecimal digits.
    #[field(1)]
    pub machine_id: String,
    /// The id of this boot.
    #[field(2)]
    pub boot_id: String,
    /// Who made it.
    #[field(3)]
    pub manufacturer: String,
    /// What they call it.
    #[field(4)]
    pub product: String,
    /// Its serial number.
    #[field(5)]
    pub serial: String,
    /// The firmware's UUID.
    #[field(6)]
    pub uuid: String,
    /// How many processors the kernel uses.
    #[field(7)]
    pub processors: u32,
    /// How much memory the kernel manages.
    #[field(8)]
    pub memory_bytes: u64,
}
