//! The controllers of this daemon: what they are made of, and all of them on one page.

use std::path::Path;
use std::sync::Arc;

use pki::Identity;
use sys::uevent::Listener;
use thiserror::Error;
use tokio::sync::watch;

use crate::api::Endpoint;
use crate::block::{self, Disks};
use crate::config::DiskError;
use crate::images;
use crate::join::{self, Joined};
use crate::kubernetes;
use crate::kubernetes::admin::Admins;
use crate::kubernetes::balancer;
use crate::kubernetes::etcd::bootstrap::Bootstrap;
use crate::kubernetes::manifest::fetch::Fetch;
use crate::network;
use crate::network::lookup::Lookup;
use crate::runtime::console::apply::ConsoleController;
use crate::runtime::events::Events;
use crate::runtime::events::status::EventController;
use crate::runtime::machine::Machine;
use crate::runtime::service::{self, Orders};
use crate::runtime::serving::apply::ServingController;
use crate::runtime::stage::status::StageController;
use crate::runtime::{
    cluster, console, environment, kernel_module, kernel_param, log_destination, trusted_roots,
};

/// The control groups of services: beside that of the system's own daemons, and like it not below any other's limits.
const GROUPS: &str = "/sys/fs/cgroup/services";

/// Where the root's containerd listens, as its settings have it.
pub(crate) const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// What the controllers of this daemon are made of.
#[expect(missing_debug_implementations, reason = "it holds keys")]
pub struct Parts {
    /// The identity of maintenance mode.
    pub identity: Identity,
    /// Where the API's endpoint is published.
    pub endpoint: watch::Sender<Arc<Endpoint>>,
    /// Where events are told.
    pub events: Arc<Events>,
    /// The console.
    pub console: ConsoleController,
    /// The kernel's announcements of devices.
    pub devices: Listener,
    /// What changes this machine.
    pub effects: Effects,
    /// How names are looked up.
    pub lookup: Lookup,
    /// Who orders a Kubernetes cluster to begin.
    pub bootstrap: Bootstrap,
    /// What says where the Kubernetes API is.
    pub balancer: balancer::apply::Apply,
    /// What fetches manifests.
    pub manifests: Fetch,
    /// What makes the node an administrator of its cluster.
    pub admins: Admins,
}

/// What changes this machine could not be prepared.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EffectsError {
    /// The folder of the kernel settings from before.
    #[error("the folder of kernel settings")]
    Settings(#[source] DiskError),
    /// The folders of services.
    #[error("the folders of services")]
    Services(#[source] service::apply::ServicesError),
}

/// The controllers that change this machine, and those that look at folders of it.
#[derive(Debug)]
pub struct Effects {
    /// The kernel's settings.
    pub params: kernel_param::apply::Apply,
    /// The kernel's modules.
    pub modules: kernel_module::apply::Apply,
    /// The node's disk and what others hold; none, when disks are to be left alone.
    pub disks: Option<Disks>,
    /// Services.
    pub services: service::apply::Apply,
    /// The images that came with it.
    pub images: images::cache::status::Status,
}

impl Effects {
    /// Those on the machine that this process runs on, those given included; what must outlive it lies in `run`.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub fn on_this_machine(
        run: &Path,
        machine: &Machine,
        disks: Option<Disks>,
        orders: Orders,
        images: images::cache::status::Status,
    ) -> Result<Self, EffectsError> {
        let places = service::apply::Places {
            groups: GROUPS.into(),
            records: run.join("services"),
            logs: run.join("logs"),
            roots: run.join("containers"),
            containerd: CONTAINERD.into(),
        };
        let services = service::apply::Apply::new(places, orders);
        let params =
            kernel_param::apply::Apply::new("/proc/sys".into(), &run.join("kernel-params"));
        Ok(Self {
            params: params.map_err(EffectsError::Settings)?,
            modules: kernel_module::apply::Apply::new(machine.modules(), &machine.command_line),
            disks,
            services: services.map_err(EffectsError::Services)?,
            images,
        })
    }
}

/// Registers every controller of this daemon.
///
/// # Errors
/// Two of them claim the same name or output.
pub fn register(
    controllers: &mut cosi::Runtime,
    parts: Parts,
    host: network::Host<'_>,
) -> Result<(), cosi::RegisterError> {
    controllers.register(StageController)?;
    let joined = Joined::default();
    let serving = ServingController::new(parts.identity, parts.endpoint, joined.clone());
    controllers.register(serving)?;
    controllers.register(join::apply::Apply::new(
        block::STATE.as_ref(),
        host.folder,
        parts.lookup.clone(),
        joined.clone(),
    ))?;
    controllers.register(EventController::new(parts.events))?;
    controllers.register(console::config::Config)?;
    controllers.register(parts.console)?;
    block::register(controllers, parts.devices, parts.effects.disks)?;
    controllers.register(kernel_param::config::Config)?;
    controllers.register(parts.effects.params)?;
    controllers.register(kernel_module::config::Config)?;
    controllers.register(parts.effects.modules)?;
    controllers.register(cluster::Config)?;
    controllers.register(environment::Config)?;
    controllers.register(service::config::Config::new(host.command_line))?;
    controllers.register(parts.effects.services)?;
    controllers.register(parts.effects.images)?;
    controllers.register(images::pin::apply::Apply::new(CONTAINERD.into()))?;
    controllers.register(trusted_roots::config::Config)?;
    controllers.register(trusted_roots::apply::Apply::new(
        host.folder.join("ca-certificates.crt"),
    ))?;
    controllers.register(images::registries::config::Config)?;
    controllers.register(images::registries::apply::Apply::new(
        host.folder.join("registries"),
    ))?;
    kubernetes::register(
        controllers,
        &parts.bootstrap,
        parts.balancer,
        parts.manifests,
        joined,
        parts.lookup.clone(),
        &parts.admins,
    )?;
    log_destination::register(controllers, host.folder, parts.lookup.clone())?;
    network::register(controllers, host, parts.lookup)
}
