//! The gRPC API: proto files and the code generated from them.
//!
//! Owns the words of `garboard.machine.v1alpha1` and their wire form, nothing else: no server, no client policy, no rules of who
//! may call what (those are machined's). The code is generated into `OUT_DIR` on every build and never committed; it is the one
//! place where the house's lint table does not hold, since nobody reads or writes it by hand.
//!
//! Transport is the caller's: clients take any tower service, so TLS stays with `pki` and no second TLS stack comes in.

mod methods;

pub use methods::{DescriptorError, methods, streaming};

/// `garboard.machine.v1alpha1`, as generated.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    clippy::wildcard_imports,
    reason = "generated code, whose shape and comments are tonic's and the .proto files'"
)]
pub mod v1alpha1 {
    tonic::include_proto!("garboard.machine.v1alpha1");
}

/// The compiled descriptors of every service here, as a `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/garboard.machine.v1alpha1.bin"));

/// The most bytes one request may hold: documents of a large node are a few hundred KiB, and gRPC's own default is the same.
pub const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// The most bytes a client takes in one message. Twice a request, so that whatever was uploaded can be read back.
pub const MAX_RESPONSE: usize = 2 * MAX_REQUEST;

/// The most payload bytes in one message of a stream.
pub const MAX_CHUNK: usize = 64 * 1024;

/// The port the API is served on.
pub const PORT: u16 = 50_000;
