//! System calls that no safe crate offers, and the formats that go with them; the only place of unsafe code.
//!
//! Owns: owned descriptors and typed requests over ioctls, sockets and modules, and pure parsers of what the kernel
//! or a disk hands over. Never: policy. Nothing here knows what the product does with a device, a frame or a module.

pub mod allocator;
pub mod child;
pub mod clock;
pub mod cmdline;
pub mod dm;
pub mod iso9660;
pub mod kmsg;
pub mod link;
pub mod loopdev;
pub mod modules;
pub mod packet;
pub mod partitions;
pub mod pci;
pub mod process;
pub mod squashfs;
pub mod uevent;
pub mod verity;
pub mod watchdog;
