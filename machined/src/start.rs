//! Puts the daemon together and runs it: the one place that knows all parts.
//!
//! Tasks: every one is a branch of [`tasks::serve`](crate::tasks::serve), which ends when the machine goes down. None is detached.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use pki::pairing::PairingString;
use store::{CommitError, Registry, RegistryError, Store};
use sys::link::{DaemonEnd, Greeting, Start, StoreName};
use sys::uevent::Listener;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::api::{Endpoint, Log, Pairing, RemoteAccess, Server};
use crate::block::bundle;
use crate::block::volume::{self, Volumes};
use crate::block::{self, Disks};
use crate::config::source::Sources;
use crate::config::{Configs, Disk, DiskError, FOLDER, Generations, Storage};
use crate::controllers::{Effects, EffectsError, Parts, register};
use crate::images::cache::status::Status as Looks;
use crate::images::registry::Registry as Images;
use crate::images::{self, Faults, Places};
use crate::kubernetes::admin::Admins;
use crate::kubernetes::balancer::{self, Balancer};
use crate::kubernetes::component::Component;
use crate::kubernetes::kubelet::inhibit::Inhibitors;
use crate::kubernetes::manifest::fetch::{Fetch, Way};
use crate::metrics::{Calls, Metrics};
use crate::mounted;
use crate::network;
use crate::network::lookup::Lookup;
use crate::node::departure::Departures;
use crate::node::{self, Beginning, End, Head, HeadError, LocalNode, NETWORKD, Order, Takers};
use crate::runtime::clock::{self, Clock};
use crate::runtime::console::Consoles;
use crate::runtime::console::apply::{ConsoleController, Fixed};
use crate::runtime::console::level::Level;
use crate::runtime::events::Events;
use crate::runtime::init_link::{InitLink, InitLinkError};
use crate::runtime::journal::{Boot, Journal};
use crate::runtime::logs::Logs;
use crate::runtime::machine::Machine;
use crate::runtime::pairing::{Kept, PairingError};
use crate::runtime::sockets::{SocketError, Sockets};

