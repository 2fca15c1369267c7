//! Which images there are, and what is in each.
//!
//! An image is a program and what it executes or reads, and nothing else: no shell, no package manager, nothing that
//! runs as somebody else. Its executables are those of its list under `allow/`, both ways. How one is put together is in
//! `parts`.

use std::collections::BTreeMap;

use anyhow::Result;

use super::parts::Parts;
use crate::allow::{self, List};
use crate::go::programs::{self, Program as GoProgram};
use crate::nft;
use crate::oci::{Digest, Image as Content, Layout, Run};

/// The host in the references of our images. Nobody can serve them under it by accident or with intent: `.internal` is
/// kept for private use and never delegated, so no name below it exists for the public; and a node asks only itself.
pub const HOST: &str = "garboard.internal";

/// Annotations of the index: the name without host and tag, and the image of upstream that does the same.
pub const NAME: &str = "garboard/name";
/// See [`NAME`].
pub const UPSTREAM: &str = "garboard/upstream";

/// Debian's nobody.
const NOBODY: u32 = 65534;

/// An image of the bundle.
#[derive(Debug)]
pub struct Image {
    /// Its name, which is also its program's.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Where its program comes from.
    pub origin: Origin,
    /// What its program executes, from Debian.
    pub executes: Option<&'static Debian>,
    /// The image that does the same and is published by the project that wrote the program.
    pub upstream: Option<&'static str>,
    /// The user and group that it runs as unless a pod says otherwise.
    pub user: u32,
    /// Its executables.
    pub allow: List<'static>,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// This workspace.
    Ours,
    /// The table of Go programs, by its name there; with others of the same that come along.
    Go(&'static str, &'static [&'static str]),
}

/// Programs of Debian's with their libraries.
#[derive(Debug)]
pub struct Debian {
    /// The set of the lock that holds them.
    pub set: &'static str,
    /// Their places, which are those in the image too.
    pub programs: &'static [&'static str],
    /// The libraries but for the libc, in the folder that the loader looks in.
    pub libraries: &'static [&'static str],
    /// Links: path and target.
    pub links: &'static [(&'static str, &'static str)],
}

macro_rules! list {
    ($name:literal) => {
        List {
            file: concat!("allow/", $name, ".txt"),
            text: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/allow/",
                $name,
                ".txt"
            )),
        }
    };
}

/// The table of Kubernetes' programs.
const KUBERNETES: &str = "kubernetes/1.37";

/// What kubelet does with volumes (mount-utils and volumepathhandler of Kubernetes).
const VOLUMES: Debian = Debian {
    set: "kubelet",
    programs: &[
        "usr/bin/mount",
        "usr/bin/umount",
        "usr/sbin/blkid",
        "usr/sbin/blockdev",
        "usr/sbin/dumpe2fs",
        "usr/sbin/e2fsck",
        "usr/sbin/fsck",
        "usr/sbin/losetup",
        "usr/sbin/mke2fs",
        "usr/sbin/resize2fs",
    ],
    libraries: &[
        "libblkid.so.1",
        "libcom_err.so.2",
        "libe2p.so.2",
        "libext2fs.so.2",
        "libmount.so.1",
        "libpcre2-8.so.0",
        "libselinux.so.1",
        "libsmartcols.so.1",
        "libuuid.so.1",
    ],
    links: &[
        // By these names they are asked for one kind of file system.
        ("usr/sbin/fsck.ext4", "e2fsck"),
        ("usr/sbin/mkfs.ext4", "mke2fs"),
        ("etc/mtab", "../proc/self/mounts"),
    ],
};

/// What kube-proxy sets its rules with.
const RULES: Debian = Debian {
    set: "kube-proxy",
    programs: &[nft::PROGRAM],
    libraries: nft::LIBRARIES,
    links: &[],
};

