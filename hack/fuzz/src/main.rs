//! `cargo run --package garboard-fuzz`: looks for inputs that break a target's promise.
//!
//! ```text
//!   corpus/TARGET (kept, small, named)  --read-->  engine  --new inputs-->  target/fuzz/TARGET/corpus
//!                                                    |
//!                                                    +-- what broke it --> target/fuzz/TARGET/crash-*
//! ```
//!
//! Builds the engine with coverage counters in our own crates and runs one process per target, as many at once as
//! there are processors. It works on the stable toolchain: the counters are an LLVM pass that rustc takes by name.
//! What the engine finds stays under `target/`, so a later run goes on where this one stopped.

mod campaign;
mod compiler;
mod place;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use fuzz::{TARGETS, Target};

/// Looks for inputs that break a parser.
#[derive(Parser)]
#[command(name = "garboard-fuzz", version)]
struct Cli {
    /// How long each target is tried
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Begin at the same place every time, so that what breaks is what a change broke; 0 begins anywhere
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Only this target; may be given several times
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<String>,
    /// Write the outcome as a Markdown table into this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Run the targets on these inputs only, once each, without the engine
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
}

fn main() -> Result<ExitCode> {
    if compiler::is_asked() {
        return compiler::run();
    }
    let cli = Cli::parse();
    let targets = chosen(&cli.targets)?;
    if !cli.inputs.is_empty() {
        return replay(&targets, &cli.inputs);
    }
    let engine = compiler::build_engine()?;
    let outcomes = campaign::run(&engine, &targets, cli.seconds, cli.seed)?;
    if let Some(file) = &cli.report {
        let table = campaign::table(cli.seconds, &outcomes);
        let folder = file.parent().unwrap_or(file);
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        fs::write(file, table).with_context(|| format!("writing {}", file.display()))?;
    }
    let whole = outcomes.iter().all(|outcome| outcome.broken_by.is_none());
    Ok(if whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen(names: &[String]) -> Result<Vec<&'static Target>> {
    if names.is_empty() {
        return Ok(TARGETS.iter().collect());
    }
    let known = || {
        TARGETS
            .iter()
            .map(|it| it.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    names
        .iter()
        .map(|name| {
            fuzz::target(name).with_context(|| format!("no target {name:?}; there are {}", known()))
        })
        .collect()
}

/// A broken promise ends the program as the target's own panic.
fn replay(targets: &[&Target], inputs: &[PathBuf]) -> Result<ExitCode> {
    for input in inputs {
        let bytes = fs::read(input).with_context(|| format!("reading {}", input.display()))?;
        for target in targets {
            (target.run)(&bytes);
        }
    }
    Ok(ExitCode::SUCCESS)
}
