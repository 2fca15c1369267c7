//! `image build`: the steps from the lock and our binaries to a folder of artifacts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::content::runtime::Runtime;
use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::manifest::{self, Manifest};
use crate::parts::{Parts, build as parts};
use crate::profile::Profile;
use crate::report::step;
use crate::sbom::{self, Contents, Subject};
use crate::tools::unpack_set;
use crate::{bundle, content, media, product};

/// Where the stub's package has it.
const STUB: &str = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";

/// What to build from.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The pinned packages.
    pub lock: &'a Lock,
    /// Where they come from.
    pub fetcher: &'a Fetcher,
    /// Which image.
    pub profile: Profile,
    /// Folder of our static binaries.
    pub bin_dir: &'a Path,
    /// Version of the product.
    pub version: &'a str,
    /// The only time in the image, seconds since 1970.
    pub epoch: u64,
    /// More kernel arguments.
    pub cmdline: Option<&'a str>,
    /// A config for nodes that have none.
    pub config: Option<&'a [u8]>,
    /// The crates in our binaries, as `cargo tree` prints them.
    pub crates: &'a str,
    /// Which ways to boot.
    pub what: What,
    /// The bundle of container images that goes with the ISO.
    pub bundle: Option<&'a Path>,
}

/// Ways to boot that an image is built for. The parts for a direct boot come with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Kernel, initramfs and root, as files.
    Direct,
    /// An ISO for BIOS and UEFI.
    Iso,
    /// A folder for network boot.
    Pxe,
    /// All of them.
    All,
}

impl What {
    fn has_iso(self) -> bool {
        matches!(self, Self::Iso | Self::All)
    }
}

/// Builds an image into `out/PROFILE`, replacing what was there at once.
///
/// Running machines keep the files they have open. Does nothing when the inputs are those of the
/// image that is there.
///
/// # Errors
/// When an input is missing or any step fails; then what was there stays.
pub fn build(inputs: &Inputs<'_>, out: &Path) -> Result<PathBuf> {
    check_binaries(inputs.bin_dir)?;
    check_bundle(inputs)?;
    let runtime = Runtime::prepare(inputs.lock, inputs.fetcher)?;
    let stamp = stamp(inputs, &runtime)?;
    product::make(out, inputs.profile.name(), &stamp, |folder, _| {
        let parts = parts(inputs, &runtime, folder)?;
        media(inputs, &parts)?;
        papers(inputs, &runtime, &parts)
    })
}

/// A hash over everything an image depends on.
fn stamp(inputs: &Inputs<'_>, runtime: &Runtime) -> Result<String> {
    let binaries = content::BINARIES.iter();
    let binaries = binaries.map(|name| inputs.bin_dir.join(name));
    let Inputs {
        lock,
        profile,
        version,
        epoch,
        cmdline,
        config,
        crates,
        what,
        ..
    } = inputs;
    let built: Vec<_> = runtime.identities().collect();
    let others = format!(
        "{lock:?} {profile:?} {version} {epoch} {cmdline:?} {config:?} {crates} {what:?} {built:?} {}",
        inputs.bundle.is_some()
    );
    let files = binaries.chain(inputs.bundle.map(Path::to_owned));
    product::stamp(files, &others)
}

fn media(inputs: &Inputs<'_>, parts: &Parts) -> Result<()> {
    if inputs.what.has_iso() {
        step("ISO", || {
            let stub = unpack_set(inputs.lock, inputs.fetcher, "stub")?.join(STUB);
            let loader = unpack_set(inputs.lock, inputs.fetcher, "bios")?;
            let release = content::os_release(inputs.version, inputs.profile.name(), inputs.epoch);
            let unified = media::unified(parts, &stub, &release)?;
            media::iso(
                parts,
                &unified,
                &loader,
                inputs.epoch,
                inputs.bundle,
                &parts.folder.join("garboard.iso"),
            )
        })?;
    }
    if matches!(inputs.what, What::Pxe | What::All) {
        step("network boot", || {
            media::pxe(parts, &parts.folder.join("pxe"))
        })?;
    }
    Ok(())
}

fn papers(inputs: &Inputs<'_>, runtime: &Runtime, parts: &Parts) -> Result<()> {
    let subject = Subject {
        name: inputs.profile.name(),
        version: inputs.version,
        epoch: inputs.epoch,
        identity: &parts.root_hash,
    };
    let contents = Contents {
        packages: sbom::packages(inputs.lock, inputs.profile)?,
        crates: inputs.crates,
        modules: runtime.modules()?,
    };
    let document = sbom::document(inputs.lock, &subject, &contents)?;
    let text = serde_json::to_string_pretty(&document).context("writing the bill of materials")?;
    std::fs::write(parts.folder.join(sbom::NAME), format!("{text}\n"))
        .context("writing the bill of materials")?;
    let artifacts = manifest::artifacts(&parts.folder)?;
    let manifest = Manifest {
        version: inputs.version.to_owned(),
        profile: inputs.profile.name().to_owned(),
        arch: inputs.lock.arch.clone(),
        kernel: parts.release.clone(),
        root_hash: parts.root_hash.clone(),
        cmdline: parts.cmdline.clone(),
        epoch: inputs.epoch,
        artifacts: artifacts.clone(),
    };
    manifest::write(&parts.folder, &manifest, artifacts)
}

fn check_bundle(inputs: &Inputs<'_>) -> Result<()> {
    let Some(path) = inputs.bundle else {
        return Ok(());
    };
    ensure!(
        inputs.what.has_iso(),
        "only the ISO takes a bundle along: leave out --bundle, or build with --what iso or all"
    );
    ensure!(
        bundle::is_bundle(path)?,
        "{} is no bundle of container images: `image bundle` makes one",
        path.display()
    );
    Ok(())
}

fn check_binaries(folder: &Path) -> Result<()> {
    for name in content::BINARIES {
        let path = folder.join(name);
        ensure!(
            path.is_file(),
            "{} is missing: --bin-dir must hold our static binaries",
            path.display()
        );
    }
    Ok(())
}
