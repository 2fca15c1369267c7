//! One time that the machine ran, and how that ended.
//!
//! Written by machined in `runtime`, id: its number. There are some only once the node has a disk to remember them on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::Spec;

/// From one start of the machine to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "Reboots.runtime.garboard",
    namespace = "runtime",
    aliases("boot", "boots"),
    columns(("BEGAN", "began"), ("ENDED", "ended"), ("CLEAN", "clean"), ("REASON", "reason"))
)]
pub struct Reboot {
    /// Counted on this disk, from 1.
    #[field(1)]
    pub number: u64,
    /// What the kernel called it.
    #[field(2)]
    pub boot_id: String,
    /// When it began, by its clock.
    #[field(3)]
    pub began: Timestamp,
    /// When it ended, or was last known to run; absent for the one that runs now.
    #[field(4)]
    pub ended: Option<Timestamp>,
    /// Whether it ended in order, with all disks written.
    #[field(5)]
    pub clean: bool,
    /// Why it ended: who asked, or what it looks like when nobody did.
    #[field(6)]
    pub reason: String,
}
