//! Which images there are, and what is in each.
//!
//! An image is a program and what it executes or reads, and nothing else: no shell, no package manager, nothing that
//! runs as somebody else. Its executables are those of its list under `allow/`, both ways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::allow::{self, List};
use crate::oci::{Digest, Image as Content, Layout, Run};
use crate::tree::{Source, Tree};

/// The host in the references of our images. Nobody can serve them under it by accident or with intent: `.internal` is
/// kept for private use and never delegated, so no name below it exists for the public; and a node asks only itself.
pub const HOST: &str = "garboard.internal";

/// Annotations of the index: the name without host and tag, and the image of upstream that does the same.
pub const NAME: &str = "garboard/name";
/// See [`NAME`].
pub const UPSTREAM: &str = "garboard/upstream";

/// An image of the bundle.
#[derive(Debug)]
pub struct Image {
    /// Its name, which is also its program's.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// The image that does the same and is published by the project that wrote the program.
    pub upstream: Option<&'static str>,
    /// The user and group that it runs as unless a pod says otherwise.
    pub user: u32,
    /// Its executables.
    pub allow: List<'static>,
}

/// All of them.
pub const IMAGES: &[Image] = &[
    Image {
        name: "pause",
        purpose: "holds the namespaces of a pod",
        // The one that kubeadm 1.37 takes.
        upstream: Some("registry.k8s.io/pause:3.10.2"),
        // As upstream's.
        user: 65535,
        allow: List {
            file: "allow/pause.txt",
            text: include_str!("../../allow/pause.txt"),
        },
    },
    Image {
        name: "probe",
        purpose: "a workload for tests of a cluster",
        upstream: None,
        // Debian's nobody.
        user: 65534,
        allow: List {
            file: "allow/probe.txt",
            text: include_str!("../../allow/probe.txt"),
        },
    },
];

/// What images are put together from.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Folder of our static programs.
    pub bin_dir: &'a Path,
    /// Version of the product.
    pub version: &'a str,
}

impl Image {
    /// Its whole reference.
    #[must_use]
    pub fn reference(&self, version: &str) -> String {
        format!("{HOST}/{}:{version}", self.name)
    }

    /// Where its program is.
    #[must_use]
    pub fn program(&self, bin_dir: &Path) -> PathBuf {
        bin_dir.join(self.name)
    }

    /// Adds it to a layout.
    ///
    /// # Errors
    /// When a part is missing, or an executable is not on the list.
    pub fn add(&self, parts: &Parts<'_>, layout: &mut Layout<'_>) -> Result<Digest> {
        let program = self.program(parts.bin_dir);
        let mut tree = Tree::default();
        tree.file(self.name, 0o755, Source::Path(program))?;
        allow::check(&tree, self.allow)
            .with_context(|| format!("--bin-dir must hold our static program {}", self.name))?;
        let upstream = self.upstream.map(|it| (UPSTREAM.to_owned(), it.to_owned()));
        let name = (NAME.to_owned(), self.name.to_owned());
        layout.add(&Content {
            reference: &self.reference(parts.version),
            layers: &[tree],
            run: self.run(parts.version),
            annotations: BTreeMap::from_iter(std::iter::once(name).chain(upstream)),
        })
    }

    fn run(&self, version: &str) -> Run {
        let label = |key: &str, value: &str| {
            let key = format!("org.opencontainers.image.{key}");
            (key, value.to_owned())
        };
        Run {
            user: format!("{0}:{0}", self.user),
            env: vec!["PATH=/usr/sbin:/usr/bin".to_owned()],
            entrypoint: vec![format!("/{}", self.name)],
            working_dir: "/".to_owned(),
            labels: BTreeMap::from([
                label("title", self.name),
                label("description", self.purpose),
                label("version", version),
                label("licenses", "Apache-2.0"),
            ]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci;

    /// The start of a static program: a header of 64 bytes without segments.
    fn program() -> Vec<u8> {
        let mut out = vec![0; 64];
        out[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        (out[16], out[18], out[20], out[52], out[54]) = (2, 62, 1, 64, 56);
        out
    }

    #[test]
    fn every_image_is_named_and_runs_its_program_as_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (bin, out) = (folder.path().join("bin"), folder.path().join("out"));
        std::fs::create_dir(&bin).unwrap();
        let parts = Parts {
            bin_dir: &bin,
            version: "1.2.3",
        };
        let mut layout = Layout::begin(&out, "amd64", 0).unwrap();
        for image in IMAGES {
            std::fs::write(image.program(&bin), program()).unwrap();
            image.add(&parts, &mut layout).unwrap();
        }
        layout.finish().unwrap();
        let found = oci::check(&out).unwrap();
        assert_eq!(found.len(), IMAGES.len());
        for (image, found) in IMAGES.iter().zip(found) {
            let reference = format!("garboard.internal/{}:1.2.3", image.name);
            assert_eq!(found.reference, reference);
            assert_eq!(found.annotations[NAME], image.name);
            let upstream = found.annotations.get(UPSTREAM).map(String::as_str);
            assert_eq!(upstream, image.upstream);
            let run = found.config.config;
            assert_eq!(run.entrypoint, [format!("/{}", image.name)]);
            assert_ne!(image.user, 0);
            assert_eq!(run.user, format!("{0}:{0}", image.user));
        }
    }

    #[test]
    fn a_program_that_asks_for_libraries_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pause = IMAGES.first().unwrap();
        std::fs::copy("/proc/self/exe", pause.program(folder.path())).unwrap();
        let parts = Parts {
            bin_dir: folder.path(),
            version: "1",
        };
        let out = folder.path().join("out");
        let mut layout = Layout::begin(&out, "amd64", 0).unwrap();
        let error = format!("{:#}", pause.add(&parts, &mut layout).unwrap_err());
        assert!(error.contains("--bin-dir must hold"), "{error}");
        assert!(error.contains("pause: not static"), "{error}");
    }
}
