//! The papers of a bundle: bill of materials, `manifest.json`, checksums.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::Inputs;
use super::images::{NAME, UPSTREAM};
use crate::manifest::{self, Artifact};
use crate::oci::{Digest, Found};
use crate::sbom::{self, Subject};

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

pub(super) fn write(inputs: &Inputs<'_>, found: &[Found], folder: &Path) -> Result<()> {
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
    let document = sbom::document(inputs.lock, &subject, &[], inputs.crates)?;
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
