//! Where the things under test are: set by `cargo xtask e2e`. And where a machine finds this host.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use provision::Image;

/// This host's loopback as machines see it: the gateway of QEMU's user network (its documentation, "Using the user mode
/// network stack"). Only an open node reaches it.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// The program.
const OSCTL: &str = "GARBOARD_OSCTL";

/// The image with the small kernel.
const CLOUD: &str = "GARBOARD_IMAGE_DIR";

/// The image with the kernel for real machines: the only one with USB and Intel cards.
const GENERIC: &str = "GARBOARD_IMAGE_DIR_GENERIC";

/// The program that tests put into machines.
const AGENT: &str = "GARBOARD_AGENT";

/// The program that speaks to a container runtime as kubelet does.
const CRICTL: &str = "GARBOARD_CRICTL";

/// The bundle with our own images.
const BUNDLE: &str = "GARBOARD_BUNDLE";

/// The bundle with all images.
const KUBERNETES_BUNDLE: &str = "GARBOARD_KUBERNETES_BUNDLE";

/// The bundle with all images, and those of the former minor of Kubernetes.
const UPGRADE_BUNDLE: &str = "GARBOARD_UPGRADE_BUNDLE";

/// The client of Kubernetes.
const KUBECTL: &str = "GARBOARD_KUBECTL";

/// The file that gets a line for each campaign of power cuts; only a long run has one.
const POWER_CUTS: &str = "GARBOARD_POWER_CUTS";

/// The file for what campaigns of power cuts saw, when somebody wants to know.
#[must_use]
pub fn power_cuts() -> Option<PathBuf> {
    std::env::var_os(POWER_CUTS).map(PathBuf::from)
}

/// The agent.
///
/// # Errors
/// When nobody said where it is.
pub fn agent() -> Result<PathBuf> {
    place(AGENT)
}

/// `crictl`.
///
/// # Errors
/// When nobody said where it is.
pub fn crictl() -> Result<PathBuf> {
    place(CRICTL)
}

/// A bundle with the images `pause` and `probe`.
///
/// # Errors
/// When nobody said where it is.
pub fn bundle() -> Result<PathBuf> {
    place(BUNDLE)
}

/// A bundle with the images of Kubernetes.
///
/// # Errors
/// When nobody said where it is.
pub fn kubernetes_bundle() -> Result<PathBuf> {
    place(KUBERNETES_BUNDLE)
}

/// A bundle with the images of two minors of Kubernetes; only a long run has one.
///
/// # Errors
/// When nobody said where it is.
pub fn upgrade_bundle() -> Result<PathBuf> {
    place(UPGRADE_BUNDLE)
}

/// `kubectl`.
///
/// # Errors
/// When nobody said where it is.
pub fn kubectl() -> Result<PathBuf> {
    place(KUBECTL)
}

/// `osctl`.
///
/// # Errors
/// When nobody said where it is.
pub fn osctl() -> Result<PathBuf> {
    place(OSCTL)
}

/// The image that local clusters use.
///
/// # Errors
/// When nobody said where it is, or it is not there.
pub fn cloud() -> Result<Image> {
    image(CLOUD)
}

/// The image for real machines.
///
/// # Errors
/// When nobody said where it is, or it is not there.
pub fn generic() -> Result<Image> {
    image(GENERIC)
}

/// The folder of the image that local clusters use.
///
/// # Errors
/// When nobody said where it is.
pub fn cloud_folder() -> Result<PathBuf> {
    place(CLOUD)
}

fn image(variable: &str) -> Result<Image> {
    let folder = place(variable)?;
    Image::open(&folder).with_context(|| format!("the image that {variable} names"))
}

fn place(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| {
            format!(
                "{variable} is not set: `cargo xtask e2e` builds what this suite needs and runs it"
            )
        })
}
