//! The container images that machines of a local cluster get: one file, which they share.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use resources::images::BUNDLE_LABEL;
use sys::squashfs;

/// Where `cargo xtask bundle` makes it, from the folder in which `cargo xtask image` makes those of images.
const BESIDE: &str = "bundle/bundle.img";

/// Which images.
#[derive(Debug, Args)]
pub(super) struct Bundle {
    /// The file with container images that every machine gets as a disk, as `cargo xtask bundle` builds it [default:
    /// ../bundle/bundle.img from the image's folder, when it is there]
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Machines without container images
    #[arg(long, conflicts_with = "bundle")]
    no_bundle: bool,
}

impl Bundle {
    /// The file, as an absolute path; `image` is the folder of the image.
    pub(super) fn file(&self, image: &Path) -> Result<Option<PathBuf>> {
        let file = match &self.bundle {
            _ if self.no_bundle => return Ok(None),
            Some(file) => file.canonicalize().with_context(|| missing(file))?,
            // What is not there is not wanted: many a cluster starts no pod.
            None => match beside(image) {
                Some(file) => file,
                None => return Ok(None),
            },
        };
        check(&file)?;
        Ok(Some(file))
    }
}

fn beside(image: &Path) -> Option<PathBuf> {
    let folder = image.canonicalize().ok()?;
    folder.parent()?.join(BESIDE).canonicalize().ok()
}

fn missing(file: &Path) -> String {
    format!(
        "there is no bundle {}: build one with `cargo xtask bundle`, or leave it out with --no-bundle",
        file.display()
    )
}

/// Refuses a file that nodes would pass over.
fn check(file: &Path) -> Result<()> {
    let name = file.display();
    let opened = File::open(file).with_context(|| format!("opening {name}"))?;
    let bytes = opened.metadata().map(|it| it.len());
    let label = bytes.and_then(|bytes| squashfs::read_label(&opened, 0, bytes));
    let label = label.with_context(|| format!("reading {name}"))?;
    if label.as_deref() != Some(BUNDLE_LABEL) {
        bail!(
            "{name} is no bundle of container images, or not all of one: `cargo xtask bundle` builds one, --no-bundle leaves it out"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[..4].copy_from_slice(b"hsqs");
        bytes[28] = 4;
        bytes[40] = 100;
        bytes.extend(squashfs::label_block(BUNDLE_LABEL).unwrap());
        bytes
    }

    fn given(bundle: Option<PathBuf>) -> Bundle {
        Bundle {
            bundle,
            no_bundle: false,
        }
    }

    #[test]
    fn the_one_beside_the_image_is_taken_when_it_is_there() {
        let out = tempfile::tempdir().unwrap();
        let image = out.path().join("cloud");
        std::fs::create_dir(&image).unwrap();
        assert_eq!(given(None).file(&image).unwrap(), None);
        let file = out.path().join(BESIDE);
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        std::fs::write(&file, bundle()).unwrap();
        let file = file.canonicalize().unwrap();
        assert_eq!(given(None).file(&image).unwrap(), Some(file.clone()));
        assert_eq!(given(Some(file.clone())).file(&image).unwrap(), Some(file));
        let none = Bundle {
            bundle: None,
            no_bundle: true,
        };
        assert_eq!(none.file(&image).unwrap(), None);
    }

    #[test]
    fn what_is_no_bundle_is_refused_wherever_it_is() {
        let out = tempfile::tempdir().unwrap();
        let file = out.path().join(BESIDE);
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        for content in [Vec::new(), vec![0; 9000], bundle()[..8000].to_vec()] {
            std::fs::write(&file, content).unwrap();
            for given in [given(None), given(Some(file.clone()))] {
                let error = given.file(&out.path().join("bundle")).unwrap_err();
                assert!(error.to_string().contains("is no bundle"), "{error}");
            }
        }
    }
}
