//! The container runtime in the root: containerd and the CNI plugins from Go modules, crun, nft and the authorities of registries from
//! Debian, and the files that they and machined read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::allow::LIBRARIES;
use crate::certificates;
use crate::fetch::Fetcher;
use crate::go::build::build;
use crate::go::buildinfo::BuildInfo;
use crate::go::programs::find;
use crate::lock::Lock;
use crate::nft;
use crate::tools::unpack_set;
use crate::tree::{Source, Tree};

/// The Go programs, with the folders of the root that they are in. What else is built with them stays out.
const GO: &[(&str, &str, &[&str])] = &[
    (
        "containerd",
        "usr/bin",
        &["containerd", "containerd-shim-runc-v2"],
    ),
    (
        "cni",
        "usr/lib/cni",
        &["bridge", "host-local", "loopback", "portmap"],
    ),
];

/// The programs from Debian.
const PROGRAMS: &[&str] = &["usr/bin/crun", nft::PROGRAM];

/// The libraries of crun, which their packages bring.
const CRUN_LIBRARIES: &[&str] = &[
    "libcap.so.2",
    "libseccomp.so.2",
    "libsystemd.so.0",
    "libyajl.so.2",
];

/// Those that the package of the libc brings.
const LIBC_LIBRARIES: &[&str] = &["libm.so.6"];

/// What containerd believes registries by, beside what the config has for it: it reads every file of this folder. machined has these
/// authorities in itself.
const AUTHORITIES: &str = "etc/ssl/certs/public.crt";

/// Files of our own, and what is in them.
const FILES: &[(&str, &str)] = &[
    (
        "etc/containerd/config.toml",
        include_str!("../../root/etc/containerd/config.toml"),
    ),
    (
        "etc/containerd/certs.d/_default/hosts.toml",
        include_str!("../../root/etc/containerd/certs.d/_default/hosts.toml"),
    ),
    (
        "usr/lib/garboard/services/kubernetes/containerd.yaml",
        include_str!("../../root/usr/lib/garboard/services/kubernetes/containerd.yaml"),
    ),
];

/// Stands in those files where the version of the product belongs.
const VERSION: &str = "@VERSION@";

/// Links: path and target.
const LINKS: &[(&str, &str)] = &[
    // Where networks that somebody brings along write to, by habit.
    ("etc/cni", "../run/cni"),
    ("opt", "var/opt"),
];

/// The parts that are not ours, ready to be copied.
#[derive(Debug)]
pub struct Runtime {
    packages: PathBuf,
    certificates: PathBuf,
    /// A folder each, in the order of [`GO`].
    go: Vec<PathBuf>,
}

impl Runtime {
    /// Builds the Go programs and unpacks the packages, unless the cache has them.
    ///
    /// # Errors
    /// When something cannot be had or built.
    pub fn prepare(lock: &Lock, fetcher: &Fetcher) -> Result<Self> {
        let built = GO.iter().map(|(program, ..)| {
            let program = find(program).map_err(anyhow::Error::msg)?;
            build(program, lock, fetcher)
        });
        Ok(Self {
            go: built.collect::<Result<_>>()?,
            packages: unpack_set(lock, fetcher, "runtime")?,
            certificates: unpack_set(lock, fetcher, certificates::SET)?,
        })
    }

    /// What tells these Go programs from all others: a folder's name has the hash of all that shaped them.
    pub fn identities(&self) -> impl Iterator<Item = &Path> {
        self.go.iter().map(|folder| {
            let name = folder.file_name();
            name.map_or(folder.as_path(), Path::new)
        })
    }

    /// Adds it to a root; `libc` is the folder that the package of the libc is unpacked in.
    ///
    /// # Errors
    /// Never for the tables above; adding to a tree can fail.
    pub fn add_to(&self, tree: &mut Tree, libc: &Path, version: &str) -> Result<()> {
        for (path, from) in self.programs() {
            tree.file(&path, 0o755, Source::Path(from))?;
        }
        for path in PROGRAMS {
            tree.file(path, 0o755, Source::Path(self.packages.join(path)))?;
        }
        let own = CRUN_LIBRARIES.iter().chain(nft::LIBRARIES);
        let own = own.map(|name| (self.packages.as_path(), name));
        let others = LIBC_LIBRARIES.iter().map(|name| (libc, name));
        for (packages, name) in own.chain(others) {
            let path = format!("{LIBRARIES}/{name}");
            let from = Source::Path(packages.join(&path));
            tree.file(&path, 0o644, from)?;
        }
        let authorities = certificates::bundle(&self.certificates)?;
        tree.file(AUTHORITIES, 0o644, Source::Bytes(authorities))?;
        files(tree, version)
    }