/// Why the daemon cannot start. init starts it again, and after five times in safe mode.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The link to init.
    #[error("the link to init")]
    Init(#[source] InitLinkError),
    /// A socket.
    #[error("the sockets")]
    Socket(#[source] SocketError),
    /// The folder of configs.
    #[error("the folder of configs")]
    Folder(#[source] DiskError),
    /// The images that came with the node.
    #[error("looking for images")]
    Images(#[source] io::Error),
    /// What changes this machine.
    #[error("preparing what changes this machine")]
    Effects(#[source] EffectsError),
    /// The types of resources.
    #[error("the types of resources")]
    Registry(#[source] RegistryError),
    /// The controllers.
    #[error("the controllers")]
    Controllers(#[source] cosi::RegisterError),
    /// The facts.
    #[error("writing facts")]
    Facts(#[source] CommitError),
    /// The kernel's announcements.
    #[error("listening for devices")]
    Devices(#[source] nix::Error),
    /// The config.
    #[error("the config")]
    Config(#[source] HeadError),
    /// What maintenance mode pairs with.
    #[error("preparing maintenance mode")]
    Pairing(#[source] PairingError),
    /// TLS.
    #[error("preparing TLS")]
    Tls(#[source] pki::tls::TlsError),
}

/// The daemon, put together.
#[expect(missing_debug_implementations, reason = "it holds keys and tasks")]
pub struct Machined {
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
    pub(crate) machine: Machine,
    pub(crate) logs: Logs,
    pub(crate) controllers: cosi::Runtime,
    pub(crate) init: InitLink,
    pub(crate) sockets: Sockets,
    pub(crate) api: Server,
    pub(crate) head: Head,
    /// Where a first config may come from, and whom it is offered; not in a life that is to wait for a person.
    pub(crate) sources: Option<(Sources, mpsc::Sender<Order>)>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) end: watch::Sender<Option<End>>,
    pub(crate) endpoint: watch::Receiver<Arc<Endpoint>>,
    pub(crate) pairing: (Kept, watch::Receiver<PairingString>),
    pub(crate) no_services: watch::Receiver<bool>,
    pub(crate) journal: Journal,
    pub(crate) images: Images,
    pub(crate) balancer: Balancer,
    pub(crate) inhibitors: Inhibitors,
}

impl Machined {
    /// Puts everything together from what init handed over; nothing runs yet.
    ///
    /// # Errors
    /// A part that the node cannot do without is missing.
    pub fn start(run: &Path, link: DaemonEnd, greeting: Greeting) -> Result<Self, StartError> {
        let (now, machine) = (Timestamp::now(), Machine::read());
        let (epoch, safe) = (greeting.start.epoch, greeting.start.safe);
        tracing::info!(epoch, safe, kernel = machine.kernel, "start");
        let init = InitLink::new(link).map_err(StartError::Init)?;
        let sockets = sockets(run, greeting.stored, &init)?;

        let registry = Arc::new(registry().map_err(StartError::Registry)?);
        let store = Store::new(machine.epoch(epoch));
        node::record_facts(&store, &registry, &machine, now).map_err(StartError::Facts)?;

        let end = watch::Sender::new(None);
        let beginning = beginning(greeting.start, &machine);
        let (takers, inhibitors) = (Takers::of_this_machine(), Inhibitors::default());
        let ends = (end.clone(), Departures::of(run, &takers, &inhibitors));
        let (head, keeps) = head(run, &store, ends, &machine, &beginning, now)?;

        let (logs, journal) = (Logs::new(run.join("logs")), journal(&machine, now));
        let events = Arc::new(Events::of(&logs));
        let mut controllers = cosi::Runtime::new("machined", store.clone());
        let (calls, ordered) = (Calls::default(), takers.services.clone());
        let (node, orders) = LocalNode::new(
            store.clone(),
            machine.clone(),
            Arc::clone(&events),
            logs.clone(),
            Metrics::new(store.clone(), controllers.counters(), calls.clone()),
            takers,
            journal.clone(),
        );
        let sources = sources(&beginning, &machine, run, &node);
        let (looks, images, disks) = images(run, keeps)?;
        let effects = Effects::on_this_machine(run, &machine, disks, ordered, looks);
        let api = api(
            &mut controllers,
            node,
            &store,
            &registry,
            &events,
            effects.map_err(StartError::Effects)?,
            host(run, &machine),
        )?;
        controllers.await_peer("networkd");
        Ok(Self {
            store,
            registry,
            machine,
            logs,
            controllers,
            init,
            sockets,
            api: api.server.sink((Log, calls)),
            head,
            sources,
            orders,
            end,
            endpoint: api.endpoint,
            pairing: api.pairing,
            no_services: api.no_services,
            journal,
            images,
            balancer: api.balancer,
            inhibitors,
        })
    }
}

/// The sockets that others reach us by.
fn sockets(
    run: &Path,
    stored: Vec<(StoreName, OwnedFd)>,
    init: &InitLink,
) -> Result<Sockets, StartError> {
    let path = run.join("machined.sock");
    let sockets = Sockets::take(stored, ::api::PORT, &path, NETWORKD, init);
    sockets.map_err(StartError::Socket)
}

/// Where configs are kept, and who looks for the disk: nobody, when the node was asked to leave its disks alone.
fn storage(
    volumes: &Volumes,
    beginning: &Beginning,
) -> (watch::Sender<Storage>, Option<volume::apply::Apply>) {
    if let Beginning::Waiting { reason } = beginning {
        let reason = format!("maintenance mode touches no disk; it was {reason}");
        return (watch::Sender::new(Storage::Memory { reason }), None);
    }
    let storage = watch::Sender::new(Storage::at_start(Path::new(block::STATE)));
    let keeps = volume::apply::Apply::new(volumes.clone(), storage.clone());
    (storage, Some(keeps))
}

/// What looks for images and what serves them, and what works on disks, on a node that is to touch any.
fn images(
    run: &Path,
    volumes: Option<volume::apply::Apply>,
) -> Result<(Looks, Images, Option<Disks>), StartError> {
    let faults = watch::Sender::new(Faults::new());
    let parts = images::parts(Places::of_node(run), faults.subscribe());
    let (looks, images) = parts.map_err(StartError::Images)?;
    let Some(volumes) = volumes else {
        return Ok((looks, images, None));
    };
    let devices = Listener::open().map_err(StartError::Devices)?;
    let (sys, dev) = (Path::new(block::SYS), Path::new(block::DEV));
    let bundles = bundle::apply::Apply::new(sys, dev, &Places::mounted(run), devices, faults);
    Ok((looks, images, Some(Disks { volumes, bundles })))
}

/// What decides about the config, with the config that this life begins with, and what keeps the node's disk.
fn head(
    run: &Path,
    store: &Store,
    (end, departures): (watch::Sender<Option<End>>, Departures),
    machine: &Machine,
    beginning: &Beginning,
    now: Timestamp,
) -> Result<(Head, Option<volume::apply::Apply>), StartError> {
    let (state, ephemeral) = (Path::new(block::STATE), Path::new(block::EPHEMERAL));
    let volumes = Volumes::new(run, state, ephemeral);
    let (storage, keeps) = storage(&volumes, beginning);
    let memory = Disk::open(&run.join(FOLDER)).map_err(StartError::Folder)?;
    let kept = Configs::new(Generations::new(memory));
    let (told, clock) = (storage.subscribe(), Clock::of(&machine.boot_id));
    let mut head = Head::new(store.clone(), kept, told, volumes, end, departures, clock);
    head.load(beginning, now).map_err(StartError::Config)?;
    Ok((head, keeps))
}

fn host<'a>(run: &'a Path, machine: &'a Machine) -> network::Host<'a> {
    network::Host {
        folder: run,
        command_line: &machine.command_line,
        machine_id: &machine.machine_id,
    }
}

/// Where a first config may come from, unless this life is to wait for a person.
fn sources(
    beginning: &Beginning,
    machine: &Machine,
    run: &Path,
    node: &LocalNode,
) -> Option<(Sources, mpsc::Sender<Order>)> {
    let usual = *beginning == Beginning::Usual;
    usual.then(|| (Sources::of(&machine.command_line, run), node.orders()))
}

/// The logs of this machine on disk, once there is one.
fn journal(machine: &Machine, now: Timestamp) -> Journal {
    let boot = Boot {
        id: machine.boot_id.clone(),
        began: now.checked_sub(clock::since_boot()).ok(),
        pstore: "/sys/fs/pstore".into(),
        watchdog: "/sys/class/watchdog/watchdog0/bootstatus".into(),
    };
    Journal::new(boot, Path::new("/dev/kmsg"))
}

/// The API, put together.
struct Api {
    server: Server,
    endpoint: watch::Receiver<Arc<Endpoint>>,
    pairing: (Kept, watch::Receiver<PairingString>),
    no_services: watch::Receiver<bool>,
    balancer: Balancer,
}

/// Makes the API's server, and registers the controllers around it.
fn api(
    controllers: &mut cosi::Runtime,
    node: LocalNode,
    store: &Store,
    registry: &Arc<Registry>,
    events: &Arc<Events>,
    effects: Effects,
    host: network::Host<'_>,
) -> Result<Api, StartError> {
    let mut kept = Kept::open(&host.folder.join("pairing")).map_err(StartError::Pairing)?;
    let identity = kept.identity().map_err(StartError::Pairing)?;
    let secret = kept.secret().map_err(StartError::Pairing)?;
    let pairing = Pairing::new(&identity, secret);
    let shown = pairing.shown();
    let endpoint = Endpoint::maintenance(&identity, None).map_err(StartError::Tls)?;
    let (endpoint, served) = watch::channel(Arc::new(endpoint));
    let fixed = Fixed {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api_port: ::api::PORT,
        fingerprint: identity.certificate().fingerprint.to_string(),
    };
    let level = Level::new(
        "/proc/sys/kernel/printk".into(),
        host.folder.join("kernel-level"),
    );
    let consoles = Consoles::of_this_machine();
    let console = ConsoleController::new(consoles, level, fixed, shown.clone());
    let state =
        cosi::wire::Server::new(store.clone(), Arc::clone(registry), RemoteAccess).into_service();
    let bootstrap = node.bootstrap();
    let server = Server::new(Arc::new(node), Arc::new(pairing), served.clone())
        .mount(state, cosi::wire::proto::FILE_DESCRIPTOR_SET);
    let admins = Admins::default();
    let server = mounted::on(server, store, &bootstrap, &admins);

    let no_services = effects.services.empty();
    let lookup = Lookup::of(store.clone());
    let (told, balancer) = balancer::parts(lookup.clone(), Component::Kubelet.folder());
    let parts = Parts {
        identity,
        endpoint,
        events: Arc::clone(events),
        console,
        devices: Listener::open().map_err(StartError::Devices)?,
        effects,
        lookup,
        bootstrap,
        balancer: told,
        manifests: Fetch::new(Way::of(store.clone())),
        admins,
    };
    register(controllers, parts, host).map_err(StartError::Controllers)?;
    Ok(Api {
        server,
        endpoint: served,
        pairing: (kept, shown),
        no_services,
        balancer,
    })
}

fn registry() -> Result<Registry, RegistryError> {
    let mut registry = Registry::new();
    registry
        .register::<cosi::status::ControllerStatus>()?
        .register::<cosi::status::RuntimeStatus>()?;
    resources::register_all(&mut registry)?;
    Ok(registry)
}

/// How this life begins, as init and the kernel command line have it.
fn beginning(start: Start, machine: &Machine) -> Beginning {
    let mode = sys::cmdline::last(&machine.command_line, "garboard.mode");
    match (start.safe, mode) {
        (true, _) => Beginning::Safe {
            last_end: start.reason,
        },
        (false, Some("maintenance")) => Beginning::Waiting {
            reason: "asked for on the kernel command line".to_owned(),
        },
        (false, _) => Beginning::Usual,
    }
}

/// Sends what is traced to standard output, which init has opened as our log.
pub fn log() {
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_target(true)
        .with_max_level(tracing::Level::INFO)
        .with_writer(io::stdout)
        .finish();
    // Only a second call fails, and the first one's subscriber is as good.
    drop(tracing::subscriber::set_global_default(subscriber));
}
