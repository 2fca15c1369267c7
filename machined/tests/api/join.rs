//! A worker and a control plane with real connections between them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::join_service_client::JoinServiceClient;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use config::Documents;
use cosi::Runtime;
use jiff::{SignedDuration, Timestamp};
use machined::api::Endpoint;
use machined::join::apply::Apply;
use machined::join::{Held, JOIN, Joined, Names, Refusal};
use machined::kubernetes::control_plane::status as control_plane;
use machined::network::lookup::Lookup;
use pki::{
    Authority, Challenge, Fingerprint, Identity, Key, SERVING_LIFETIME, Subject, Trust, tls,
};
use resources::config::{ACTIVE, MachineConfig};
use resources::kubernetes::{ControlPlane, KUBERNETES, KubernetesSpec, NodeStatus};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::Condition;
use store::{Resource, Spec as _, Store, Transaction};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::fixture::{Served, dial, serve_desk};

const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const OTHER_TOKEN: &str = "/////////////////////////////////////////+8=";

/// A name is whose it was first, for ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstCome(Arc<Mutex<BTreeMap<String, Fingerprint>>>);

impl Names for FirstCome {
    async fn take(
        &self,
        _: &Documents,
        own: &str,
        name: &str,
        key: &Fingerprint,
        _: Timestamp,
    ) -> Result<(), Refusal> {
        assert_eq!(own, "cp-1");
        let mut names = self.0.lock().unwrap();
        match *names.entry(name.to_owned()).or_insert(*key) == *key {
            true => Ok(()),
            false => Err(Refusal::Taken(name.to_owned())),
        }
    }
}

fn pem(text: &str) -> String {
    text.lines().map(|line| format!("      {line}\n")).collect()
}

fn pair(identity: &Identity) -> String {
    let key = identity.key_pem();
    format!(
        "    certificate: |\n{}    key: |\n{}",
        pem(identity.certificate_pem()),
        pem(key.expose())
    )
}

/// The authorities of a cluster.
struct Cluster {
    api: Authority,
    kubernetes: Authority,
}

impl Cluster {
    fn new() -> Self {
        Self::since(Timestamp::now())
    }

    fn since(then: Timestamp) -> Self {
        let made = |name| Authority::generate(name, then).unwrap();
        Self {
            api: made("garboard"),
            kubernetes: made("kubernetes"),
        }
    }

    fn documents(&self, role: &str, token: &str, api: &str, kubernetes: &str) -> String {
        let kind = |it| format!("---\napiVersion: garboard/v1alpha1\nkind: {it}\n");
        format!(
            "{}role: {role}\n{}ca: |\n{}{api}{}version: 1.37.1\nendpoint: https://10.5.0.9:6443\n{}ca: |\n{}{kubernetes}{}token: {token}\n",
            kind("Machine"),
            kind("ApiTrust"),
            pem(self.api.identity().certificate_pem()),
            kind("Kubernetes"),
            kind("KubernetesTrust"),
            pem(self.kubernetes.identity().certificate_pem()),
            kind("Join"),
        )
    }

    fn worker(&self, token: &str) -> String {
        let text = self.documents("worker", token, "", "");
        let text = format!("{text}controlPlanes: [10.5.0.2]\n");
        assert_eq!(
            config::parse("worker", text.as_bytes()).unwrap().validate(),
            []
        );
        text
    }

    /// With lines at the end of its `Join`.
    fn plane(&self, join: &str) -> String {
        let own = pair(self.kubernetes.identity());
        let other = pair(
            Authority::generate("other", Timestamp::now())
                .unwrap()
                .identity(),
        );
        let key = Key::generate().unwrap();
        let plane = format!(
            "controlPlane:\n  issuer:\n{own}  aggregator:\n{other}  etcd:\n{other}  serviceAccountKey: |\n{}  encryptionKey: {OTHER_TOKEN}\n",
            pem(key.pem().expose())
        );
        let issuer = format!("issuer:\n{}", pair(self.api.identity()));
        self.documents("control-plane", TOKEN, &issuer, &plane) + join
    }

    fn trust(&self) -> Trust {
        Trust::from_pem(self.api.identity().certificate_pem()).unwrap()
    }

    /// A control plane, which knows itself by 10.5.0.9 and answers at another address.
    fn serve(&self, at: &str) -> Served {
        self.serve_with(at, "")
    }

