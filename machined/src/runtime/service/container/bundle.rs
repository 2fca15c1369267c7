//! What the container runtime is told: the `config.json` of a bundle (the OCI runtime specification, 1.2).
//!
//! A service in a container shares everything with the node but what it sees of its files: its limits are those of its group,
//! its network, processes and host name the node's. So a mount namespace is the only one it gets.

use resources::runtime::MountPropagation;
use serde::Serialize;
use thiserror::Error;

use super::image::Run;
use super::spec::{Access, Container, From, Mount};
use crate::runtime::service::known::PATH;
use crate::runtime::service::rules::Service;
use crate::runtime::service::shared::Shared;

/// The version of the specification.
const VERSION: &str = "1.2.0";

/// The folder of the bundle that is the root.
pub(in crate::runtime::service) const ROOT: &str = "rootfs";

/// Why there can be no such container.
#[derive(Debug, Error)]
pub(in crate::runtime::service) enum BundleError {
    #[error("the image names no program; its service has to")]
    Program,
    #[error(
        "the image has it run as {0:?}, which is no number; its service has to say uid and gid"
    )]
    User(String),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::runtime::service) struct Bundle {
    oci_version: &'static str,
    process: Process,
    root: Root,
    mounts: Vec<Point>,
    linux: Linux,
}

// No limits of processes: those of machined, which init has set, are theirs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    terminal: bool,
    user: User,
    args: Vec<String>,
    env: Vec<String>,
    cwd: String,
    capabilities: Capabilities,
    no_new_privileges: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    uid: u32,
    gid: u32,
    additional_gids: Vec<u32>,
}

