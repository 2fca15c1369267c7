//! The papers of a bundle: bill of materials, `manifest.json`, checksums.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::Inputs;
use super::images::{NAME, UPSTREAM};
use super::parts::{Parts, packages};
use crate::go::buildinfo::BuildInfo;
use crate::manifest::{self, Artifact};
use crate::oci::{Digest, Found};
use crate::sbom::{self, Contents, Subject};

/// What a bundle holds.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    version: &'a str,
    arch: &'a str,
    epoch: u64,
    images: Vec<Image<'a>>,
    artifacts: Vec<Artifact>,
}

/// One of the images, beside that of upstream which does the same.
#[derive(Debug, Serialize)]
struct Image<'a> {
    name: &'a str,
    reference: &'a str,
    digest: &'a Digest,
    upstream: Option<&'a str>,
}

pub(super) fn write(
    inputs: &Inputs<'_>,
    parts: &Parts<'_>,
    found: &[Found],
    folder: &Path,
) -> Result<()> {
    let images: Vec<Image<'_>> = found
        .iter()
        .map(|it| Image {
            name: it.annotations.get(NAME).map_or("", String::as_str),
            reference: &it.reference,
            digest: &it.digest,
            upstream: it.annotations.get(UPSTREAM).map(String::as_str),
        })
        .collect();
    let digests: Vec<&str> = found.iter().map(|it| it.digest.hex()).collect();
    let subject = Subject {
        name: super::FOLDER,
        version: inputs.version,
        epoch: inputs.epoch,
        identity: &Digest::of(digests.concat().as_bytes()).to_string(),
    };
    let contents = Contents {
        packages: packages(inputs.images, inputs.lock)?,
        crates: inputs.crates,
        modules: modules(inputs, parts)?,
    };
    let document = sbom::document(inputs.lock, &subject, &contents)?;
    let text = serde_json::to_string_pretty(&document).context("writing the bill of materials")?;
    std::fs::write(folder.join(sbom::NAME), format!("{text}\n"))
        .context("writing the bill of materials")?;
    let artifacts = manifest::artifacts(folder)?;
    let manifest = Manifest {
        version: inputs.version,
        arch: &inputs.lock.arch,
        epoch: inputs.epoch,
        images,
        artifacts: artifacts.clone(),
    };
    manifest::write(folder, &manifest, artifacts)
}

/// The Go modules in the programs, by path and version.
fn modules(inputs: &Inputs<'_>, parts: &Parts<'_>) -> Result<BTreeSet<(String, String)>> {
    let mut modules = BTreeSet::new();
    for image in inputs.images.iter().filter(|image| image.go().is_some()) {
        for name in image.programs() {
            let path = parts.program(image, name)?;
            let bytes =
                std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            let info = BuildInfo::read(&bytes).with_context(|| format!("in {}", path.display()))?;
            modules.extend(info.modules.into_iter().map(|it| (it.path, it.version)));
        }
    }
    Ok(modules)
}