/// All of them.
pub const IMAGES: &[Image] = &[
    Image {
        name: "pause",
        purpose: "holds the namespaces of a pod",
        origin: Origin::Ours,
        executes: None,
        // The one that kubeadm 1.37 takes.
        upstream: Some("registry.k8s.io/pause:3.10.2"),
        // As upstream's.
        user: 65535,
        allow: list!("pause"),
    },
    Image {
        name: "probe",
        purpose: "a workload for tests of a cluster",
        origin: Origin::Ours,
        executes: None,
        upstream: None,
        user: NOBODY,
        allow: list!("probe"),
    },
    Image {
        name: "etcd",
        purpose: "keeps the state of a cluster",
        // The other makes a data folder of a snapshot.
        origin: Origin::Go("etcd", &["etcdutl"]),
        executes: None,
        upstream: Some("gcr.io/etcd-development/etcd:v3.7.3"),
        user: NOBODY,
        allow: list!("etcd"),
    },
    Image {
        name: "kube-apiserver",
        purpose: "serves the API of Kubernetes",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: None,
        upstream: Some("registry.k8s.io/kube-apiserver:v1.37.1"),
        user: NOBODY,
        allow: list!("kube-apiserver"),
    },
    Image {
        name: "kube-controller-manager",
        purpose: "runs the controllers of Kubernetes",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: None,
        upstream: Some("registry.k8s.io/kube-controller-manager:v1.37.1"),
        user: NOBODY,
        allow: list!("kube-controller-manager"),
    },
    Image {
        name: "kube-scheduler",
        purpose: "chooses nodes for pods",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: None,
        upstream: Some("registry.k8s.io/kube-scheduler:v1.37.1"),
        user: NOBODY,
        allow: list!("kube-scheduler"),
    },
    Image {
        name: "kube-proxy",
        purpose: "leads services to pods",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: Some(&RULES),
        upstream: Some("registry.k8s.io/kube-proxy:v1.37.1"),
        // It changes the network of the node.
        user: 0,
        allow: list!("kube-proxy"),
    },
    Image {
        name: "kubelet",
        purpose: "runs the pods of a node",
        origin: Origin::Go(KUBERNETES, &[]),
        executes: Some(&VOLUMES),
        // Kubernetes publishes the program alone.
        upstream: None,
        // It mounts, and owns what pods are made of.
        user: 0,
        allow: list!("kubelet"),
    },
    Image {
        name: "coredns",
        purpose: "resolves the names of a cluster",
        origin: Origin::Go("coredns", &[]),
        executes: None,
        upstream: Some("docker.io/coredns/coredns:1.14.7"),
        user: NOBODY,
        allow: list!("coredns"),
    },
];

/// The image called `name`.
///
/// # Errors
/// When there is none; names those there are.
pub fn find(name: &str) -> Result<&'static Image, String> {
    IMAGES.iter().find(|it| it.name == name).ok_or_else(|| {
        let names: Vec<_> = IMAGES.iter().map(|it| it.name).collect();
        format!("there is no image {name:?}, only {}", names.join(", "))
    })
}

impl Image {
    /// The Go program that it is made from.
    #[must_use]
    pub fn go(&self) -> Option<&'static GoProgram> {
        match self.origin {
            Origin::Ours => None,
            Origin::Go(name, _) => programs::find(name).ok(),
        }
    }

    /// Its whole reference. The tag of a Go program is its own version, that of ours the product's.
    #[must_use]
    pub fn reference(&self, version: &str) -> String {
        format!("{HOST}/{}:{}", self.name, self.version(version))
    }

    /// The programs in it, its own first.
    pub fn programs(&self) -> impl Iterator<Item = &'static str> {
        let more = match self.origin {
            Origin::Ours => &[],
            Origin::Go(_, more) => more,
        };
        std::iter::once(self.name).chain(more.iter().copied())
    }

    /// Adds it to a layout.
    ///
    /// # Errors
    /// When a part is missing, or an executable is not on the list.
    pub fn add(&self, parts: &Parts<'_>, layout: &mut Layout<'_>) -> Result<Digest> {
        let layers = parts.layers(self)?;
        allow::check(&super::parts::union(&layers)?, self.allow)?;
        let upstream = self.upstream.map(|it| (UPSTREAM.to_owned(), it.to_owned()));
        let name = (NAME.to_owned(), self.name.to_owned());
        layout.add(&Content {
            reference: &self.reference(parts.version),
            layers: &layers,
            run: self.run(parts.version),
            annotations: BTreeMap::from_iter(std::iter::once(name).chain(upstream)),
        })
    }

    fn version<'a>(&self, ours: &'a str) -> &'a str {
        self.go().map_or(ours, |it| it.version())
    }

    fn run(&self, version: &str) -> Run {
        let label = |key: &str, value: &str| {
            let key = format!("org.opencontainers.image.{key}");
            (key, value.to_owned())
        };
        Run {
            user: format!("{0}:{0}", self.user),
            env: vec!["PATH=/usr/sbin:/usr/bin".to_owned()],
            entrypoint: vec![format!("/usr/bin/{}", self.name)],
            working_dir: "/".to_owned(),
            labels: BTreeMap::from([
                label("title", self.name),
                label("description", self.purpose),
                label("version", self.version(version)),
            ]),
        }
    }
}

mod former;
#[cfg(test)]
mod tests;

pub use former::FORMER;