#[derive(Debug, Serialize)]
struct Capabilities {
    bounding: Vec<String>,
    effective: Vec<String>,
    inheritable: Vec<String>,
    permitted: Vec<String>,
    ambient: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Root {
    path: &'static str,
    readonly: bool,
}

#[derive(Debug, Serialize)]
struct Point {
    destination: String,
    r#type: &'static str,
    source: String,
    options: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    namespaces: [Namespace; 1],
    rootfs_propagation: &'static str,
}

#[derive(Debug, Serialize)]
struct Namespace {
    r#type: &'static str,
}

impl Bundle {
    /// The bundle of a service from an image that has `run` run; `held` are the capabilities that this process could give on.
    pub(in crate::runtime::service) fn of(
        service: &Service,
        container: &Container,
        run: &Run,
        shared: &Shared,
        held: u64,
    ) -> Result<Self, BundleError> {
        let kept = names(service.capabilities.unwrap_or(held));
        Ok(Self {
            oci_version: VERSION,
            process: Process {
                terminal: false,
                user: user(service, run)?,
                args: args(service, run)?,
                env: environment(service, run, shared),
                cwd: match run.folder.as_str() {
                    "" => "/".to_owned(),
                    folder => folder.to_owned(),
                },
                capabilities: Capabilities {
                    bounding: kept.clone(),
                    effective: kept.clone(),
                    inheritable: kept.clone(),
                    permitted: kept.clone(),
                    // Without these a program that is not root's would have none.
                    ambient: kept,
                },
                no_new_privileges: service.capabilities.is_some(),
            },
            root: Root {
                path: ROOT,
                readonly: true,
            },
            mounts: mounts(&container.mounts),
            linux: Linux {
                namespaces: [Namespace { r#type: "mount" }],
                rootfs_propagation: propagation(&container.mounts),
            },
        })
    }
}

fn user(service: &Service, run: &Run) -> Result<User, BundleError> {
    let (uid, gid, groups) = service.user.clone().unwrap_or_default();
    let (uid, gid) = match (uid, gid) {
        (0, 0) => run
            .user()
            .ok_or_else(|| BundleError::User(run.user.clone()))?,
        said => said,
    };
    Ok(User {
        uid,
        gid,
        additional_gids: groups,
    })
}

/// As Kubernetes has it: a program of its own takes the place of all that the image says, arguments only that of their own.
fn args(service: &Service, run: &Run) -> Result<Vec<String>, BundleError> {
    let program = service.program.to_string_lossy();
    let mut args = match program.is_empty() {
        true => run.entrypoint.clone(),
        false => vec![program.into_owned()],
    };
    let given = match service.args.is_empty() && service.program.as_os_str().is_empty() {
        true => &run.cmd,
        false => &service.args,
    };
    args.extend(given.iter().cloned());
    match args.is_empty() {
        true => Err(BundleError::Program),
        false => Ok(args),
    }
}

/// Each name once; who comes later wins.
fn environment(service: &Service, run: &Run, shared: &Shared) -> Vec<String> {
    let of_image = run.environment.iter().filter_map(|it| it.split_once('='));
    let own = service.environment.iter();
    let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
    let mut all: Vec<(&str, &str)> = vec![("PATH", PATH)];
    for (name, value) in of_image.chain(shared.pairs()).chain(own) {
        match all.iter_mut().find(|it| it.0 == name) {
            Some(pair) => pair.1 = value,
            None => all.push((name, value)),
        }
    }
    let lines = all.iter().map(|(name, value)| format!("{name}={value}"));
    lines.collect()
}

/// What every container has, but where its service mounts something else there; then what that mounts.
fn mounts(wanted: &[Mount]) -> Vec<Point> {
    let usual = [
        // Of the node's processes, which are also its own.
        point(
            "/proc",
            "bind",
            "/proc",
            &["rbind", "rprivate", "nosuid", "noexec", "nodev"],
        ),
        // The runtime makes those devices there that any program may want, and no others.
        point(
            "/dev",
            "tmpfs",
            "tmpfs",
            &["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"],
        ),
        point(
            "/sys",
            "bind",
            "/sys",
            &["rbind", "rro", "rprivate", "nosuid", "noexec", "nodev"],
        ),
    ];
    let taken = |point: &Point| wanted.iter().any(|it| it.target == point.destination);
    let usual = usual.into_iter().filter(|it| !taken(it));
    usual.chain(wanted.iter().map(mounted)).collect()
}

fn point(destination: &str, kind: &'static str, source: &str, options: &[&'static str]) -> Point {
    Point {
        destination: destination.to_owned(),
        r#type: kind,
        source: source.to_owned(),
        options: options.to_vec(),
    }
}

fn mounted(mount: &Mount) -> Point {
    match &mount.from {
        From::Memory => point(
            &mount.target,
            "tmpfs",
            "tmpfs",
            &["nosuid", "nodev", "mode=1777"],
        ),
        From::Node {
            path,
            access,
            propagation,
        } => {
            let shared = match propagation {
                MountPropagation::Private => "rprivate",
                MountPropagation::Slave => "rslave",
                MountPropagation::Shared => "rshared",
            };
            let mut options = vec!["rbind", shared];
            // With all that is mounted below it; `ro` would be for the uppermost alone.
            options.extend((*access == Access::Read).then_some("rro"));
            point(&mount.target, "bind", path, &options)
        }
    }
}

/// That of the root must let through what any of the mounts shares.
fn propagation(mounts: &[Mount]) -> &'static str {
    let most = mounts.iter().filter_map(|mount| match &mount.from {
        From::Node { propagation, .. } => Some(*propagation as u8),
        From::Memory => None,
    });
    match most.max() {
        Some(most) if most == MountPropagation::Shared as u8 => "rshared",
        Some(most) if most == MountPropagation::Slave as u8 => "rslave",
        _ => "rprivate",
    }
}

/// The names of capabilities, by their numbers' order.
fn names(bits: u64) -> Vec<String> {
    let mut all: Vec<_> = caps::all().into_iter().collect();
    all.sort_by_key(caps::Capability::index);
    let kept = all.iter().filter(|it| bits & it.bitmask() != 0);
    kept.map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests;
