//! The bundle: the container images that a node can start without a registry.
//!
//! A folder with an image layout, the same layout as one file (`bundle.img`, SquashFS with a label, for media and disks),
//! and papers. Which images there are is in `images`; how they are written is `oci`. The images of one bundle share what
//! is the same in them.

pub mod command;
pub mod images;
mod papers;
pub mod parts;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use resources::images::BUNDLE_LABEL;
use sys::squashfs;

use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::oci::{self, Found, Layout};
use crate::report::step;
use crate::squashfs::Files;
use crate::tools::Tools;
use crate::tree::{Source, Tree};
use crate::{manifest, product};
use images::Image;
use parts::Parts;

/// The folder's name, and the layout's in it.
pub const FOLDER: &str = "bundle";
const LAYOUT: &str = "layout";

/// The layout as one file.
pub const FILE: &str = "bundle.img";

/// What to make a bundle from.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The pinned packages.
    pub lock: &'a Lock,
    /// Where they come from.
    pub fetcher: &'a Fetcher,
    /// Which images.
    pub images: &'a [&'static Image],
    /// Folder of our static programs.
    pub bin_dir: &'a Path,
    /// Version of the product, and of our images.
    pub version: &'a str,
    /// The only time in the bundle, seconds since 1970.
    pub epoch: u64,
    /// The crates in our programs, as `cargo tree` prints them.
    pub crates: &'a str,
}

/// Makes the bundle in `out/bundle`, replacing what was there at once.
///
/// Running machines keep the file they have open. Does nothing when the inputs are those of the bundle that is there.
///
/// # Errors
/// When an input is missing or any step fails; then what was there stays.
pub fn build(inputs: &Inputs<'_>, out: &Path) -> Result<PathBuf> {
    let parts = Parts::prepare(inputs)?;
    let stamp = stamp(inputs, &parts)?;
    product::make(out, FOLDER, &stamp, |folder, work| {
        let layout = folder.join(LAYOUT);
        write_layout(inputs, &parts, &layout)?;
        let found = step("checking the layout", || oci::check(&layout))?;
        let tools = step("tools", || {
            Tools::prepare(inputs.lock, inputs.fetcher, inputs.epoch)
        })?;
        step(FILE, || pack(&tools, &layout, work, &folder.join(FILE)))?;
        papers::write(inputs, &parts, &found, folder)
    })
}

/// A hash over everything a bundle depends on.
fn stamp(inputs: &Inputs<'_>, parts: &Parts<'_>) -> Result<String> {
    let Inputs {
        lock,
        version,
        epoch,
        crates,
        ..
    } = inputs;
    let mut programs = Vec::new();
    for image in inputs.images {
        for name in image.programs() {
            programs.push(parts.program(image, name)?);
        }
    }
    product::stamp(programs, &format!("{lock:?} {version} {epoch} {crates}"))
}

fn write_layout(inputs: &Inputs<'_>, parts: &Parts<'_>, folder: &Path) -> Result<()> {
    let mut layout = Layout::begin(folder, &inputs.lock.arch, inputs.epoch)?;
    for image in inputs.images {
        step(&format!("image {}", image.name), || {
            image.add(parts, &mut layout)
        })
        .with_context(|| format!("image {}", image.name))?;
    }
    layout.finish()
}

/// Writes the layout as one file, with the label behind it.
fn pack(tools: &Tools, layout: &Path, stage: &Path, out: &Path) -> Result<()> {
    let mut tree = Tree::default();
    for artifact in manifest::artifacts(layout)? {
        let from = Source::Path(layout.join(&artifact.name));
        tree.file(&artifact.name, 0o444, from)?;
    }
    crate::squashfs::write(tools, &tree, Files::Stored, stage, out)?;
    let mut image = std::fs::read(out).with_context(|| format!("reading {}", out.display()))?;
    let end = squashfs::Superblock::parse(&image)
        .context("reading the superblock")?
        .padded_size();
    image.resize(usize::try_from(end).context("a large bundle")?, 0);
    image.extend(squashfs::label_block(BUNDLE_LABEL).context("the label")?);
    std::fs::write(out, image).with_context(|| format!("writing {}", out.display()))
}

/// Checks a bundle: every file against its checksum, the images by [`oci::check()`], and the label.
///
/// # Errors
/// With what is wrong.
pub fn verify(folder: &Path) -> Result<Vec<Found>> {
    manifest::check_sums(folder)?;
    let found = oci::check(&folder.join(LAYOUT))?;
    let path = folder.join(FILE);
    ensure!(
        is_bundle(&path)?,
        "{}: no label {BUNDLE_LABEL}",
        path.display()
    );
    Ok(found)
}

/// Whether a file is a bundle by its label: whoever takes one from it checks what he takes.
///
/// # Errors
/// When it cannot be read.
pub fn is_bundle(path: &Path) -> Result<bool> {
    let file = std::fs::File::open(path);
    let label = file.and_then(|file| squashfs::read_label(&file, 0, file.metadata()?.len()));
    let label = label.with_context(|| format!("reading {}", path.display()))?;
    Ok(label.as_deref() == Some(BUNDLE_LABEL))
}
