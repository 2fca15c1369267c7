//! The image builder, and the pins of every part not written here.
//!
//! Makes a node's root, initramfs, kernel, ISO and network boot folder from locked Debian packages
//! and the binaries of this workspace, builds the Go programs of a node from pinned modules, and
//! makes container images. Needs neither root nor a container engine. Everything that
//! shapes bytes comes from the lock or from here; nothing is taken from the host but a download
//! program, so two builds of the same inputs are the same bytes anywhere.

pub mod allow;
pub mod apt;
pub mod args;
pub mod build;
pub mod bundle;
pub mod certificates;
pub mod content;
pub mod cpio;
pub mod date;
pub mod deb;
pub mod elf;
pub mod fetch;
pub mod firmware;
pub mod go;
pub mod kernel;
pub mod lock;
pub mod manifest;
pub mod media;
pub mod nft;
pub mod oci;
pub mod parts;
pub mod pe;
pub mod product;
pub mod profile;
pub mod report;
pub mod resolve;
pub mod sbom;
pub mod select;
pub mod squashfs;
pub mod toolchain;
pub mod tools;
pub mod tree;
pub mod update;
pub mod verity;

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
