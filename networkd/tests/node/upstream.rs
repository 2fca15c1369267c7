//! What machined is to networkd: a state on a unix socket, and a runtime that merges and comes to rest.
//!
//! The merge here is the plainest one that is right for one source per thing; machined's own has its own tests.

use std::sync::{Arc, Mutex};

use cosi::wire::{Open, Server};
use cosi::{Error, Outcome, Outputs, Runtime, Transform, Trigger, View};
use resources::net::{
    AddressSpec, Dhcp4Lease, Dhcp4Spec, LAYERED, LinkSpec, MERGED, RouteSpec, TimeServerSpec,
};
use store::{Registry, Snapshot, Spec, Store};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;

/// Where networkd looks for it.
const SOCKET: &str = "/run/garboard/machined.sock";

/// What the config says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) links: Vec<LinkSpec>,
    pub(crate) addresses: Vec<AddressSpec>,
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) dhcp: Vec<Dhcp4Spec>,
    pub(crate) time: Vec<TimeServerSpec>,
}

impl Wanted {
    /// DHCP on the link under test.
    pub(crate) fn dhcp() -> Self {
        let spec = Dhcp4Spec {
            link: "client0".parse().unwrap(),
            enabled: true,
            ..Dhcp4Spec::default()
        };
        Self {
            dhcp: vec![spec],
            ..Self::default()
        }
    }
}

struct Merge(Arc<Mutex<Wanted>>);

cosi::declare! {
    Merge as "test.merge" {
        reads AddressSpec: LAYERED;
        reads RouteSpec: LAYERED;
        writes LinkSpec: MERGED;
        writes AddressSpec: MERGED;
        writes RouteSpec: MERGED;
        writes Dhcp4Spec: MERGED;
        writes TimeServerSpec: MERGED;
    }
}

impl Transform for Merge {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let wanted = self.0.lock().unwrap().clone();
        for spec in wanted.links {
            out.put(spec.name.to_string(), spec);
        }
        for spec in wanted.time {
            out.put(spec.address.to_string(), spec);
        }
        for spec in wanted.dhcp {
            out.put(spec.link.to_string(), spec);
        }
        let leased = view
            .list::<AddressSpec>()
            .into_iter()
            .map(|s| (*s.spec).clone());
        for spec in wanted.addresses.into_iter().chain(leased) {
            out.put(spec.merged_id(), spec);
        }
        let leased = view
            .list::<RouteSpec>()
            .into_iter()
            .map(|s| (*s.spec).clone());
        for spec in wanted.routes.into_iter().chain(leased) {
            out.put(spec.merged_id(), spec);
        }
        Ok(Outcome::Done)
    }
}

/// The state, served.
pub(crate) struct Upstream {
    store: Store,
    wanted: Arc<Mutex<Wanted>>,
    trigger: Trigger,
    tasks: Option<tokio::runtime::Runtime>,
}

impl Upstream {
    /// Starts with an empty state of this epoch.
    pub(crate) fn start(epoch: u64, wanted: Wanted) -> Self {
        std::fs::create_dir_all("/run/garboard").unwrap();
        std::fs::remove_file(SOCKET).ok();
        let store = Store::new(epoch);
        let wanted = Arc::new(Mutex::new(wanted));
        let mut runtime = Runtime::new("machined", store.clone());
        let trigger = runtime.register(Merge(Arc::clone(&wanted))).unwrap();
        runtime.await_peer("networkd");
        let mut registry = Registry::new();
        registry
            .register::<cosi::status::ControllerStatus>()
            .and_then(Registry::register::<cosi::status::RuntimeStatus>)
            .unwrap();
        resources::register_all(&mut registry).unwrap();
        let service = Server::new(store.clone(), Arc::new(registry), Open).into_service();
        // A runtime of its own, so that ending it closes every connection, as the end of a process does.
        let tasks = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let entered = tasks.enter();
        let listener = UnixListenerStream::new(UnixListener::bind(SOCKET).unwrap());
        drop(entered);
        tasks.spawn(runtime.run(std::future::pending()));
        tasks.spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(listener),
        );
        Self {
            store,
            wanted,
            trigger,
            tasks: Some(tasks),
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Wanted)) {
        change(&mut self.wanted.lock().unwrap());
        self.trigger.fire();
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.store.snapshot()
    }

    pub(crate) fn get<S: Spec>(&self, id: &str) -> Option<S> {
        self.snapshot()
            .get_as::<S>(MERGED, id)
            .map(|t| (*t.spec).clone())
    }

    pub(crate) fn lease(&self) -> Option<Dhcp4Lease> {
        self.get("client0")
    }

    /// The address the link under test holds by DHCP.
    pub(crate) fn leased(&self) -> Option<String> {
        Some(self.lease()?.address?.address().to_string())
    }

    /// Whether the runtime has come to rest: then absence is proof.
    pub(crate) fn is_settled(&self) -> bool {
        let status = self
            .snapshot()
            .get_as::<cosi::status::RuntimeStatus>("runtime", "machined");
        status.is_some_and(|s| s.spec.settled)
    }

    /// Ends it as `kill -9` would; the state is gone.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(tasks) = self.tasks.take() {
            tasks.shutdown_background();
        }
    }
}
