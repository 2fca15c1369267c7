//! Generates Rust from the few messages that are spoken here, in pure Rust: no protoc is asked of the host.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let set = protox::compile(["rpc.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .build_server(false)
        .btree_map(".")
        .compile_fds(set)?;
    Ok(())
}