    /// The same with lines at the end of its `Join`.
    fn serve_with(&self, at: &str, join: &str) -> Served {
        let at: IpAddr = at.parse().unwrap();
        let store = node("cp-1", &["10.5.0.9/24"], &self.plane(join));
        let names = pki::Names {
            names: ["cp-1".to_owned()].into(),
            addresses: [at, "127.0.0.1".parse().unwrap()].into(),
        };
        let own = self
            .api
            .issue_serving("cp-1", &names, SERVING_LIFETIME, Timestamp::now())
            .unwrap();
        let endpoint = Endpoint::open(&own, &self.trust()).unwrap();
        // A loopback's port is shared with other tests.
        let port = if at.is_loopback() { 0 } else { ::api::PORT };
        let address = SocketAddr::new(at, port);
        serve_desk(endpoint, store, FirstCome::default(), address)
    }
}

/// The state of a node.
fn node(name: &str, addresses: &[&str], documents: &str) -> Store {
    let store = Store::new(1);
    let active = MachineConfig {
        text: documents.to_owned(),
        hash: "hash".into(),
        generation: 1,
        ..MachineConfig::default()
    };
    let hostname = HostnameSpec {
        hostname: name.into(),
        ..HostnameSpec::default()
    };
    let address = NodeAddress {
        addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
    };
    let mounted = Condition {
        met: true,
        message: String::new(),
    };
    let transaction = Transaction::owned("test")
        .put(Resource::in_default(ACTIVE, active))
        .put(Resource::in_default(HOSTNAME, hostname))
        .put(Resource::in_default(CURRENT, address))
        .put(Resource::in_default(KUBERNETES, KubernetesSpec::default()))
        .put(Resource::in_default("ephemeral", mounted));
    store.commit(transaction, Timestamp::now()).unwrap();
    store
}

/// Gives the only link of this test's network addresses that are no loopback's.
fn be_at(addresses: &[&str]) {
    let ip = |args: &[&str]| {
        let done = Command::new("ip").args(args).status();
        assert!(done.unwrap().success(), "ip {args:?}");
    };
    ip(&["link", "set", "lo", "up"]);
    for address in addresses {
        ip(&["address", "add", address, "dev", "lo"]);
    }
}

/// Runs the worker's own part until its condition is as wanted.
async fn join(
    folder: &Path,
    name: &str,
    addresses: &[&str],
    documents: &str,
    wanted: impl Fn(&Condition) -> bool,
) -> (Held, Condition) {
    let store = node(name, addresses, documents);
    live(folder, &store, wanted).await
}

/// The same in a state that is there.
async fn live(
    folder: &Path,
    store: &Store,
    wanted: impl Fn(&Condition) -> bool,
) -> (Held, Condition) {
    let joined = Joined::default();
    let nobody = Lookup::new(|name| Box::pin(async move { Err(format!("no host is {name}")) }));
    let (state, memory) = (folder.join("state"), folder.join("memory"));
    std::fs::create_dir_all(&state).unwrap();
    let mut runtime = Runtime::new("machined", store.clone());
    let apply = Apply::new(&state, &memory, nobody, joined.clone());
    runtime.register(apply).unwrap();
    runtime
        .register(control_plane::Status::new(&state))
        .unwrap();
    let reached = testkit::until("the worker's condition", || {
        let namespace = Condition::DEFINITION.namespace;
        let condition = store.snapshot().get_as::<Condition>(namespace, JOIN)?;
        wanted(&condition.spec).then(|| (*condition.spec).clone())
    });
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        condition = reached => (joined.get(), condition),
    }
}

fn met(condition: &Condition) -> bool {
    condition.met
}

fn says(words: &'static str) -> impl Fn(&Condition) -> bool {
    move |condition| !condition.met && condition.message.contains(words)
}

fn serial(held: &Held) -> String {
    held.machine.as_ref().unwrap().certificate().serial.clone()
}

/// The texts of all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path());
    let texts = entries.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![std::fs::read_to_string(&path).unwrap()],
    });
    texts.collect()
}

/// A worker of these addresses, from the last of which nobody can call.
const OWN: [&str; 3] = ["10.5.0.2/24", "10.5.0.3/24", "10.5.7.7/24"];

