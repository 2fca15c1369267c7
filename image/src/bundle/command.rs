//! `image bundle`: makes the bundle.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::images::{IMAGES, Image, find};
use super::{Inputs, build};
use crate::fetch::Fetcher;
use crate::lock::Lock;

/// What is asked for.
#[derive(Debug, clap::Args)]
pub struct Bundle {
    /// An image that is to be in it; may be given more than once [default: all].
    #[arg(long, value_name = "IMAGE", value_parser = find)]
    only: Vec<&'static Image>,
    /// Folder of the static binaries that the images are made from.
    #[arg(long, value_name = "DIR")]
    bin_dir: PathBuf,
    /// Where the bundle's folder goes.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The only time in the bundle [default: that of the locked Debian release].
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    source_date_epoch: Option<u64>,
    /// Crates in the binaries, for the bill of materials: what
    /// `cargo tree --edges normal --prefix none --format '{p}|{l}'` prints.
    #[arg(long, value_name = "FILE")]
    crates: Option<PathBuf>,
}

impl Bundle {
    /// Makes the bundle; gives its folder.
    ///
    /// # Errors
    /// As [`build`].
    pub fn run(&self, lock: &Lock, fetcher: &Fetcher) -> Result<PathBuf> {
        let crates = match &self.crates {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?,
            None => String::new(),
        };
        // In the order of the table, whatever was asked for first.
        let wanted = |image: &Image| self.only.iter().any(|it| it.name == image.name);
        let images = IMAGES.iter();
        let images: Vec<_> = images
            .filter(|image| self.only.is_empty() || wanted(image))
            .collect();
        let inputs = Inputs {
            lock,
            fetcher,
            images: &images,
            bin_dir: &self.bin_dir,
            version: env!("CARGO_PKG_VERSION"),
            epoch: self.source_date_epoch.unwrap_or(lock.released),
            crates: &crates,
        };
        build(&inputs, &self.out)
    }
}