    /// The modules in the Go programs, path and version.
    ///
    /// # Errors
    /// When one cannot be read or is none.
    pub fn modules(&self) -> Result<BTreeSet<(String, String)>> {
        let mut modules = BTreeSet::new();
        for (_, from) in self.programs() {
            let bytes =
                std::fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
            let info = BuildInfo::read(&bytes).with_context(|| format!("in {}", from.display()))?;
            let each = info.modules.into_iter();
            modules.extend(each.map(|module| (module.path, module.version)));
        }
        Ok(modules)
    }

    /// The Go programs: their paths in the root and here.
    fn programs(&self) -> impl Iterator<Item = (String, PathBuf)> {
        let folders = GO.iter().zip(&self.go);
        folders.flat_map(|((_, to, names), from)| {
            let each = names.iter();
            each.map(move |name| (format!("{to}/{name}"), from.join(name)))
        })
    }
}

/// Whether a file of the root is a program of the runtime, or a library or authorities that are there for one alone.
#[must_use]
pub fn holds(path: &str) -> bool {
    let mut go = GO.iter().flat_map(|(_, folder, names)| {
        let names = names.iter();
        names.map(move |name| (*folder, *name))
    });
    let libraries = [CRUN_LIBRARIES, nft::LIBRARIES, LIBC_LIBRARIES].concat();
    let mut libraries = libraries.iter().map(|name| (LIBRARIES, *name));
    let parts = path.rsplit_once('/').unwrap_or_default();
    path == AUTHORITIES
        || PROGRAMS.contains(&path)
        || go.any(|it| it == parts)
        || libraries.any(|it| it == parts)
}

/// Adds what is written here.
fn files(tree: &mut Tree, version: &str) -> Result<()> {
    for (path, text) in FILES {
        let text = text.replace(VERSION, version);
        tree.file(path, 0o644, Source::Bytes(text.into_bytes()))?;
    }
    LINKS
        .iter()
        .try_for_each(|(path, target)| tree.link(path, target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::images::IMAGES;
    use crate::go::programs;

    #[test]
    fn every_go_program_is_one_that_is_built() {
        for (program, _, names) in GO {
            let program = programs::PROGRAMS
                .iter()
                .find(|it| it.name == *program)
                .unwrap();
            let built: Vec<_> = program.mains().map(|(_, name)| name).collect();
            for name in *names {
                assert!(built.contains(name), "{name}: {built:?}");
            }
        }
    }

    #[test]
    fn it_is_told_from_the_rest_of_the_root() {
        for path in [
            "usr/bin/crun",
            "usr/sbin/nft",
            "usr/bin/containerd",
            "usr/lib/cni/bridge",
            "usr/lib/x86_64-linux-gnu/libm.so.6",
            AUTHORITIES,
        ] {
            assert!(holds(path), "{path}");
        }
        for path in [
            "usr/bin/init",
            "usr/bin",
            "usr/lib/cni",
            "usr/lib/x86_64-linux-gnu/libc.so.6",
            "opt",
        ] {
            assert!(!holds(path), "{path}");
        }
    }

    #[test]
    fn the_pod_image_is_that_of_this_version() {
        let mut tree = Tree::default();
        files(&mut tree, "1.2.3").unwrap();
        let mut texts = tree.iter().filter_map(|(_, node)| match &node.kind {
            crate::tree::Kind::File(source) => Some(source.read().unwrap().into_owned()),
            _ => None,
        });
        let has = |text: &[u8], wanted: &str| String::from_utf8_lossy(text).contains(wanted);
        let pause = IMAGES.iter().find(|it| it.name == "pause").unwrap();
        let pinned = format!("sandbox = '{}'", pause.reference("1.2.3"));
        assert!(texts.any(|text| has(&text, &pinned)), "{pinned}");
        assert!(texts.all(|text| !has(&text, VERSION)));
    }
}