fn proven() -> BTreeSet<IpAddr> {
    ["10.5.0.2", "10.5.0.3"]
        .map(|it| it.parse().unwrap())
        .into()
}

#[test]
fn a_worker_joins_with_what_it_proves() {
    let test = "join::a_worker_joins_with_what_it_proves";
    testkit::isolated(test, || async {
        be_at(&["10.5.0.2/24", "10.5.0.3/24"]);
        let (cluster, folder) = (Cluster::new(), tempfile::tempdir().unwrap());
        let (served, folder) = (cluster.serve("10.5.0.2"), folder.path());
        let documents = cluster.worker(TOKEN);
        let (held, _) = join(folder, "worker-1", &OWN, &documents, met).await;
        let names = &held.machine.as_ref().unwrap().certificate().names;
        assert_eq!(names.addresses, proven());
        assert_eq!(names.names, ["worker-1".to_owned()].into());
        let kubelet = held.kubelet.as_ref().unwrap();
        assert_eq!(kubelet.client.certificate().organizations, ["system:nodes"]);
        assert_eq!(kubelet.serving.certificate().names, *names);

        // Nothing that anybody could be made a member with, or worse.
        let texts = [files(folder), vec![documents.clone()]].concat();
        for authority in [&cluster.api, &cluster.kubernetes] {
            let key = authority.identity().key_pem().expose();
            let body = key.lines().nth(1).unwrap();
            assert!(texts.iter().all(|it| !it.contains(body)));
        }
        let keys = texts.iter().filter(|it| it.contains("PRIVATE KEY")).count();
        assert_eq!(keys, 3, "its own, and the kubelet's two");

        // In its next life it asks nobody.
        let (again, _) = join(folder, "worker-1", &OWN, &documents, met).await;
        assert_eq!(serial(&again), serial(&held));
        // After a reboot nobody answers: its API goes on with what it has, and the kubelet waits.
        drop(served);
        std::fs::remove_dir_all(folder.join("memory")).unwrap();
        let refused = says("Connection refused");
        let (held, condition) = join(folder, "worker-1", &OWN, &documents, refused).await;
        assert_eq!(serial(&held), serial(&again));
        assert!(held.kubelet.is_none(), "{condition:?}");
    });
}

#[test]
fn a_worker_that_was_off_for_long_joins_again_by_its_token() {
    let test = "join::a_worker_that_was_off_for_long_joins_again_by_its_token";
    testkit::isolated(test, || async {
        be_at(&["10.5.0.2/24", "10.5.0.3/24"]);
        let year_ago = Timestamp::now() - SignedDuration::from_hours(365 * 24);
        let (cluster, folder) = (Cluster::since(year_ago), tempfile::tempdir().unwrap());
        let (served, folder) = (cluster.serve("10.5.0.2"), folder.path());
        let documents = cluster.worker(TOKEN);
        let (before, _) = join(folder, "worker-1", &OWN, &documents, met).await;
        // A year later its key is there, and what it got for it is over.
        let machine = before.machine.unwrap();
        let key = Key::from_pem(machine.key_pem().expose()).unwrap();
        let challenge = Challenge::random().unwrap();
        let subject = Subject {
            name: "worker-1",
            purpose: "machine",
            challenge: &challenge,
        };
        let request = key.request(&subject).unwrap();
        let request = pki::Request::read(&request, &subject).unwrap();
        let names = &machine.certificate().names;
        let old =
            cluster
                .api
                .certify_serving("worker-1", names, &request, SERVING_LIFETIME, year_ago);
        let file = folder.join("state/join/machine.pem");
        assert!(file.exists());
        std::fs::write(&file, old.unwrap()).unwrap();
        std::fs::remove_dir_all(folder.join("memory")).unwrap();
        // While nobody answers it shows nobody what is over.
        drop(served);
        let refused = says("Connection refused");
        let (held, _) = join(folder, "worker-1", &OWN, &documents, refused).await;
        assert!(held.machine.is_none() && held.kubelet.is_none());
        let _served = cluster.serve("10.5.0.2");
        let (after, _) = join(folder, "worker-1", &OWN, &documents, met).await;
        let new = after.machine.unwrap();
        let now = Timestamp::now();
        assert!(new.certificate().is_valid_at(now));
        // The name is the key's, and it is the same key.
        assert_eq!(
            new.certificate().fingerprint,
            machine.certificate().fingerprint
        );
        let kubelet = after.kubelet.unwrap();
        for identity in [kubelet.client, kubelet.serving] {
            assert!(identity.certificate().is_valid_at(now));
        }
    });
}

