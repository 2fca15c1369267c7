//! Ends of the machine: what was ordered is done, by whichever life is there.

use resources::runtime::{Departure, DepartureEnd, DepartureState, LAST};

use super::*;

/// What is told of the order.
fn told(life: &Life) -> Option<Departure> {
    let namespace = Departure::DEFINITION.namespace;
    let told = life.store.snapshot().get_as::<Departure>(namespace, LAST);
    told.map(|it| (*it.spec).clone())
}

/// Lets a life do what it was ordered, until it is done; the end that it comes to.
async fn done(life: Life) -> Option<End> {
    let end = life.end.subscribe();
    let (_, nobody) = mpsc::channel(1);
    life.head.run(nobody).await;
    *end.borrow()
}

fn reset(disk: &str) -> Ending {
    Ending::Reset {
        disk: disk.to_owned(),
        abandon_etcd: false,
    }
}

#[tokio::test]
async fn an_order_outlives_the_process_until_the_machine_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    assert_eq!(told(&life), None);
    let drain = Some(Duration::from_secs(60));
    let caller = caller(None);
    let taken = life.head.depart(&caller, Ending::Shutdown, drain);
    taken.await.unwrap();
    drop(life);
    // Told before anything else runs, which would take a node that goes for one that stays.
    let life = Life::begin(folder.path(), &Beginning::Usual);
    let departure = told(&life).unwrap();
    assert_eq!(departure.end, DepartureEnd::Shutdown);
    assert!(departure.is_under_way() && departure.by.contains("asked by test"));
    assert_eq!(done(life).await, Some(End::Machine(Down::Poweroff)));
    let life = Life::begin(folder.path(), &Beginning::Usual);
    assert_eq!(done(life).await, Some(End::Machine(Down::Poweroff)));
    // In case it is what no life has survived.
    let life = Life::begin(folder.path(), &safe());
    assert_eq!((told(&life), done(life).await), (None, None));
    assert_eq!(told(&Life::begin(folder.path(), &Beginning::Usual)), None);
}

#[tokio::test]
async fn the_last_order_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    for end in [Ending::Shutdown, Ending::Reboot] {
        life.head.depart(&caller(None), end, None).await.unwrap();
    }
    assert_eq!(done(life).await, Some(End::Machine(Down::Reboot)));
}

#[tokio::test]
async fn a_reset_that_cannot_be_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    let refused = life.head.depart(&caller(None), reset("vda"), None).await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("keeps nothing on a disk")
    );
    assert_eq!(told(&life), None);
    life.head
        .depart(&caller(None), reset(""), None)
        .await
        .unwrap();
    assert_eq!(told(&life).unwrap().end, DepartureEnd::Reset);
    assert_eq!(done(life).await, Some(End::Machine(Down::Reboot)));
}

#[tokio::test]
async fn what_comes_to_nothing_is_told_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), &Beginning::Usual);
    life.head
        .depart(&caller(None), reset(""), None)
        .await
        .unwrap();
    life.head.departed(Err("etcd stays".to_owned())).await;
    let departure = told(&life).unwrap();
    assert_eq!(departure.state, DepartureState::Failed);
    assert!(!departure.is_under_way());
    assert_eq!(departure.reason, "etcd stays");
    assert_eq!(done(life).await, None);
    let life = Life::begin(folder.path(), &Beginning::Usual);
    assert_eq!((told(&life), done(life).await), (None, None));
}
