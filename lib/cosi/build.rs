//! Generates the messages and the service of the COSI wire into OUT_DIR.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use protox::prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["cosi/resource/state.proto"], ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("cosi.resource.bin"), files.encode_to_vec())?;
    tonic_prost_build::configure()
        // Maps in order: the same resource always has the same bytes.
        .btree_map(".")
        // Channels are given by the caller, over whatever it trusts.
        .build_transport(false)
        .compile_fds(files)?;
    Ok(())
}
