//! Kubernetes on this node: what it runs of it, and what that is told.

pub mod address;
pub mod admin;
pub mod balancer;
pub mod client;
pub mod component;
pub mod config;
pub mod control_plane;
pub mod etcd;
pub mod files;
pub mod flags;
pub mod folder;
pub mod image;
pub mod inputs;
pub mod kernel;
pub mod kubelet;
pub mod made;
pub mod manifest;
pub mod masquerade;
pub mod node;
pub mod pod_network;
pub mod release;
pub mod settings;
pub mod static_pod;
pub mod tunnel;
pub mod upgrade;

use self::admin::Admins;
use self::component::Component;
use self::etcd::bootstrap::Bootstrap;
use crate::block::STATE;
use crate::join::Joined;
use crate::network::lookup::Lookup;

/// Registers the controllers of Kubernetes.
///
/// # Errors
/// Two of them claim the same name or output.
pub fn register(
    controllers: &mut cosi::Runtime,
    bootstrap: &Bootstrap,
    balancer: balancer::apply::Apply,
    fetch: manifest::fetch::Fetch,
    joined: Joined,
    lookup: Lookup,
    admins: &Admins,
) -> Result<(), cosi::RegisterError> {
    controllers.register(config::Config)?;
    controllers.register(balancer)?;
    controllers.register(release::config::Config::new(release::record::FOLDER.into()))?;
    controllers.register(files::apply::Apply::new(component::FOLDER.as_ref(), joined))?;
    controllers.register(kubelet::config::Config)?;
    controllers.register(static_pod::config::Config)?;
    controllers.register(static_pod::apply::Apply::new(static_pod::FOLDER.into()))?;
    controllers.register(static_pod::ready::Ready)?;
    controllers.register(etcd::apply::Apply::new(bootstrap.clone()))?;
    controllers.register(etcd::member::Member::new(bootstrap.clone(), lookup))?;
    controllers.register(etcd::snapshots::apply::Apply::new(
        etcd::snapshots::shelf::FOLDER.into(),
        etcd::leave::own(),
    ))?;
    controllers.register(manifest::config::Config)?;
    controllers.register(fetch)?;
    controllers.register(manifest::apply::Apply::new(admins.clone()))?;
    controllers.register(manifest::status::Status::new(admins.clone()))?;
    controllers.register(control_plane::status::Status::new(STATE.as_ref()))?;
    controllers.register(node::status::Status::new(
        Component::Kubelet.folder(),
        node::status::FILE.into(),
        admins.clone(),
    ))?;
    controllers.register(node::pods::Pods::new(Component::Kubelet.folder()))?;
    controllers.register(masquerade::config::Config)?;
    controllers.register(node::routes::Routes)?;
    controllers.register(node::network::Network::new(pod_network::FILE.into()))?;
    Ok(())
}
