//! What a controller may count on, on a store of its own process and on that of another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use store::{Expect, Op, Phase, Reference, Spec, Store, Transaction};

use crate::common::{
    Engine, NOW, Number, Place, Text, Upstream, eventually, no_number, number, texts,
};
use crate::controllers::{Holder, Spell, script, text_reference};

async fn follows_its_inputs(place: Place) {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    number(store, "a", 1);
    let mut engine = Engine::new(place, &upstream);
    engine.register(Spell).unwrap();
    let running = engine.spawn();
    eventually(store, "what was there", || texts(store) == ["a=1"]).await;
    number(store, "b", 2);
    number(store, "a", 3);
    eventually(store, "changes", || texts(store) == ["a=3", "b=2"]).await;
    no_number(store, "a");
    eventually(store, "removal", || texts(store) == ["b=2"]).await;
    let snapshot = store.snapshot();
    let text = snapshot.find(&text_reference("b")).unwrap();
    assert_eq!(&*text.metadata.owner, "test.spell");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn local_follows_its_inputs() {
    follows_its_inputs(Place::Local).await;
}

#[tokio::test(start_paused = true)]
async fn remote_follows_its_inputs() {
    follows_its_inputs(Place::Remote).await;
}

async fn writes_nothing_twice(place: Place) {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    let runs = Arc::new(AtomicU32::new(0));
    let mut engine = Engine::new(place, &upstream);
    let counted = Arc::clone(&runs);
    let trigger = engine
        .register(script(move |cx, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            cx.put(
                "same",
                Text {
                    text: "same".into(),
                },
            );
            Ok(Outcome::Done)
        }))
        .unwrap();
    let running = engine.spawn();
    eventually(store, "the first run", || texts(store) == ["same=same"]).await;
    let version = || {
        let snapshot = store.snapshot();
        snapshot
            .find(&text_reference("same"))
            .unwrap()
            .metadata
            .version
    };
    let first = version();
    trigger.fire();
    eventually(store, "a second run", || runs.load(Ordering::SeqCst) == 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(version(), first);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn local_writes_nothing_twice() {
    writes_nothing_twice(Place::Local).await;
}

#[tokio::test(start_paused = true)]
async fn remote_writes_nothing_twice() {
    writes_nothing_twice(Place::Remote).await;
}

async fn wakes_by_time_trigger_and_source(place: Place) {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    let mut engine = Engine::new(place, &upstream);
    let trigger = engine.register(Wakes::default()).unwrap();
    let running = engine.spawn();
    eventually(store, "requeue", || {
        texts(store).contains(&"requeue=".into())
    })
    .await;
    eventually(store, "source", || {
        texts(store).contains(&"trigger=".into())
    })
    .await;
    trigger.fire();
    eventually(store, "trigger", || {
        texts(store).contains(&"trigger again=".into())
    })
    .await;
    running.stop().await;
}

#[derive(Default)]
struct Wakes {
    triggers: u32,
}

cosi::declare! {
    Wakes as "test.wakes" {
        reads Number;
        writes Text;
    }
}

impl Controller for Wakes {
    fn sources(&mut self) -> Vec<Source> {
        let once = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
        };
        vec![Box::pin(futures_util::stream::once(once))]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        if dirty.is_all() {
            return Ok(Outcome::Requeue(Duration::from_secs(30)));
        }
        if dirty.is_requeued() {
            cx.put("requeue", Text::default());
        }
        if dirty.is_triggered() {
            let id = ["trigger", "trigger again"][self.triggers as usize];
            self.triggers += 1;
            cx.put(id, Text::default());
        }
        Ok(Outcome::Done)
    }
}

#[tokio::test(start_paused = true)]
async fn local_wakes_by_time_trigger_and_source() {
    wakes_by_time_trigger_and_source(Place::Local).await;
}

#[tokio::test(start_paused = true)]
async fn remote_wakes_by_time_trigger_and_source() {
    wakes_by_time_trigger_and_source(Place::Remote).await;
}

async fn held_outputs_go_when_let_go(place: Place) {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    number(store, "a", 1);
    let mut engine = Engine::new(place, &upstream);
    engine.register(Spell).unwrap();
    let running = engine.spawn();
    eventually(store, "a", || texts(store) == ["a=1"]).await;
    let reference = text_reference("a");
    let hold = Transaction::new("test").add_finalizer(reference.clone(), "reader");
    store.commit(hold, NOW).unwrap();
    // It still follows its input while it is held,
    number(store, "a", 2);
    eventually(store, "a", || texts(store) == ["a=2"]).await;
    // is only torn down when the input goes,
    no_number(store, "a");
    let phase = || {
        store
            .snapshot()
            .find(&reference)
            .map(|entry| entry.metadata.phase)
    };
    eventually(store, "torn down", || phase() == Some(Phase::TearingDown)).await;
    // comes back only after the generation that leaves,
    number(store, "a", 3);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(texts(store), ["a=2"]);
    let release = Transaction::new("test").remove_finalizer(reference.clone(), "reader");
    store.commit(release, NOW).unwrap();
    eventually(store, "the next", || {
        texts(store) == ["a=3"] && phase() == Some(Phase::Running)
    })
    .await;
    // and goes at once when nobody holds it.
    no_number(store, "a");
    eventually(store, "gone", || phase().is_none()).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn local_held_outputs_go_when_let_go() {
    held_outputs_go_when_let_go(Place::Local).await;
}

#[tokio::test(start_paused = true)]
async fn remote_held_outputs_go_when_let_go() {
    held_outputs_go_when_let_go(Place::Remote).await;
}

#[tokio::test(start_paused = true)]
async fn a_held_input_waits_for_its_holder() {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    number(store, "a", 1);
    let mut engine = Engine::new(Place::Local, &upstream);
    engine.register(Holder).unwrap();
    let running = engine.spawn();
    eventually(store, "held", || texts(store) == ["a="]).await;
    let reference = Reference::new("in", Number::DEFINITION.ty, "a");
    let destroy = || Transaction::new("test").destroy(reference.clone());
    assert!(store.commit(destroy(), NOW).is_err());
    let teardown = Transaction::new("test").op(Op::Teardown(reference.clone(), Expect::ANY));
    store.commit(teardown, NOW).unwrap();
    eventually(store, "let go", || texts(store).is_empty()).await;
    store.commit(destroy(), NOW).unwrap();
    running.stop().await;
}

/// The same commits, delays and faults give the same commits, in the same order.
#[test]
fn the_same_run_twice() {
    let trace = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = Store::new(1);
            let watcher = store
                .watch(store::WatchRequest::kind("out", Text::DEFINITION.ty).queue_limit(1000))
                .unwrap();
            let mut engine = cosi::Runtime::new("engine", store.clone()).with_clock(NOW);
            engine.register(Spell).unwrap();
            let running = Engine::Local(engine).spawn();
            for step in 0..200_i64 {
                number(&store, &format!("n{}", step % 7), step);
                tokio::time::sleep(Duration::from_millis((step * 37 % 11).unsigned_abs())).await;
            }
            running.stop().await;
            let mut trace = Vec::new();
            while let Some(event) = watcher.pop() {
                trace.push(format!("{:?}", event.kind));
            }
            trace
        })
    };
    let first = trace();
    assert!(first.len() > 100);
    assert_eq!(first, trace());
}
