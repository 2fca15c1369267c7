//! What a service's container should be, checked.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use resources::runtime::{MountPropagation, ServiceMount, ServiceSpec};
use thiserror::Error;

use crate::images::reference::{Reference, ReferenceError};

/// Why a container cannot be as it is described.
#[derive(Debug, Error)]
pub(in crate::runtime::service) enum ContainerError {
    #[error("the image {0:?}")]
    Image(String, #[source] ReferenceError),
    #[error("mounts without an image; a service of the node's own root sees all of the node")]
    MountsAlone,
    #[error("{0:?} cannot be mounted: it is no path from the root without `.` and `..`")]
    Source(String),
    #[error("nothing can be mounted at {0:?}: it is no path below the root without `.` and `..`")]
    Target(String),
    #[error("two mounts at {0:?}")]
    Twice(String),
    #[error(
        "the mount at {0:?} has no source, so it is a new folder: neither readOnly nor shared with anybody"
    )]
    Memory(String),
}

/// A container that can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime::service) struct Container {
    /// What its root is made of.
    pub(in crate::runtime::service) image: Reference,
    /// In the order in which they are made.
    pub(in crate::runtime::service) mounts: Vec<Mount>,
}

/// Something in a container that is not of its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime::service) struct Mount {
    /// Where it is in the container.
    pub(in crate::runtime::service) target: String,
    pub(in crate::runtime::service) from: From,
}

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime::service) enum Access {
    Read,
    Write,
}

/// Where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime::service) enum From {
    /// A folder in memory of its own.
    Memory,
    /// A file or folder of the node.
    Node {
        path: String,
        access: Access,
        propagation: MountPropagation,
    },
}

impl Container {
    /// The container of a service; `None` for a service of the node's own root.
    pub(in crate::runtime::service) fn of(
        spec: &ServiceSpec,
    ) -> Result<Option<Self>, ContainerError> {
        if spec.image.is_empty() {
            return match spec.mounts.as_slice() {
                [] => Ok(None),
                _ => Err(ContainerError::MountsAlone),
            };
        }
        let image = spec.image.parse();
        let image = image.map_err(|error| ContainerError::Image(spec.image.clone(), error))?;
        let mounts: Vec<_> = spec.mounts.iter().map(mount).collect::<Result<_, _>>()?;
        let mut targets = BTreeSet::new();
        if let Some(twice) = mounts.iter().find(|it| !targets.insert(&it.target)) {
            return Err(ContainerError::Twice(twice.target.clone()));
        }
        Ok(Some(Self { image, mounts }))
    }
}

fn mount(mount: &ServiceMount) -> Result<Mount, ContainerError> {
    let target = plain(&mount.target).filter(|it| it != "/");
    let target = target.ok_or_else(|| ContainerError::Target(mount.target.clone()))?;
    let private = mount.propagation == MountPropagation::Private;
    let from = match mount.source.as_str() {
        "" if private && !mount.read_only => From::Memory,
        "" => return Err(ContainerError::Memory(target)),
        source => From::Node {
            path: plain(source).ok_or_else(|| ContainerError::Source(source.to_owned()))?,
            access: match mount.read_only {
                true => Access::Read,
                false => Access::Write,
            },
            propagation: mount.propagation,
        },
    };
    Ok(Mount { target, from })
}

/// A path from the root that leads nowhere else than it says; with one `/` between its parts and none behind them.
fn plain(text: &str) -> Option<String> {
    let path = Path::new(text);
    // `components` passes over a `.` inside a path, which is harmless.
    let mut parts = path.components();
    let rest = match parts.next() {
        Some(Component::RootDir) => parts,
        _ => return None,
    };
    let mut made = PathBuf::from("/");
    for part in rest {
        match part {
            Component::Normal(part) => made.push(part),
            _ => return None,
        }
    }
    let made = made.into_os_string().into_string().ok();
    made.filter(|it| !it.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(mounts: &[(&str, &str)]) -> ServiceSpec {
        let mounts = mounts.iter().map(|(source, target)| ServiceMount {
            source: (*source).to_owned(),
            target: (*target).to_owned(),
            ..ServiceMount::default()
        });
        ServiceSpec {
            image: "garboard.internal/etcd:3.7.3".to_owned(),
            mounts: mounts.collect(),
            ..ServiceSpec::default()
        }
    }

    #[test]
    fn a_container_is_an_image_and_what_is_mounted_in_it() {
        let mut spec = spec(&[("/var//lib/./etcd/", "/data"), ("", "/tmp")]);
        spec.mounts[0].propagation = MountPropagation::Shared;
        let container = Container::of(&spec).expect("good").expect("one");
        assert_eq!(container.image.to_string(), spec.image);
        let node = From::Node {
            path: "/var/lib/etcd".to_owned(),
            access: Access::Write,
            propagation: MountPropagation::Shared,
        };
        let mounts = container.mounts.into_iter().map(|it| (it.target, it.from));
        let mounts: Vec<_> = mounts.collect();
        assert_eq!(
            mounts,
            [
                ("/data".to_owned(), node),
                ("/tmp".to_owned(), From::Memory)
            ]
        );
        let none = Container::of(&ServiceSpec::default()).expect("good");
        assert_eq!(none, None);
    }

    #[test]
    fn what_cannot_be_mounted_is_refused_with_the_reason() {
        let bad = |spec: &ServiceSpec, words: &str| {
            let error = Container::of(spec).expect_err(words);
            assert!(cosi::report(&error).contains(words), "{error}");
        };
        for target in ["", "/", "data", "/a/../b", "/a\0b"] {
            bad(&spec(&[("/x", target)]), "nothing can be mounted");
        }
        for source in ["x", "/x/..", "../x", "tmpfs"] {
            bad(&spec(&[(source, "/x")]), "cannot be mounted");
        }
        bad(&spec(&[("/x", "/a/"), ("/y", "/a")]), "two mounts");
        let mut memory = spec(&[("", "/tmp")]);
        memory.mounts[0].read_only = true;
        bad(&memory, "no source");
        let mut bare = spec(&[("/x", "/x")]);
        bare.image = "etcd".to_owned();
        bad(&bare, "\"etcd\"");
        bare.image.clear();
        bad(&bare, "without an image");
    }
}
