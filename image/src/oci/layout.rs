//! Writes a layout.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::document::{
    Config, Descriptor, Digest, INDEX, Index, MARKER, Manifest, MediaType, Platform, REFERENCE,
    RootFs, Run,
};
use super::layer::{self, Hashed};
use crate::date;
use crate::tree::Tree;

/// Where blobs are.
pub(super) const BLOBS: &str = "blobs/sha256";

/// What the specification calls the system that every image is for.
const SYSTEM: &str = "linux";

/// What an image is made of.
#[derive(Debug)]
pub struct Image<'a> {
    /// The whole reference: host, name and tag.
    pub reference: &'a str,
    /// Its files, the lowest layer first.
    pub layers: &'a [Tree],
    /// How it is run.
    pub run: Run,
    /// What the index is to say of it besides its reference.
    pub annotations: BTreeMap<String, String>,
}

/// A layout that is being written. It is one when it was finished.
#[derive(Debug)]
pub struct Layout<'a> {
    folder: &'a Path,
    architecture: &'a str,
    epoch: u64,
    images: Vec<Descriptor>,
}

impl<'a> Layout<'a> {
    /// Begins a layout for a processor, by Debian's name of it, which for amd64 and arm64 is Go's too.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn begin(folder: &'a Path, architecture: &'a str, epoch: u64) -> Result<Self> {
        let blobs = folder.join(BLOBS);
        std::fs::create_dir_all(&blobs).with_context(|| format!("making {}", blobs.display()))?;
        Ok(Self {
            folder,
            architecture,
            epoch,
            images: Vec::new(),
        })
    }

    /// Adds an image; gives the digest of its manifest.
    ///
    /// # Errors
    /// When a file of it cannot be read or a blob not be written, and when the reference is there already.
    pub fn add(&mut self, image: &Image<'_>) -> Result<Digest> {
        let mut annotations = image.annotations.clone();
        annotations.insert(REFERENCE.to_owned(), image.reference.to_owned());
        let taken = |it: &Descriptor| it.annotations.get(REFERENCE) == annotations.get(REFERENCE);
        ensure!(
            !self.images.iter().any(taken),
            "{} is there twice",
            image.reference
        );
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for tree in image.layers {
            let (layer, diff_id) = self.layer(tree)?;
            layers.push(layer);
            diff_ids.push(diff_id);
        }
        let platform = Platform {
            architecture: self.architecture.to_owned(),
            os: SYSTEM.to_owned(),
        };
        let config = Config {
            created: date::iso(self.epoch),
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            config: image.run.clone(),
            rootfs: RootFs {
                kind: "layers".to_owned(),
                diff_ids,
            },
        };
        let manifest = Manifest {
            schema_version: 2,
            media_type: MediaType::Manifest,
            config: self.document(MediaType::Config, &config)?,
            layers,
        };
        let mut descriptor = self.document(MediaType::Manifest, &manifest)?;
        descriptor.platform = Some(platform);
        descriptor.annotations = annotations;
        let digest = descriptor.digest.clone();
        self.images.push(descriptor);
        Ok(digest)
    }

    /// Writes the index, and marks the folder as a layout.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn finish(self) -> Result<()> {
        let index = Index {
            schema_version: 2,
            media_type: MediaType::Index,
            manifests: self.images,
        };
        let index = serde_json::to_vec(&index).context("writing the index")?;
        for (name, bytes) in [(INDEX, index.as_slice()), (MARKER.0, MARKER.1.as_bytes())] {
            let path = self.folder.join(name);
            std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    fn layer(&self, tree: &Tree) -> Result<(Descriptor, Digest)> {
        self.blob(MediaType::Layer, |out| {
            layer::write(tree, self.epoch, out).context("in a layer")
        })
    }

    fn document(&self, kind: MediaType, document: &impl Serialize) -> Result<Descriptor> {
        let (descriptor, ()) = self.blob(kind, |out| {
            serde_json::to_writer(out, document).context("writing a document")
        })?;
        Ok(descriptor)
    }

    /// Writes a blob, whose name is known only then.
    fn blob<T>(
        &self,
        media_type: MediaType,
        write: impl FnOnce(&mut dyn Write) -> Result<T>,
    ) -> Result<(Descriptor, T)> {
        let part = self.folder.join("blobs/part");
        let file = File::create(&part).with_context(|| format!("creating {}", part.display()))?;
        let mut out = Hashed::new(BufWriter::new(file));
        let made = write(&mut out)?;
        out.flush().context("writing a blob")?;
        let digest = Digest::from_hash(out.hash);
        let path = blob(self.folder, &digest);
        let size = part.metadata().context("sizing a blob")?.len();
        // Another image may have it already.
        std::fs::rename(&part, &path).with_context(|| format!("moving to {}", path.display()))?;
        let descriptor = Descriptor {
            media_type,
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
        };
        Ok((descriptor, made))
    }
}

/// Where a layout has a blob.
pub(super) fn blob(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join(BLOBS).join(digest.hex())
}
