//! Rest, leave to delete, and what is waited for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cosi::Outcome;
use cosi::status::{RunState, RuntimeStatus};
use store::Transaction;

use crate::common::{Engine, NOW, Number, Place, Upstream, eventually, number, say_settled};
use crate::controllers::{Script, Spell, controller_status, runtime_status, script};

async fn says_what_it_waits_for_and_settles(place: Place) {
    let upstream = Upstream::start(7);
    let store = &upstream.store;
    say_settled(store, false);
    let mut engine = Engine::new(place, &upstream);
    engine
        .register(script(|cx, _| match cx.get::<Number>("a") {
            Some(_) => Ok(Outcome::Done),
            None => Ok(Outcome::WaitingOn("number a".into())),
        }))
        .unwrap();
    let rest = engine.rest();
    assert_eq!(rest.waits_for(), ["test.script"]);
    let running = engine.spawn();
    eventually(store, "settled", || {
        runtime_status(store, "engine")
            == Some(RuntimeStatus {
                epoch: 7,
                settled: true,
            })
    })
    .await;
    eventually(store, "waiting", || {
        controller_status(store, "test.script").is_some_and(|status| {
            status.state == RunState::Waiting && status.waiting_on == "number a"
        })
    })
    .await;
    number(store, "a", 1);
    eventually(store, "done", || {
        controller_status(store, "test.script").is_some_and(|s| s.state == RunState::Done)
    })
    .await;
    assert_eq!(rest.waits_for(), Vec::<String>::new());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn local_says_what_it_waits_for_and_settles() {
    says_what_it_waits_for_and_settles(Place::Local).await;
}

#[tokio::test(start_paused = true)]
async fn remote_says_what_it_waits_for_and_settles() {
    says_what_it_waits_for_and_settles(Place::Remote).await;
}

/// Notes whether it may delete, each time it runs.
fn asks(noted: &Arc<Mutex<Vec<bool>>>) -> Script {
    let noted = Arc::clone(noted);
    script(move |cx, _| {
        noted.lock().unwrap().push(cx.deletions_allowed());
        Ok(Outcome::Done)
    })
}

#[tokio::test(start_paused = true)]
async fn leave_to_delete_comes_with_rest() {
    let upstream = Upstream::start(1);
    let noted = Arc::default();
    let mut engine = Engine::new(Place::Local, &upstream);
    engine.register(asks(&noted)).unwrap();
    let running = engine.spawn();
    eventually(&upstream.store, "leave", || {
        *noted.lock().unwrap() == [false, true]
    })
    .await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_awaited_peer_settles_first() {
    let upstream = Upstream::start(3);
    let store = &upstream.store;
    let mut runtime = cosi::Runtime::new("engine", store.clone()).with_clock(NOW);
    runtime.await_peer("hands");
    runtime.register(Spell).unwrap();
    let rest = runtime.rest();
    let running = Engine::Local(runtime).spawn();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rest.waits_for(), ["hands"]);
    assert!(!rest.is_settled());
    for (epoch, settles) in [(2, false), (3, true)] {
        let status = RuntimeStatus {
            epoch,
            settled: true,
        };
        let put = Transaction::owned("hands").put(store::Resource::in_default("hands", status));
        store.commit(put, NOW).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(rest.is_settled(), settles, "epoch {epoch}");
    }
    running.stop().await;
}
