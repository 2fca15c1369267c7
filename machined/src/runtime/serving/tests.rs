//! The controllers of the endpoint and the stage on a runtime: a node is never without a way in.

use std::sync::Arc;
use std::time::Duration;

use cosi::Runtime;
use jiff::Timestamp;
use pki::{Authority, Names, SERVING_LIFETIME};
use resources::config::{ACTIVE, MachineConfig};
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::{Condition, MACHINED, Stage, StageStatus};
use store::{Resource, Spec, Store, Transaction};
use tokio::sync::watch;

use super::apply::{ServingController, check};
use crate::api::{Endpoint, Mode};
use crate::join::{Held, JOIN, Joined};
use crate::runtime::stage::status::{STORE, StageController};

/// Long enough for a busy machine; a healthy run takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

fn put(store: &Store, resource: Resource) {
    let transaction = Transaction::owned("test").put(resource);
    store.commit(transaction, Timestamp::now()).unwrap();
}

/// Makes these documents the config of a node called `node-1`, and gives what it then is.
async fn with_config(documents: Option<&str>) -> (Mode, StageStatus) {
    settled(Store::new(1), documents).await
}

async fn settled(store: Store, documents: Option<&str>) -> (Mode, StageStatus) {
    joined(store, documents, Held::default()).await
}

/// The same of a worker that has these certificates.
async fn joined(store: Store, documents: Option<&str>, held: Held) -> (Mode, StageStatus) {
    let hostname = HostnameSpec {
        hostname: "node-1".into(),
        ..HostnameSpec::default()
    };
    put(&store, Resource::in_default(HOSTNAME, hostname));
    if let Some(text) = documents {
        let spec = MachineConfig {
            text: text.to_owned(),
            hash: "hash".into(),
            generation: 1,
            ..MachineConfig::default()
        };
        put(&store, Resource::in_default(ACTIVE, spec));
    }
    let own = pki::maintenance_identity().unwrap();
    let first = Endpoint::maintenance(&own, Some("not published yet".into())).unwrap();
    let (endpoint, served) = watch::channel(Arc::new(first));
    let mut runtime = Runtime::new("machined", store.clone());
    let joined = Joined::default();
    joined.set(held);
    let serving = ServingController::new(own, endpoint, joined);
    runtime.register(serving).unwrap();
    runtime.register(StageController).unwrap();
    let rest = runtime.rest();
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        reached = tokio::time::timeout(DEADLINE, rest.reached()) => {
            reached.expect("the controllers come to rest");
        }
    }
    let stage = store
        .snapshot()
        .get_as::<StageStatus>(StageStatus::DEFINITION.namespace, MACHINED);
    let mode = served.borrow().mode().clone();
    (mode, (*stage.unwrap().spec).clone())
}

fn documents(authority: &Authority, ca: &Authority) -> config::Documents {
    let ca = ca.identity().certificate_pem().parse().unwrap();
    let own = authority.identity();
    let issuer = config::KeyPair::from_pem(own.certificate_pem(), own.key_pem().expose()).unwrap();
    config::generate::control_plane(ca, issuer, None).unwrap()
}

fn maintenance(mode: &Mode) -> &str {
    match mode {
        Mode::Maintenance { reason } => reason.as_deref().unwrap_or_default(),
        Mode::Running => panic!("the node does not wait"),
    }
}

#[tokio::test]
async fn without_a_config_the_node_waits() {
    let (mode, stage) = with_config(None).await;
    assert_eq!(maintenance(&mode), "");
    assert_eq!(stage.stage, Stage::Maintenance);
}

#[tokio::test]
async fn while_the_disk_is_looked_for_nobody_is_let_in() {
    let store = Store::new(1);
    let looking = Condition {
        met: false,
        message: "looking".into(),
    };
    put(&store, Resource::in_default(STORE, looking));
    let (mode, stage) = settled(store.clone(), None).await;
    assert_eq!(maintenance(&mode), "not published yet");
    assert_eq!(stage.stage, Stage::Booting);
    let found = Condition {
        met: true,
        message: "found".into(),
    };
    put(&store, Resource::in_default(STORE, found));
    let (mode, stage) = settled(store, None).await;
    assert_eq!(maintenance(&mode), "");
    assert_eq!(stage.stage, Stage::Maintenance);
}

