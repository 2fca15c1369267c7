//! No wake-up is lost: many writers, many threads, and in the end every output fits its input.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use cosi::{Clock, Dirty, Outcome, Runtime};
use jiff::Timestamp;
use proptest::prelude::*;
use store::Store;

use crate::common::{NOW, Number, Text, no_number, number, texts};
use crate::controllers::{Spell, script};

/// Real threads write while a runtime of several threads follows. The last write of each round comes right when runs
/// end, which is where a wake-up would be lost; a lost one leaves the round waiting for ever.
#[test]
fn no_wake_up_is_lost_between_threads() {
    const WRITERS: usize = 3;
    const ROUNDS: i64 = 400;
    let store = Store::new(1);
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let mut runtime = Runtime::new("engine", store.clone());
    runtime.register(Spell).unwrap();
    let running = tokio.spawn(runtime.run(std::future::pending()));
    let barrier = Arc::new(Barrier::new(WRITERS + 1));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, barrier) = (store.clone(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                for round in 0..ROUNDS {
                    barrier.wait();
                    number(&store, &format!("n{writer}"), round);
                }
            })
        })
        .collect();
    for round in 0..ROUNDS {
        barrier.wait();
        let expected: Vec<_> = (0..WRITERS).map(|w| format!("n{w}={round}")).collect();
        tokio.block_on(async {
            let followed = async {
                while texts(&store) != expected {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), followed)
                .await
                .unwrap_or_else(|_| panic!("round {round}: {:?}", texts(&store)));
        });
    }
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    running.abort();
}

/// A clock that writes whenever it is asked, which is between taking the dirty set and taking the snapshot.
#[derive(Debug)]
struct Meddler {
    store: Store,
    asked: AtomicI64,
}

impl Clock for Meddler {
    fn now(&self) -> Timestamp {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        if asked < 100 {
            number(&self.store, "n", asked);
        }
        NOW
    }
}

/// The order of the two is the whole proof: here a write falls between them every time.
#[tokio::test(start_paused = true)]
async fn a_write_between_the_marks_and_the_snapshot_is_seen() {
    let store = Store::new(1);
    let meddler = Meddler {
        store: store.clone(),
        asked: AtomicI64::new(0),
    };
    let mut runtime = Runtime::new("engine", store.clone()).with_clock(meddler);
    runtime.register(Spell).unwrap();
    let rest = runtime.rest();
    let running = tokio::spawn(runtime.run(std::future::pending()));
    tokio::time::timeout(Duration::from_secs(600), rest.reached())
        .await
        .unwrap();
    assert_eq!(texts(&store), ["n=99"]);
    running.abort();
}

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    Write(u8, i8),
    Remove(u8),
    Pause(u8),
    Fail(bool),
    Trigger,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, any::<i8>()).prop_map(|(id, value)| Step::Write(id, value)),
        2 => (0..4_u8).prop_map(Step::Remove),
        3 => any::<u8>().prop_map(Step::Pause),
        1 => any::<bool>().prop_map(Step::Fail),
        1 => Just(Step::Trigger),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happened before: once the faults end, the outputs are the function of the inputs, and there is rest.
    #[test]
    fn it_converges_after_any_history(steps in proptest::collection::vec(step(), 0..60)) {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let store = Store::new(1);
        let failing = Arc::new(AtomicBool::new(false));
        let converged = tokio.block_on(converge(&store, steps, failing));
        let numbers: Vec<_> = store
            .snapshot()
            .list_as::<Number>("in")
            .map(|number| format!("{}={}", number.id(), number.spec.value))
            .collect();
        prop_assert!(converged, "no rest; numbers {:?}, texts {:?}", numbers, texts(&store));
        prop_assert_eq!(texts(&store), numbers);
    }
}

async fn converge(store: &Store, steps: Vec<Step>, failing: Arc<AtomicBool>) -> bool {
    let mut runtime = Runtime::new("engine", store.clone());
    let faulty = Arc::clone(&failing);
    // Follows single keys, so that a key missing from a dirty set would show.
    let follow = script(move |cx, dirty: &Dirty| {
        if faulty.load(Ordering::SeqCst) {
            return Err(cosi::Error::msg("a fault"));
        }
        let all = cx.list::<Number>();
        if dirty.is_all() {
            cx.replace::<Text>();
        }
        let ids: Vec<String> = match dirty.is_all() {
            true => all.iter().map(|number| number.id().to_owned()).collect(),
            false => dirty.ids::<Number>().map(str::to_owned).collect(),
        };
        for id in ids {
            match cx.get::<Number>(&id) {
                Some(number) => cx.put(
                    id,
                    Text {
                        text: number.spec.value.to_string(),
                    },
                ),
                None => cx.remove::<Text>(&id),
            }
        }
        Ok(Outcome::Done)
    });
    let trigger = runtime.register(follow).unwrap();
    let rest = runtime.rest();
    let running = tokio::spawn(runtime.run(std::future::pending()));
    for step in steps {
        match step {
            Step::Write(id, value) => number(store, &format!("n{id}"), i64::from(value)),
            Step::Remove(id) => {
                let id = format!("n{id}");
                if store.snapshot().get_as::<Number>("in", &id).is_some() {
                    no_number(store, &id);
                }
            }
            Step::Pause(millis) => {
                tokio::time::sleep(Duration::from_millis(u64::from(millis))).await;
            }
            Step::Fail(fail) => failing.store(fail, Ordering::SeqCst),
            Step::Trigger => trigger.fire(),
        }
    }
    failing.store(false, Ordering::SeqCst);
    let reached = tokio::time::timeout(Duration::from_secs(600), rest.reached()).await;
    running.abort();
    reached.is_ok()
}
