//! `cargo xtask bench`: sizes, memory and times of a built image, against the budgets.
//!
//! ```text
//!   size     --> the files of both images, and the root unpacked and packed again without modules and firmware
//!   packages --> cargo tree
//!   memory   --> a machine with the VM suite's agent in it
//!   config   --> a machine that is given configs over one connection
//!   boot     --> machines with our initramfs and with a bare one, in turns
//!   kubernetes --> a control plane that starts again, and a worker; only when it is asked for
//! ```
//!
//! Owns the names of the rows, which `docs/benchmarks.md` explains and which never change their meaning. Being over a
//! budget is no failure of this program: it measures, people judge.

mod boot;
mod call;
mod caller;
mod clock;
mod config;
mod kubernetes;
mod memory;
mod packages;
mod row;
mod size;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::row::Row;

/// Measures an image against the budgets.
#[derive(Parser)]
#[command(name = "garboard-bench", version)]
struct Cli {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Measure only these parts [default: all but kubernetes]
    #[arg(value_enum)]
    parts: Vec<Part>,
}

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Files
    Size,
    /// Linked crates
    Packages,
    /// Running processes, and the machine they need
    Memory,
    /// One changed field, a thousand documents
    Config,
    /// From PID 1 to an answer
    Boot,
    /// A node of Kubernetes: its start, and what it takes
    Kubernetes,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let mut rows = Vec::new();
    for part in Part::value_variants() {
        if wanted(&cli.parts, *part) {
            rows.extend(measure(*part)?);
        }
    }
    row::print(&rows, cli.json)
}

/// Whether a part is measured when these were named.
fn wanted(named: &[Part], part: Part) -> bool {
    if named.is_empty() {
        // It takes longer than all others together, and a bundle.
        return part != Part::Kubernetes;
    }
    named.contains(&part)
}

fn measure(part: Part) -> Result<Vec<Row>> {
    match part {
        Part::Size => size::measure(),
        Part::Packages => packages::measure(),
        Part::Memory => memory::measure(),
        Part::Config => config::measure(),
        Part::Boot => boot::measure(),
        Part::Kubernetes => kubernetes::measure(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_is_measured_only_when_it_is_asked_for() {
        assert!(wanted(&[], Part::Boot) && !wanted(&[], Part::Kubernetes));
        assert!(wanted(&[Part::Kubernetes], Part::Kubernetes));
        assert!(!wanted(&[Part::Kubernetes], Part::Boot));
    }
}
