//! Checks a layout: everything that is referred to is there and is what its name says, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

use super::document::{
    Config, Descriptor, Digest, INDEX, Index, MARKER, Manifest, MediaType, REFERENCE,
};
use super::layout::{BLOBS, blob};

/// An image of a layout.
#[derive(Debug)]
pub struct Found {
    /// The whole reference.
    pub reference: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// What else the index says of it.
    pub annotations: BTreeMap<String, String>,
    /// How it is run.
    pub config: Config,
    /// The blobs of its layers, the lowest first.
    pub layers: Vec<Digest>,
}

/// Checks the layout in `folder`; gives its images.
///
/// # Errors
/// When it is no layout, or a blob is missing, damaged, of another kind or of no use.
pub fn check(folder: &Path) -> Result<Vec<Found>> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
    };
    ensure!(
        read(MARKER.0)? == MARKER.1.as_bytes(),
        "{}: unknown version",
        MARKER.0
    );
    let index: Index = serde_json::from_slice(&read(INDEX)?).context(INDEX)?;
    ensure!(
        (index.schema_version, index.media_type) == (2, MediaType::Index),
        "{INDEX}: not an index"
    );
    let mut reader = Reader {
        folder,
        used: BTreeSet::new(),
    };
    let mut found = Vec::new();
    for descriptor in &index.manifests {
        let image = reader.image(descriptor);
        found.push(image.with_context(|| format!("image {}", descriptor.digest))?);
    }
    reader.nothing_else()?;
    let references: BTreeSet<&str> = found.iter().map(|it| it.reference.as_str()).collect();
    ensure!(
        references.len() == found.len(),
        "{INDEX}: a reference twice"
    );
    Ok(found)
}

struct Reader<'a> {
    folder: &'a Path,
    used: BTreeSet<String>,
}

impl Reader<'_> {
    fn image(&mut self, descriptor: &Descriptor) -> Result<Found> {
        let mut annotations = descriptor.annotations.clone();
        let reference = annotations.remove(REFERENCE).context("no reference")?;
        let manifest: Manifest = self.document(MediaType::Manifest, descriptor)?;
        ensure!(
            (manifest.schema_version, manifest.media_type) == (2, MediaType::Manifest),
            "not a manifest"
        );
        let config: Config = self
            .document(MediaType::Config, &manifest.config)
            .context("config")?;
        let platform = descriptor.platform.as_ref();
        let platform = platform.map(|it| (it.architecture.as_str(), it.os.as_str()));
        ensure!(
            platform == Some((config.architecture.as_str(), config.os.as_str())),
            "the index names another platform than the config"
        );
        let mut diff_ids = Vec::new();
        for layer in &manifest.layers {
            let bytes = self.blob(MediaType::Layer, layer)?;
            let archive = zstd::decode_all(bytes.as_slice())
                .with_context(|| format!("unpacking {}", layer.digest))?;
            diff_ids.push(Digest::of(&archive));
        }
        ensure!(
            diff_ids == config.rootfs.diff_ids,
            "the layers are not those of the config"
        );
        Ok(Found {
            reference,
            digest: descriptor.digest.clone(),
            annotations,
            config,
            layers: manifest.layers.into_iter().map(|it| it.digest).collect(),
        })
    }

    fn document<T: DeserializeOwned>(&mut self, kind: MediaType, of: &Descriptor) -> Result<T> {
        let bytes = self.blob(kind, of)?;
        serde_json::from_slice(&bytes).with_context(|| of.digest.to_string())
    }

    fn blob(&mut self, kind: MediaType, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let Descriptor {
            media_type,
            digest,
            size,
            ..
        } = descriptor;
        ensure!(*media_type == kind, "{digest} is no {kind:?}");
        let path = blob(self.folder, digest);
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            bytes.len() as u64 == *size,
            "{digest} has {} bytes instead of {size}",
            bytes.len()
        );
        ensure!(Digest::of(&bytes) == *digest, "{digest} is damaged");
        self.used.insert(digest.hex().to_owned());
        Ok(bytes)
    }

    fn nothing_else(&self) -> Result<()> {
        let blobs = self.folder.join(BLOBS);
        let entries =
            std::fs::read_dir(&blobs).with_context(|| format!("reading {}", blobs.display()))?;
        for entry in entries {
            let name = entry.context("reading the blobs")?.file_name();
            let name = name.to_string_lossy();
            ensure!(
                self.used.contains(name.as_ref()),
                "{name}: a blob that no image refers to"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
