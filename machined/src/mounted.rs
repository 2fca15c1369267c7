//! Services of the API that have no part in the node behind it: they read the machine, or the store.

use store::Store;

use crate::api::Server;
use crate::controllers::CONTAINERD;
use crate::inspect::Inspect;
use crate::join::{Desk, InCluster};
use crate::kubernetes::admin::Admins;
use crate::kubernetes::etcd::bootstrap::Bootstrap;
use crate::kubernetes::etcd::serve::Etcd;
use crate::kubernetes::etcd::snapshots::shelf;
use crate::kubernetes::tunnel::Tunnel;
use crate::kubernetes::upgrade::Upgrade;

/// The server, with all of them.
pub(crate) fn on(server: Server, store: &Store, bootstrap: &Bootstrap, admins: &Admins) -> Server {
    server
        .mount(Inspect.into_service(), ::api::FILE_DESCRIPTOR_SET)
        .mount(
            Etcd::new(store.clone(), bootstrap.clone(), shelf::FOLDER.into()).into_service(),
            ::api::FILE_DESCRIPTOR_SET,
        )
        .mount(
            Desk::new(store.clone(), InCluster::new(admins.clone())).into_service(),
            ::api::FILE_DESCRIPTOR_SET,
        )
        .mount(
            Tunnel::new(store.clone()).into_service(),
            ::api::FILE_DESCRIPTOR_SET,
        )
        .mount(
            Upgrade::new(store.clone(), admins.clone(), CONTAINERD.into()).into_service(),
            ::api::FILE_DESCRIPTOR_SET,
        )
}