#[tokio::test]
async fn a_config_with_trust_is_served() {
    let authority = Authority::generate("garboard", Timestamp::now()).unwrap();
    let text = documents(&authority, &authority).to_yaml().unwrap();
    let (mode, stage) = with_config(Some(&text)).await;
    assert_eq!(mode, Mode::Running);
    assert_eq!(stage.stage, Stage::Running);
}

#[tokio::test]
async fn a_workers_own_certificate_is_served() {
    let now = Timestamp::now();
    let authority = Authority::generate("garboard", now).unwrap();
    let own = authority
        .issue_serving("worker", &Names::loopback(), SERVING_LIFETIME, now)
        .unwrap();
    let own = config::KeyPair::from_pem(own.certificate_pem(), own.key_pem().expose()).unwrap();
    let ca = authority.identity().certificate_pem().parse().unwrap();
    let text = config::generate::worker(ca, Some(own), None)
        .unwrap()
        .to_yaml()
        .unwrap();
    assert_eq!(with_config(Some(&text)).await.0, Mode::Running);
}

/// The documents of a worker of this cluster that joins.
fn joins(authority: &Authority) -> String {
    let ca = authority.identity().certificate_pem();
    let worker = config::generate::worker(ca.parse().unwrap(), None, None).unwrap();
    let token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    format!(
        "{}---\napiVersion: garboard/v1alpha1\nkind: Join\ntoken: {token}\n",
        worker.to_yaml().unwrap()
    )
}

#[tokio::test]
async fn a_worker_that_joins_waits_for_a_certificate_and_serves_it_while_it_holds() {
    let (now, store) = (Timestamp::now(), Store::new(1));
    let authority = Authority::generate("garboard", now - SERVING_LIFETIME * 2).unwrap();
    let documents = joins(&authority);
    let asks = Condition {
        met: false,
        message: "asked cp-1: connection refused".into(),
    };
    put(&store, Resource::in_default(JOIN, asks));
    let held = |since| {
        let names = Names::loopback();
        let issued = authority.issue_serving("node-1", &names, SERVING_LIFETIME, since);
        Held {
            machine: Some(issued.unwrap()),
            kubelet: None,
        }
    };
    for nothing in [Held::default(), held(now - SERVING_LIFETIME * 2)] {
        let (mode, stage) = joined(store.clone(), Some(&documents), nothing).await;
        let told = maintenance(&mode);
        assert!(told.contains("asked cp-1: connection refused"), "{told}");
        assert_eq!(stage.reason, told);
    }
    let (mode, stage) = joined(store, Some(&documents), held(now)).await;
    assert_eq!(mode, Mode::Running);
    assert_eq!(stage.stage, Stage::Running);
}

#[tokio::test]
async fn a_config_without_trust_leaves_the_node_to_be_paired_with() {
    let text = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: a\n";
    let (mode, stage) = with_config(Some(text)).await;
    assert_eq!(maintenance(&mode), "the config has no ApiTrust document");
    assert_eq!(stage.stage, Stage::Maintenance);
    assert_eq!(stage.reason, "the config has no ApiTrust document");
}

#[tokio::test]
async fn an_authority_that_has_ended_leaves_the_node_to_be_paired_with() {
    let long_ago = Timestamp::from_second(1).unwrap();
    let authority = Authority::generate("garboard", long_ago).unwrap();
    let documents = documents(&authority, &authority);
    let (mode, stage) = with_config(Some(&documents.to_yaml().unwrap())).await;
    assert!(
        maintenance(&mode).contains("the node's own certificate"),
        "{mode:?}"
    );
    assert_eq!(stage.stage, Stage::Maintenance);
    check(&documents, Timestamp::now()).unwrap_err();
    check(&documents, long_ago).unwrap();
}
