//! What a link is, as the kernel reports it.
//!
//! Written by networkd in `network`, id: the link's name.

use serde::{Deserialize, Serialize};
use store::{Spec, SpecEnum};

/// The kernel's operational state of a link (RFC 2863).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, SpecEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OperationalState {
    /// The driver does not say; the loopback stays here.
    #[default]
    Unknown = 0,
    /// Some part of the device is missing.
    NotPresent = 1,
    /// No packet passes.
    Down = 2,
    /// A link below this one is down.
    LowerLayerDown = 3,
    /// Under test.
    Testing = 4,
    /// Waiting for something outside, such as 802.1X.
    Dormant = 5,
    /// Packets pass.
    Up = 6,
}

/// The observed state of one link.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase", default)]
#[spec(
    type = "LinkStatuses.net.garboard",
    namespace = "network",
    aliases("link", "links"),
    columns(
        ("TYPE", "type"),
        ("KIND", "kind"),
        ("HARDWARE ADDRESS", "hardwareAddress"),
        ("STATE", "operationalState"),
        ("MTU", "mtu"),
    )
)]
pub struct LinkStatus {
    /// The kernel's number of the link, never reused while the machine runs.
    #[field(1)]
    pub index: u32,
    /// The hardware type: `ether`, `loopback`, or the kernel's number of any other.
    #[field(2)]
    #[serde(rename = "type")]
    pub link_type: String,
    /// The kind of a virtual link, such as `veth` or `bridge`; empty for hardware.
    #[field(3)]
    pub kind: String,
    /// True for a device on a bus, false for what software made.
    #[field(4)]
    pub physical: bool,
    /// The address in use, as `52:54:00:12:34:56`.
    #[field(5)]
    pub hardware_address: String,
    /// The address burnt in, where the driver tells it.
    #[field(6)]
    pub permanent_address: String,
    /// The largest packet in bytes.
    #[field(7)]
    pub mtu: u32,
    /// Administratively up.
    #[field(8)]
    pub up: bool,
    /// The cable, or what stands for it, is connected.
    #[field(9)]
    pub carrier: bool,
    /// The operational state.
    #[field(10)]
    pub operational_state: OperationalState,
    /// The driver's name; empty for what software made.
    #[field(11)]
    pub driver: String,
    /// The device's place on its bus, such as `0000:00:02.0`.
    #[field(12)]
    pub bus_path: String,
    /// The name of the link this one hangs on or is a port of; empty for none.
    #[field(13)]
    pub controller: String,
}
