//! `image go`: the commands about Go programs.

use anyhow::Result;
use clap::Subcommand;

use super::programs::{PROGRAMS, Program, find};
use super::toolchain::Toolchain;
use super::{build, pin};
use crate::fetch::Fetcher;
use crate::lock::Lock;

/// What to do with Go programs.
#[derive(Debug, Subcommand)]
pub enum Go {
    /// Builds programs into the cache and prints the folder of each.
    Build(Chosen),
    /// Writes the pins under image/go anew, for the versions in the table of programs.
    Pin(Chosen),
}

/// Which programs.
#[derive(Debug, clap::Args)]
pub struct Chosen {
    /// The programs [default: all but the former minor of Kubernetes].
    #[arg(value_name = "PROGRAM", value_parser = find)]
    programs: Vec<&'static Program>,
}

impl Go {
    /// Does it and gives what is to be printed.
    ///
    /// # Errors
    /// Those of building and pinning.
    pub fn run(&self, lock: &Lock, fetcher: &Fetcher) -> Result<Vec<String>> {
        match self {
            Self::Build(chosen) => chosen
                .programs()
                .map(|program| Ok(build::build(program, lock, fetcher)?.display().to_string()))
                .collect(),
            Self::Pin(chosen) => {
                let toolchain = Toolchain::prepare(lock, fetcher)?;
                chosen
                    .programs()
                    .map(|program| {
                        pin::pin(program, &toolchain)?;
                        Ok(program.folder().display().to_string())
                    })
                    .collect()
            }
        }
    }
}

impl Chosen {
    fn programs(&self) -> impl Iterator<Item = &'static Program> {
        let all = self.programs.is_empty().then_some(PROGRAMS);
        let named = self.programs.iter().copied();
        all.into_iter().flatten().chain(named)
    }
}
