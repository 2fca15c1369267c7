//! The head, the API and the console of a real node together: a first config that names no authority leaves the way in
//! as it was.

use std::path::Path;
use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use ::api::v1alpha1::maintenance_service_client::MaintenanceServiceClient;
use jiff::Timestamp;
use machined::api::{Endpoint, Pairing, Server};
use machined::block::volume::Volumes;
use machined::config::{Configs, Disk, Generations, Storage};
use machined::join::Joined;
use machined::kubernetes::etcd::bootstrap::Bootstrap;
use machined::kubernetes::kubelet::inhibit::Inhibitors;
use machined::metrics::{Calls, Metrics};
use machined::node::departure::{Departures, Way};
use machined::node::{Beginning, Head, LocalNode, Takers};
use machined::runtime::clock::Clock;
use machined::runtime::cluster;
use machined::runtime::console::Consoles;
use machined::runtime::console::apply::{ConsoleController, Fixed};
use machined::runtime::console::level::Level;
use machined::runtime::events::Events;
use machined::runtime::journal::{Boot, Journal};
use machined::runtime::logs::Logs;
use machined::runtime::machine::Machine;
use machined::runtime::service::Orders;
use machined::runtime::serving::apply::ServingController;
use machined::runtime::stage::status::StageController;
use nix::sys::stat::Mode;
use pki::pairing::{PairingSecret, PairingString};
use pki::{Role, tls};
use resources::net::{HOSTNAME, HostnameSpec};
use store::{Resource, Store, Transaction};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::time::timeout;

use super::fixture::{Cluster, DEADLINE, dial};

/// What a person in front of the machine reads, line by line.
struct Screen(Lines<BufReader<pipe::Receiver>>);

impl Screen {
    fn at(path: &Path) -> Self {
        nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
        let receiver = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(path)
            .unwrap();
        Self(BufReader::new(receiver).lines())
    }

    /// The next drawing, as soon as it has all of `wanted`.
    async fn drawing(&mut self, wanted: &[&str]) -> String {
        let found = async {
            let mut drawing = String::new();
            loop {
                let line = self.0.next_line().await.unwrap().unwrap();
                if line.starts_with("garboard: version") {
                    drawing.clear();
                }
                drawing.push_str(line.trim_end());
                drawing.push('\n');
                if wanted.iter().all(|it| drawing.contains(it)) {
                    return drawing;
                }
            }
        };
        let found = timeout(DEADLINE, found).await;
        found.unwrap_or_else(|_| panic!("the console never shows {wanted:?}"))
    }
}

fn value<'a>(drawing: &'a str, word: &str) -> &'a str {
    let prefix = format!("garboard: {word} ");
    let mut lines = drawing.lines();
    lines
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap_or_default()
}

/// What decides about the config.
fn head(store: &Store, folder: &Path) -> Head {
    let disk = Disk::open(&folder.join("config")).unwrap();
    let in_memory = Storage::Memory {
        reason: "a test".to_owned(),
    };
    let bootstrap = Bootstrap::new(folder.join("etcd"), 0);
    let way = Way::new(folder.join("kubelet"), bootstrap, Inhibitors::default());
    Head::new(
        store.clone(),
        Configs::new(Generations::new(disk)),
        watch::Sender::new(in_memory).subscribe(),
        Volumes::new(folder, folder, folder),
        watch::Sender::new(None),
        Departures::new(way, folder.join("departure.json")),
        Clock::of("a boot"),
    )
}

