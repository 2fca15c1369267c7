//! `image bundle`: makes the bundle.

use std::path::PathBuf;

use anyhow::Result;

use super::images::{FORMER, IMAGES, Image, find};
use super::{Inputs, build};
use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::product::Options;

/// What is asked for.
#[derive(Debug, clap::Args)]
pub struct Bundle {
    /// An image that is to be in it; may be given more than once [default: all].
    #[arg(long, value_name = "IMAGE", value_parser = find)]
    only: Vec<&'static Image>,
    /// The programs of the former minor of Kubernetes too, for a cluster that is to be upgraded
    #[arg(long, conflicts_with = "only")]
    former: bool,
    #[command(flatten)]
    product: Options,
}

impl Bundle {
    /// Makes the bundle; gives its folder.
    ///
    /// # Errors
    /// As [`build`].
    pub fn run(&self, lock: &Lock, fetcher: &Fetcher) -> Result<PathBuf> {
        // In the order of the table, whatever was asked for first.
        let wanted = |image: &Image| self.only.iter().any(|it| it.name == image.name);
        let images = IMAGES.iter();
        let images: Vec<_> = images
            .filter(|image| self.only.is_empty() || wanted(image))
            .chain(FORMER.iter().filter(|_| self.former))
            .collect();
        let inputs = Inputs {
            lock,
            fetcher,
            images: &images,
            bin_dir: &self.product.bin_dir,
            version: env!("CARGO_PKG_VERSION"),
            epoch: self.product.epoch(lock),
            crates: &self.product.crates()?,
        };
        build(&inputs, &self.product.out)
    }
}
