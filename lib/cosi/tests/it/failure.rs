//! What happens when controllers fail: nothing is written, it is retried, the others go on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cosi::status::RunState;
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use store::Transaction;
use tokio::time::Instant;

use crate::common::{Engine, NOW, Number, Place, Text, Upstream, eventually, number, texts};
use crate::controllers::{Spell, controller_status, script};

async fn failure_writes_nothing_and_is_retried(place: Place) {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    let mut engine = Engine::new(place, &upstream);
    let times = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&times);
    engine
        .register(script(move |cx, dirty| {
            let run = {
                let mut times = noted.lock().unwrap();
                times.push(Instant::now());
                times.len()
            };
            assert!(dirty.is_all(), "after a failure everything is in doubt");
            cx.put("half", Text::default());
            match run {
                1 => Err(Error::msg("the door is locked")),
                2 => panic!("the key broke"),
                3 => Err(Error::msg("still locked")),
                _ => {
                    cx.remove::<Text>("half");
                    cx.put("whole", Text::default());
                    Ok(Outcome::Done)
                }
            }
        }))
        .unwrap();
    let running = engine.spawn();
    let failing =
        || controller_status(store, "test.script").filter(|s| s.state == RunState::Failed);
    eventually(store, "the panic is told", || {
        failing().is_some_and(|status| status.error.contains("the key broke"))
    })
    .await;
    assert_eq!(texts(store), Vec::<String>::new());
    eventually(store, "success", || texts(store) == ["whole="]).await;
    eventually(store, "the status is well", || failing().is_none()).await;
    let status = controller_status(store, "test.script").unwrap();
    assert_eq!((status.retries, &*status.error), (0, ""));
    let times = times.lock().unwrap().clone();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        waits[1] >= waits[0] * 2 && waits[2] >= waits[1] * 2,
        "{waits:?}"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn local_failure_writes_nothing_and_is_retried() {
    failure_writes_nothing_and_is_retried(Place::Local).await;
}

#[tokio::test(start_paused = true)]
async fn remote_failure_writes_nothing_and_is_retried() {
    failure_writes_nothing_and_is_retried(Place::Remote).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_shortens_the_wait_after_a_failure() {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    let mut engine = Engine::new(Place::Local, &upstream);
    engine
        .register(script(|cx, _| match cx.list::<Number>().len() {
            0 => Err(Error::msg("nothing to spell")),
            _ => {
                cx.put("done", Text::default());
                Ok(Outcome::Done)
            }
        }))
        .unwrap();
    let running = engine.spawn();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let begun = Instant::now();
    number(store, "a", 1);
    eventually(store, "done", || !texts(store).is_empty()).await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn partial_success_is_kept_and_retried() {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    let mut engine = Engine::new(Place::Local, &upstream);
    let mut runs = 0;
    engine
        .register(script(move |cx, _| {
            runs += 1;
            cx.put(format!("run{runs}"), Text::default());
            match runs {
                1 => Ok(Outcome::Partial(Error::msg("one of two"))),
                _ => Ok(Outcome::Done),
            }
        }))
        .unwrap();
    let running = engine.spawn();
    eventually(store, "both", || texts(store) == ["run1=", "run2="]).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_foreign_output_is_an_error_and_stays() {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    let foreign = store::Resource::in_default(
        "a",
        Text {
            text: "foreign".into(),
        },
    );
    store
        .commit(Transaction::owned("someone").put(foreign), NOW)
        .unwrap();
    number(store, "a", 1);
    let mut engine = Engine::new(Place::Local, &upstream);
    engine.register(Spell).unwrap();
    let running = engine.spawn();
    eventually(store, "told", || {
        controller_status(store, "test.spell").is_some_and(|s| s.error.contains("someone"))
    })
    .await;
    assert_eq!(texts(store), ["a=foreign"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_controller_does_not_disturb_the_others() {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    struct Broken;
    cosi::declare! {
        Broken as "test.broken" {
            reads Number;
        }
    }
    impl Controller for Broken {
        async fn reconcile(&mut self, _: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
            panic!("always");
        }
    }
    let mut engine = Engine::new(Place::Local, &upstream);
    engine.register(Broken).unwrap();
    engine.register(Spell).unwrap();
    let rest = engine.rest();
    let running = engine.spawn();
    for value in 0..50 {
        number(store, "a", value);
        let expected = [format!("a={value}")];
        eventually(store, "followed", || texts(store) == expected).await;
    }
    assert_eq!(rest.waits_for(), ["test.broken"]);
    assert!(!rest.is_settled(), "a controller has never run well");
    running.stop().await;
}
