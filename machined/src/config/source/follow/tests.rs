//! A node of a store and a person of a few lines.

use std::path::Path;

use store::{Resource, Transaction};

use super::*;

fn put<S: Spec>(store: &Store, id: &str, spec: S) {
    let put = Transaction::owned("test").put(Resource::in_default(id, spec));
    store.commit(put, Timestamp::now()).unwrap();
}

fn known(store: &Store) {
    set_condition(store, STORE, true, "in memory", Timestamp::now()).unwrap();
}

fn sources(embedded: &Path, argument: Option<&str>) -> Sources {
    let argument = argument.map(|it| it.parse().map_err(|error| cosi::report(&error)));
    Sources {
        embedded: embedded.to_owned(),
        argument,
        mount_point: "/nonexistent".into(),
        tls: None,
    }
}

/// The next offer of the sources, from whom and what.
async fn offered(
    store: &Store,
    sources: Sources,
    act: impl AsyncFnOnce(&mut mpsc::Receiver<Order>) -> (String, Vec<u8>),
) -> (String, Vec<u8>) {
    let (orders, mut received) = mpsc::channel(1);
    let asked = (sources, orders);
    tokio::select! {
        () = follow(store, Some(&asked)) => unreachable!("it has no end"),
        offered = act(&mut received) => offered,
    }
}

async fn take(orders: &mut mpsc::Receiver<Order>, says: Result<(), Failure>) -> (String, Vec<u8>) {
    let Some(Order::Offer {
        source,
        documents,
        answer,
    }) = orders.recv().await
    else {
        unreachable!("nothing else is ordered")
    };
    answer.send(says).unwrap();
    (source, documents)
}

fn trouble(store: &Store) -> Option<String> {
    let snapshot = store.snapshot();
    let said = snapshot.get_as::<Condition>(Condition::DEFINITION.namespace, SOURCE)?;
    (!said.spec.met).then(|| said.spec.message.clone())
}

#[tokio::test(start_paused = true)]
async fn the_first_source_that_is_there_is_offered_once_it_is_known_that_there_is_no_config() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("config.yaml"), Store::new(1));
    std::fs::write(&file, "embedded").unwrap();
    let both = sources(&file, Some("base64:aW5saW5l"));
    let act = async |orders: &mut mpsc::Receiver<Order>| {
        sleep(LAST).await;
        assert!(orders.try_recv().is_err(), "the disk may hold one");
        known(&store);
        take(orders, Ok(())).await
    };
    let (source, documents) = offered(&store, both.clone(), act).await;
    assert!(source.contains("in the image"), "{source}");
    assert_eq!(documents, b"embedded");

    std::fs::remove_file(&file).unwrap();
    let act = async |orders: &mut mpsc::Receiver<Order>| take(orders, Ok(())).await;
    let (source, documents) = offered(&store, both, act).await;
    assert!(source.contains("garboard.config"), "{source}");
    assert_eq!(documents, b"inline");
}

#[tokio::test(start_paused = true)]
async fn a_broken_source_is_told_and_tried_again_and_no_other_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (file, store) = (folder.path().join("config.yaml"), Store::new(1));
    std::fs::write(&file, "embedded").unwrap();
    known(&store);
    let both = sources(&file, Some("base64:aW5saW5l"));
    let act = async |orders: &mut mpsc::Receiver<Order>| {
        for _ in 0..9 {
            take(orders, Err(Failure::invalid("it is wrong"))).await;
        }
        let told = trouble(&store).unwrap();
        assert!(
            told.contains("in the image") && told.contains("it is wrong"),
            "{told}"
        );
        take(orders, Ok(())).await
    };
    assert_eq!(offered(&store, both, act).await.1, b"embedded");

    let broken = sources(&folder.path().join("none"), Some("ftp://a"));
    let act = async |orders: &mut mpsc::Receiver<Order>| {
        sleep(LAST * 9).await;
        assert!(orders.try_recv().is_err());
        let told = trouble(&store).unwrap();
        assert!(
            told.contains("the kernel argument garboard.config"),
            "{told}"
        );
        (String::new(), Vec::new())
    };
    offered(&store, broken, act).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_offered_to_a_node_that_has_a_config() {
    let (store, folder) = (Store::new(1), tempfile::tempdir().unwrap());
    known(&store);
    put(&store, ACTIVE, MachineConfig::default());
    let argument = sources(&folder.path().join("none"), Some("base64:aW5saW5l"));
    let act = async |orders: &mut mpsc::Receiver<Order>| {
        sleep(LAST * 9).await;
        assert!(orders.try_recv().is_err());
        (String::new(), Vec::new())
    };
    offered(&store, argument, act).await;
}
