//! Building the engine: this program is its own compiler wrapper.
//!
//! cargo runs the wrapper for the crates of this workspace alone, and keeps what comes out apart from plain builds. So
//! our code gets counters, while what it is linked with is shared with every other build, and nothing is compiled
//! twice. Build scripts and macros run on the host without an engine, so they get none.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

/// Set for the wrapper; its value means nothing.
const ASKED: &str = "GARBOARD_FUZZ_COMPILER";
/// What cargo-fuzz passes too, without the sanitizer that stable lacks: an 8-bit counter per edge, and every
/// comparison told to the engine, which then tries the other side's value.
const COUNTERS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Copt-level=1",
];

/// Whether cargo runs us as its compiler.
pub(crate) fn is_asked() -> bool {
    std::env::var_os(ASKED).is_some()
}

/// Runs the compiler, with counters where an engine will be.
pub(crate) fn run() -> Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let compiler = arguments.next().context("cargo names the compiler")?;
    let arguments: Vec<OsString> = arguments.collect();
    let counters: &[&str] = if in_engine(&arguments) {
        &COUNTERS
    } else {
        &[]
    };
    let status = Command::new(&compiler)
        .args(&arguments)
        .args(counters)
        .status()
        .context("starting the compiler")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn in_engine(arguments: &[OsString]) -> bool {
    let after = |flag: &str| {
        let place = arguments.iter().position(|it| it == flag)?;
        arguments.get(place + 1)?.to_str()
    };
    match after("--crate-name") {
        // A question about the compiler itself.
        None | Some("___" | "build_script_build") => false,
        Some(_) => after("--crate-type") != Some("proc-macro"),
    }
}

/// Builds the engine beside this program.
pub(crate) fn build_engine() -> Result<PathBuf> {
    let this = std::env::current_exe().context("finding this program")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "garboard-fuzz"])
        .args(["--features", "engine", "--bin", "garboard-fuzz-engine"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUSTC_WORKSPACE_WRAPPER", &this)
        .env(ASKED, "1")
        .status()
        .context("starting cargo")?;
    if !status.success() {
        bail!("the engine does not build; it needs a C++ compiler (g++)");
    }
    Ok(this.with_file_name("garboard-fuzz-engine"))
}
