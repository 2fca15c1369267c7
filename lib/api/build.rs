//! Generates the API's Rust from its .proto files, in pure Rust: no protoc is asked of the host.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use protox::prost::Message as _;

const PROTOS: [&str; 9] = [
    "garboard/machine/v1alpha1/cluster.proto",
    "garboard/machine/v1alpha1/etcd.proto",
    "garboard/machine/v1alpha1/inspect.proto",
    "garboard/machine/v1alpha1/join.proto",
    "garboard/machine/v1alpha1/machine.proto",
    "garboard/machine/v1alpha1/maintenance.proto",
    "garboard/machine/v1alpha1/storage.proto",
    "garboard/machine/v1alpha1/tunnel.proto",
    "garboard/machine/v1alpha1/upgrade.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let set = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(
        out.join("garboard.machine.v1alpha1.bin"),
        set.encode_to_vec(),
    )?;
    tonic_prost_build::configure()
        .build_transport(false)
        .btree_map(".")
        .compile_fds(set)?;
    Ok(())
}
