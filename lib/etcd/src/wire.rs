//! What is generated from the .proto file.

pub(crate) use generated::*;

#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    clippy::wildcard_imports,
    reason = "generated code, whose shape and comments are tonic's and the .proto file's"
)]
mod generated {
    tonic::include_proto!("etcdserverpb");
}
