use jiff::Timestamp;
use store::{Resource, Store, Transaction};

use super::*;
use crate::status::RuntimeStatus;

fn said(epoch: u64) -> Resource {
    let status = RuntimeStatus {
        epoch,
        settled: true,
    };
    let mut resource = Resource::in_default("a", status);
    resource.metadata.owner = Arc::from("me");
    resource
}

fn here(epoch: u64) -> Arc<Entry> {
    let store = Store::new(0);
    let put = Transaction::owned("me").put(said(epoch));
    let committed = store.commit(put, Timestamp::UNIX_EPOCH).unwrap();
    Arc::clone(committed.first().unwrap())
}

fn there(epoch: u64, phase: Phase, held: bool) -> Resource {
    let mut resource = said(epoch);
    resource.metadata.phase = phase;
    if held {
        resource.metadata.finalizers.add("someone");
    }
    resource
}

#[test]
fn a_difference_is_one_call() {
    use Phase::{Running, TearingDown};
    let gone = || Some(Call::Destroy(said(1).reference(), Arc::from("me")));
    assert_eq!(plan(None, None), None);
    assert!(matches!(plan(Some(&here(1)), None), Some(Call::Create(_))));
    assert_eq!(plan(Some(&here(1)), Some(&there(1, Running, false))), None);
    let update = plan(Some(&here(2)), Some(&there(1, Running, true)));
    assert!(matches!(update, Some(Call::Update(resource))
        if resource.spec.get::<RuntimeStatus>().unwrap().epoch == 2
            && resource.metadata.finalizers.contains("someone")));
    assert_eq!(plan(None, Some(&there(1, Running, false))), gone());
    assert_eq!(plan(None, Some(&there(1, TearingDown, false))), gone());
    let torn_down = plan(None, Some(&there(1, Running, true)));
    assert!(matches!(torn_down, Some(Call::Teardown(..))));
    assert_eq!(plan(None, Some(&there(1, TearingDown, true))), None);
}

#[test]
fn the_last_generation_goes_before_the_next_comes() {
    let (wanted, leaving) = (here(2), there(1, Phase::TearingDown, true));
    assert_eq!(plan(Some(&wanted), Some(&leaving)), None);
    let left = there(1, Phase::TearingDown, false);
    assert!(matches!(
        plan(Some(&wanted), Some(&left)),
        Some(Call::Destroy(..))
    ));
}
