//! `cargo xtask`: the developer's commands.
//!
//! It only dispatches: every command is a short list of programs to run, whose own crates do the work. It keeps no
//! state besides files under `_out` and `target`, so running a command twice does the work once.

mod artifacts;
mod echo;
mod host;
mod local;
mod needs;
mod report;
mod run;
mod suite;
mod twice;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::artifacts::Profile;
use crate::report::Step;

/// Developer's commands of Garboard.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything, create a local cluster and wait until it is ready
    Up {
        /// Destroy a cluster that is already there and create it anew from this build
        #[arg(long)]
        recreate: bool,
    },
    /// Destroy the local cluster that `up` created
    Down,
    /// Run the tests: unit, property, namespace and VM tests
    Test {
        /// Add the campaigns: minutes of fuzzing, double builds from source, many boots; writes docs/reports
        #[arg(long)]
        long: bool,
        /// Only this step of the long run; may be given more than once. The report keeps what it says of the others
        #[arg(long, value_name = "STEP", requires = "long")]
        only: Vec<Step>,
    },
    /// Check formatting, lints, documentation, dependencies and generated files
    Check,
    /// Build osctl and the image into `_out`
    Image {
        /// The kernel to build for: `cloud` for local clusters, `generic` for real machines
        #[arg(long, default_value = "cloud")]
        profile: Profile,
        /// Build the bundle of container images too, and put it into the ISO
        #[arg(long)]
        bundle: bool,
    },
    /// Build the bundle of container images into `_out`
    Bundle {
        /// Only this image; may be given more than once
        #[arg(long, value_name = "IMAGE")]
        only: Vec<String>,
    },
    /// Run the VM suite alone
    E2e {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Measure sizes, memory and times against the budgets
    Bench {
        /// Only these parts: size, packages, memory, config, boot, kubernetes [default: all but kubernetes]
        #[arg(value_name = "PART")]
        parts: Vec<String>,
        /// Print one JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Write the generated parts of docs/ anew
    Gen,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Up { recreate } => local::up(recreate),
        Command::Down => local::down(),
        Command::Test { long: false, .. } => suite::test(),
        Command::Test { long: true, only } => suite::test_long(&only),
        Command::Check => suite::check(),
        Command::Image { profile, bundle } => {
            let build = if bundle {
                artifacts::build_with_bundle
            } else {
                artifacts::build
            };
            build(profile).map(drop)
        }
        Command::Bundle { only } => artifacts::bundle(&only).map(drop),
        Command::E2e { filter } => suite::e2e(filter.as_deref()),
        Command::Bench { parts, json } => suite::bench(&parts, json),
        Command::Gen => suite::generate(),
    }
}
