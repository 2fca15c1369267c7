//! Generates Rust from the few messages that are spoken here, in pure Rust: no protoc is asked of the host.

use std::error::Error;

const PROTOS: [&str; 4] = [
    "content/content.proto",
    "cri/images.proto",
    "images/images.proto",
    "snapshots/snapshots.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let set = protox::compile(PROTOS, ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .btree_map(".")
        .compile_fds(set)?;
    Ok(())
}