#[test]
fn a_token_is_changed_while_workers_still_have_the_former_one() {
    let test = "join::a_token_is_changed_while_workers_still_have_the_former_one";
    testkit::isolated(test, || async {
        be_at(&["10.5.0.2/24", "10.5.0.3/24"]);
        let (cluster, folder) = (Cluster::new(), tempfile::tempdir().unwrap());
        let former = format!("formerTokens: [{OTHER_TOKEN}]\n");
        let served = cluster.serve_with("10.5.0.2", &former);
        for (name, token, said) in [
            ("worker-1", OTHER_TOKEN, ", with a former token"),
            ("worker-2", TOKEN, ""),
        ] {
            let documents = cluster.worker(token);
            let folder = folder.path().join(name);
            join(&folder, name, &OWN, &documents, met).await;
            let record = served.records.wait(|record| {
                let target = &record.target;
                record.method.ends_with("JoinService/Issue") && target.starts_with(name)
            });
            // Whoever changes the token sees who still has the former one.
            let target = record.await.target;
            assert_eq!(target.contains("with a former token"), !said.is_empty());
            assert!(target.ends_with(said), "{target}");
        }
    });
}

#[test]
fn a_worker_that_starts_again_asks_control_planes_that_it_knew() {
    let test = "join::a_worker_that_starts_again_asks_control_planes_that_it_knew";
    testkit::isolated(test, || async {
        be_at(&["10.5.0.2/24", "10.5.0.3/24"]);
        let (cluster, folder) = (Cluster::new(), tempfile::tempdir().unwrap());
        let (_served, folder) = (cluster.serve("10.5.0.2"), folder.path());
        // Its endpoint is one node, which is gone.
        let documents = cluster.documents("worker", TOKEN, "", "");
        let refused = says("Connection refused");
        let (nothing, _) = join(folder, "worker-1", &OWN, &documents, refused).await;
        assert!(nothing.machine.is_none());
        // It hears of the others, once.
        let store = node("worker-1", &OWN, &documents);
        let plane = NodeStatus {
            control_plane: true,
            addresses: vec!["10.5.0.2".to_owned()],
            ..NodeStatus::default()
        };
        let heard = Transaction::owned("test").put(Resource::in_default("cp-1", plane));
        store.commit(heard, Timestamp::now()).unwrap();
        live(folder, &store, met).await;
        // And knows them after it has started again, with nothing in memory.
        std::fs::remove_dir_all(folder.join("memory")).unwrap();
        let store = node("worker-1", &OWN, &documents);
        let (held, _) = live(folder, &store, met).await;
        assert!(held.kubelet.is_some());
        let namespace = ControlPlane::DEFINITION.namespace;
        let known = store.snapshot().get_as::<ControlPlane>(namespace, "cp-1");
        assert!(known.unwrap().spec.remembered);
    });
}

#[test]
fn what_a_worker_may_not_is_refused_and_recorded() {
    let test = "join::what_a_worker_may_not_is_refused_and_recorded";
    testkit::isolated(test, || async {
        be_at(&["10.5.0.2/24", "10.5.0.3/24"]);
        let (cluster, folder) = (Cluster::new(), tempfile::tempdir().unwrap());
        let served = cluster.serve("10.5.0.2");
        let documents = cluster.worker(TOKEN);
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        join(&one, "worker-1", &OWN, &documents, met).await;
        let taken = says("belongs to a machine with another key");
        let (nothing, _) = join(&other, "worker-1", &OWN, &documents, taken).await;
        assert!(nothing.machine.is_none() && nothing.kubelet.is_none());
        let wrong = cluster.worker(OTHER_TOKEN);
        join(&other, "worker-2", &OWN, &wrong, says("wrong token")).await;
        for (result, reason) in [
            (Code::Ok, "worker-1 at 10.5.0.2, 10.5.0.3, key "),
            (
                Code::PermissionDenied,
                "worker-1: the name `worker-1` belongs",
            ),
            (Code::Unauthenticated, "worker-2: wrong token"),
        ] {
            let record = served.records.wait(|record| {
                record.method.ends_with("JoinService/Issue")
                    && record.result == result
                    && record.target.contains(reason)
            });
            assert!(proven().contains(&record.await.source.ip()));
        }
        // Its config believes another authority of Kubernetes than the control planes' have: it says so, and waits.
        let own = cluster.api.identity();
        let foreign = Cluster {
            api: Authority::from_pem(own.certificate_pem(), own.key_pem().expose()).unwrap(),
            ..Cluster::new()
        };
        let lacking = says("do not hold here");
        join(&other, "worker-3", &OWN, &foreign.worker(TOKEN), lacking).await;
    });
}

