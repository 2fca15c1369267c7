//! The controller on a runtime, with processes: specs and orders go in, statuses come out.

use cosi::Runtime;
use jiff::Timestamp;
use resources::runtime::{ENVIRONMENT, EnvironmentSpec, Health, ServiceCheck};
use store::{Resource, Spec, Store, Transaction};

use super::super::apply::{Apply, Places};
use super::super::{OrderError, Orders, ServiceOrder};
use super::*;
use crate::node::set_condition;
use crate::runtime::stage::status::SHUTDOWN;

fn put(store: &Store, id: &str, spec: &ServiceSpec) {
    let resource = Resource::in_default(id, spec.clone());
    let transaction = Transaction::owned("test").put(resource);
    store.commit(transaction, Timestamp::now()).expect("put");
}

/// As a config that has been looked at, with nothing in it.
fn configure(store: &Store) {
    let resource = Resource::in_default(ENVIRONMENT, EnvironmentSpec::default());
    let transaction = Transaction::owned("test").put(resource);
    store.commit(transaction, Timestamp::now()).expect("put");
}

fn status(store: &Store, id: &str) -> Option<ServiceStatus> {
    let namespace = ServiceStatus::DEFINITION.namespace;
    let found = store.snapshot().get_as::<ServiceStatus>(namespace, id);
    found.map(|it| (*it.spec).clone())
}

async fn until(
    store: &Store,
    what: &str,
    wanted: impl Fn(&ServiceStatus) -> bool,
) -> ServiceStatus {
    testkit::until(what, || status(store, "one").filter(&wanted)).await
}

/// Stopped, started, started anew; and what takes no orders.
async fn obeys(store: &Store, orders: &Orders) {
    let now = || status(store, "one").expect("a status");
    let lives = |it: &ServiceStatus| {
        matches!(it.state, ServiceState::Starting | ServiceState::Running) && it.pid != 0
    };
    orders.give("one", ServiceOrder::Stop).await.expect("taken");
    assert!(!lives(&now()), "what is told is not from before the order");
    until(store, "its end", |it| it.state == ServiceState::Stopped).await;
    orders
        .give("one", ServiceOrder::Start)
        .await
        .expect("taken");
    let second = now();
    assert!(lives(&second), "{second:?}");
    orders
        .give("one", ServiceOrder::Restart)
        .await
        .expect("taken");
    let same = |it: &ServiceStatus| lives(it) && it.pid == second.pid;
    assert!(!same(&now()), "what is told is not from before the order");
    let other = |it: &ServiceStatus| it.pid != 0 && it.pid != second.pid;
    assert_eq!(until(store, "its third life", other).await.restarts, 0);
    let daemon = orders.give("networkd", ServiceOrder::Stop).await;
    assert!(matches!(daemon, Err(OrderError::Daemon(_))), "{daemon:?}");
    let nobody = orders.give("two", ServiceOrder::Stop).await;
    let text = nobody.expect_err("there is none").to_string();
    assert_eq!(text, "there is no service \"two\"; there are: one");
}

#[tokio::test]
async fn a_service_lives_as_its_spec_its_check_and_orders_have_it() {
    let mut node = Node::new(false);
    let ready = node.folder.path().join("ready");
    let spec = node.want("one", STAYS).clone();
    let check = ServiceCheck {
        target: ready.display().to_string(),
        ..ServiceCheck::default()
    };
    let spec = ServiceSpec {
        check: Some(check),
        conditions: vec!["storage".to_owned()],
        ..spec
    };
    let (store, orders) = (Store::new(1), Orders::default());
    let places = Places {
        groups: node.folder.path().join("groups"),
        records: node.folder.path().join("services"),
        logs: node.folder.path().join("logs"),
        roots: node.folder.path().join("containers"),
        containerd: node.folder.path().join("containerd.sock"),
    };
    let apply = Apply::with(node.groups(), node.roots(), places, orders.clone());
    let apply = apply.expect("a folder");
    let mut empty = apply.empty();
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(apply).expect("alone");
    let testing = async {
        put(&store, "one", &spec);
        put(&store, "machined", &spec);
        configure(&store);
        let waits = until(&store, "it to wait", |it| it.state == ServiceState::Waiting).await;
        assert_eq!(waits.waits_for, ["condition storage"]);
        let refused = status(&store, "machined").expect("told with the other");
        assert!(refused.reason.contains("choose another"), "{refused:?}");

        set_condition(&store, "storage", true, "", Timestamp::now()).expect("met");
        let starting = until(&store, "its start", |it| it.pid != 0).await;
        assert_eq!(
            (starting.state, starting.health),
            (ServiceState::Starting, Health::Unknown)
        );
        fs::write(&ready, "").expect("a file");
        let well = until(&store, "its health", |it| it.health == Health::Healthy).await;
        assert_eq!(
            (well.state, well.pid),
            (ServiceState::Running, starting.pid)
        );

        obeys(&store, &orders).await;

        assert!(!*empty.borrow());
        set_condition(&store, SHUTDOWN, true, "", Timestamp::now()).expect("met");
        empty
            .wait_for(|empty| *empty)
            .await
            .expect("the controller lives");
        let down = until(&store, "its last end", |it| it.pid == 0).await;
        assert_eq!(down.reason, "the machine goes down");
    };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = testing => {}
    }
    drop(node);
}