/// Runs a node called `node-1` on loopback while `with` lasts.
async fn node(folder: &Path, with: impl AsyncFnOnce(std::net::SocketAddr)) {
    let store = Store::new(1);
    let hostname = HostnameSpec {
        hostname: "node-1".to_owned(),
        ..HostnameSpec::default()
    };
    let named = Transaction::owned("test").put(Resource::in_default(HOSTNAME, hostname));
    store.commit(named, Timestamp::now()).unwrap();

    let mut head = head(&store, folder);
    head.load(&Beginning::Usual, Timestamp::now()).unwrap();
    let counters = cosi::Runtime::new("machined", store.clone()).counters();
    let (local, orders) = LocalNode::new(
        store.clone(),
        Machine::read(),
        Arc::new(Events::default()),
        Logs::new(folder.join("logs")),
        Metrics::new(store.clone(), counters, Calls::default()),
        Takers {
            services: Orders::default(),
            bootstrap: Bootstrap::new(folder.join("etcd"), 0),
        },
        Journal::new(Boot::default(), folder),
    );

    let own = pki::maintenance_identity().unwrap();
    let pairing = Arc::new(Pairing::new(&own, PairingSecret::random().unwrap()));
    let endpoint = watch::Sender::new(Arc::new(Endpoint::maintenance(&own, None).unwrap()));
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let fixed = Fixed {
        version: "0".to_owned(),
        api_port: address.port(),
        fingerprint: own.certificate().fingerprint.to_string(),
    };
    let consoles = Consoles::active(folder.join("console").to_str().unwrap());
    let console = ConsoleController::new(
        consoles,
        Level::new(folder.join("printk"), folder.join("kept-level")),
        fixed,
        pairing.shown(),
    );
    let server = Server::new(Arc::new(local), pairing, endpoint.subscribe());
    let mut controllers = cosi::Runtime::new("machined", store);
    controllers.register(StageController).unwrap();
    controllers
        .register(ServingController::new(own, endpoint, Joined::default()))
        .unwrap();
    controllers.register(console).unwrap();
    controllers.register(cluster::Config).unwrap();

    let serving = server.serve(listener, std::future::pending());
    tokio::select! {
        served = Box::pin(serving) => unreachable!("the API ended: {served:?}"),
        () = head.run(orders) => unreachable!("orders may still come"),
        _ = controllers.run(std::future::pending()) => unreachable!("it has no end"),
        () = with(address) => {}
    }
}

/// Pairs with what the console shows, and uploads.
async fn upload(
    address: std::net::SocketAddr,
    shown: &str,
    documents: String,
) -> v1::ApplyConfigResponse {
    let PairingString { pin, secret } = shown.parse().unwrap();
    let channel = dial(address, tls::pinned_client(pin).unwrap())
        .await
        .unwrap();
    let mut client = MaintenanceServiceClient::new(channel);
    let secret = secret.reveal();
    client
        .pair(v1::PairRequest { secret, time: None })
        .await
        .unwrap();
    let request = v1::ApplyConfigRequest {
        documents: documents.into_bytes(),
        ..Default::default()
    };
    client.apply_config(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_first_config_without_authorities_leaves_the_pairing_string_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut screen = Screen::at(&folder.path().join("console"));
    let cluster = Cluster::new();
    let person = async |address| {
        let new = screen
            .drawing(&["stage maintenance\n", "garboard: pairing "])
            .await;
        let string = value(&new, "pairing");

        let hostname = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: node-1\n";
        let answer = upload(address, string, hostname.to_owned()).await;
        assert_eq!(answer.generation, 1);
        assert!(answer.warnings[0].contains("pairing string"), "{answer:?}");

        let reason = "the config has no ApiTrust document";
        let shown = format!("garboard: pairing {string}\n");
        screen
            .drawing(&["stage maintenance\n", &shown, reason])
            .await;

        let own = cluster.authority.identity();
        let pair = config::KeyPair::from_pem(own.certificate_pem(), own.key_pem().expose());
        let ca = own.certificate_pem().parse().unwrap();
        let whole = config::generate::control_plane(ca, pair.unwrap(), None).unwrap();
        let id = "0123456789abcdef0123456789abcdef";
        let identity = format!(
            "---\napiVersion: garboard/v1alpha1\nkind: ClusterIdentity\ncluster: lab\nid: '{id}'\n"
        );
        let answer = upload(address, string, whole.to_yaml().unwrap() + &identity).await;
        assert_eq!(answer.generation, 2);

        screen
            .drawing(&["garboard: cluster lab\n", "stage running\n"])
            .await;
        let admin = dial(address, cluster.client(Role::Admin)).await.unwrap();
        let mut admin = MachineServiceClient::new(admin);
        let said = admin.version(v1::VersionRequest {}).await.unwrap();
        assert_eq!(said.get_ref().cluster, "lab");
    };
    node(folder.path(), person).await;
}
