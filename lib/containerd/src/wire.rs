//! What is generated from the .proto files.

pub(crate) use generated::{content, cri, images, snapshots};

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
mod generated {
    /// CRI's images.
    pub(crate) mod cri {
        tonic::include_proto!("runtime.v1");
    }

    /// containerd's content.
    pub(crate) mod content {
        tonic::include_proto!("containerd.services.content.v1");
    }

    /// containerd's images.
    pub(crate) mod images {
        tonic::include_proto!("containerd.services.images.v1");
    }

    /// containerd's snapshots.
    pub(crate) mod snapshots {
        tonic::include_proto!("containerd.services.snapshots.v1");
    }
}