/// What a worker sends, to answer a challenge.
async fn answer(client: &mut JoinServiceClient<Channel>, token: &str) -> v1::IssueRequest {
    let challenge = client.challenge(v1::ChallengeRequest {}).await.unwrap();
    let challenge = Challenge::from_bytes(&challenge.into_inner().challenge).unwrap();
    let request = |purpose| {
        let subject = Subject {
            name: "worker-1",
            purpose,
            challenge: &challenge,
        };
        Key::generate().unwrap().request(&subject).unwrap()
    };
    v1::IssueRequest {
        token: token.to_owned(),
        name: "worker-1".to_owned(),
        machine: request("machine"),
        kubelet: request("kubelet"),
        kubelet_serving: request("kubelet-serving"),
        before: String::new(),
    }
}

fn code<T>(result: Result<T, Status>) -> (Code, String) {
    let Err(status) = result else {
        return (Code::Ok, String::new());
    };
    (status.code(), status.message().to_owned())
}

#[test]
fn what_was_answered_before_or_elsewhere_is_refused() {
    let test = "join::what_was_answered_before_or_elsewhere_is_refused";
    testkit::isolated(test, || async {
        be_at(&["10.5.0.2/24"]);
        let cluster = Cluster::new();
        let served = cluster.serve("10.5.0.2");
        let connect = async || {
            let config = tls::anonymous_client(&cluster.trust()).unwrap();
            let channel = dial(served.address, config).await.unwrap();
            JoinServiceClient::new(channel)
        };
        let (mut one, mut other) = (connect().await, connect().await);
        let request = answer(&mut one, TOKEN).await;
        // Somebody else heard it and sends it first, with a challenge of his own and without.
        let (code_without, _) = code(other.issue(request.clone()).await);
        assert_eq!(code_without, Code::FailedPrecondition);
        answer(&mut other, TOKEN).await;
        let (code_with, said) = code(other.issue(request.clone()).await);
        assert_eq!(code_with, Code::InvalidArgument, "{said}");
        assert!(said.contains("another challenge"), "{said}");
        assert_eq!(code(one.issue(request.clone()).await).0, Code::Ok);
        let (replayed, said) = code(one.issue(request).await);
        assert_eq!(replayed, Code::FailedPrecondition, "{said}");
        assert!(said.contains("was answered before"), "{said}");
    });
}

#[tokio::test]
async fn strangers_are_answered_that_and_nothing_else() {
    let cluster = Cluster::new();
    let served = cluster.serve("127.0.0.1");
    let config = tls::anonymous_client(&cluster.trust()).unwrap();
    let channel = dial(served.address, config).await.unwrap();
    let version = MachineServiceClient::new(channel.clone());
    let (refused, said) = code(version.clone().version(v1::VersionRequest {}).await);
    assert_eq!(refused, Code::Unauthenticated, "{said}");
    let mut client = JoinServiceClient::new(channel);
    let mut large = answer(&mut client, TOKEN).await;
    large.machine.resize(20 * 1024, 0);
    let (refused, _) = code(client.issue(large).await);
    assert!(matches!(
        refused,
        Code::ResourceExhausted | Code::OutOfRange
    ));
    for _ in 0..5 {
        let wrong = answer(&mut client, OTHER_TOKEN).await;
        assert_eq!(code(client.issue(wrong).await).0, Code::Unauthenticated);
    }
    // It waits now, whatever it has.
    let right = answer(&mut client, TOKEN).await;
    assert_eq!(code(client.issue(right).await).0, Code::ResourceExhausted);
}
