//! What a remote runtime does when either side goes away and comes back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{
    Engine, NOW, Number, Place, Text, Upstream, eventually, no_number, number, say_settled, texts,
};
use cosi::status::RuntimeStatus;
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use store::{Store, Transaction};

/// An applier: its "world" is made to follow the numbers; it removes only with leave.
struct Applier {
    world: World,
    log: Arc<Mutex<Vec<String>>>,
}

type World = Arc<Mutex<std::collections::BTreeMap<String, i64>>>;

cosi::declare! {
    Applier as "test.applier" {
        reads Number;
        writes Text;
    }
}

impl Controller for Applier {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let wanted = cx.list::<Number>();
        let mut world = self.world.lock().unwrap();
        for number in &wanted {
            world.insert(number.id().to_owned(), number.spec.value);
        }
        if cx.deletions_allowed() {
            world.retain(|id, _| {
                let keep = wanted.iter().any(|number| number.id() == id);
                if !keep {
                    self.log.lock().unwrap().push(format!("removed {id}"));
                }
                keep
            });
        }
        cx.replace::<Text>();
        for (id, value) in &*world {
            let text = value.to_string();
            cx.put(id.clone(), Text { text });
        }
        Ok(Outcome::Done)
    }
}

struct Hands {
    world: World,
    log: Arc<Mutex<Vec<String>>>,
    running: crate::common::Running,
}

impl Hands {
    fn start(upstream: &Upstream, world: &World) -> Self {
        let log = Arc::default();
        let mut engine = Engine::new(Place::Remote, upstream);
        engine
            .register(Applier {
                world: Arc::clone(world),
                log: Arc::clone(&log),
            })
            .unwrap();
        Self {
            world: Arc::clone(world),
            log,
            running: engine.spawn(),
        }
    }

    fn world(&self) -> Vec<String> {
        let world = self.world.lock().unwrap();
        world
            .iter()
            .map(|(id, value)| format!("{id}={value}"))
            .collect()
    }

    fn removed(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn is_settled(store: &Store) -> bool {
    store
        .snapshot()
        .get_as::<RuntimeStatus>("runtime", "engine")
        .is_some_and(|status| status.spec.settled && status.spec.epoch == store.epoch())
}

async fn a_while() {
    tokio::time::sleep(Duration::from_secs(30)).await;
}

#[tokio::test(start_paused = true)]
async fn a_restarted_upstream_removes_nothing_before_it_has_settled() {
    let mut upstream = Upstream::start(1);
    number(&upstream.store, "a", 1);
    number(&upstream.store, "b", 2);
    say_settled(&upstream.store, true);
    let hands = Hands::start(&upstream, &World::default());
    eventually(&upstream.store, "applied", || {
        hands.world() == ["a=1", "b=2"]
    })
    .await;

    upstream.restart(2);
    let store = upstream.store.clone();
    say_settled(&store, false);
    // Its outputs are there again, unasked, and it says so in the new epoch.
    eventually(&store, "outputs", || {
        texts(&store) == ["a=1", "b=2"] && is_settled(&store)
    })
    .await;
    // What is added and changed is followed; what is not there yet is not missed.
    number(&store, "a", 10);
    number(&store, "c", 3);
    eventually(&store, "changes", || {
        hands.world() == ["a=10", "b=2", "c=3"]
    })
    .await;
    a_while().await;
    assert_eq!(hands.removed(), Vec::<String>::new());
    // Now its absence is proven.
    say_settled(&store, true);
    eventually(&store, "removal", || hands.world() == ["a=10", "c=3"]).await;
    assert_eq!(hands.removed(), ["removed b"]);
    eventually(&store, "outputs", || texts(&store) == ["a=10", "c=3"]).await;
    hands.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_just_before_settling_is_never_removed() {
    // The watch of the status may overtake the watch of the numbers: only what is read after "settled" is proof.
    for round in 0..50 {
        let mut upstream = Upstream::start(1);
        for id in 0..20 {
            number(&upstream.store, &format!("n{id}"), 1);
        }
        say_settled(&upstream.store, true);
        let hands = Hands::start(&upstream, &World::default());
        eventually(&upstream.store, "applied", || hands.world().len() == 20).await;
        upstream.restart(2);
        let store = upstream.store.clone();
        say_settled(&store, false);
        tokio::time::sleep(Duration::from_millis(round * 10)).await;
        for id in 0..20 {
            number(&store, &format!("n{id}"), 1);
        }
        say_settled(&store, true);
        eventually(&store, "settled", || is_settled(&store)).await;
        a_while().await;
        assert_eq!(hands.removed(), Vec::<String>::new(), "round {round}");
        hands.running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_connection_there_is_no_leave_and_no_loss() {
    let mut upstream = Upstream::start(1);
    let store = upstream.store.clone();
    number(&store, "a", 1);
    say_settled(&store, true);
    let hands = Hands::start(&upstream, &World::default());
    eventually(&store, "applied", || texts(&store) == ["a=1"]).await;
    upstream.stop();
    // Both sides change while they cannot speak.
    no_number(&store, "a");
    number(&store, "b", 2);
    a_while().await;
    assert_eq!(hands.world(), ["a=1"]);
    upstream.reconnect();
    eventually(&store, "caught up", || {
        hands.world() == ["b=2"] && texts(&store) == ["b=2"]
    })
    .await;
    hands.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_starts_before_upstream_does() {
    let mut upstream = Upstream::start(1);
    upstream.stop();
    let hands = Hands::start(&upstream, &World::default());
    a_while().await;
    upstream.restart(2);
    let store = upstream.store.clone();
    number(&store, "a", 1);
    eventually(&store, "applied", || texts(&store) == ["a=1"]).await;
    // Upstream has not said anything of itself yet.
    assert!(!is_settled(&store));
    say_settled(&store, false);
    eventually(&store, "settled", || is_settled(&store)).await;
    hands.running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restarted_remote_finds_what_it_had_written() {
    /// Says once what it found of its own, and leaves it as it is.
    struct Finder(Arc<Mutex<Vec<String>>>);
    cosi::declare! {
        Finder as "test.applier" {
            reads Number;
            writes Text;
        }
    }
    impl Controller for Finder {
        async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
            let mine = cx.mine::<Text>();
            self.0
                .lock()
                .unwrap()
                .extend(mine.iter().map(|text| text.id().to_owned()));
            Ok(Outcome::Done)
        }
    }
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    number(store, "a", 1);
    say_settled(store, true);
    let hands = Hands::start(&upstream, &World::default());
    eventually(store, "applied", || texts(store) == ["a=1"]).await;
    hands.running.stop().await;
    let foreign = store::Resource::in_default("z", Text::default());
    store
        .commit(Transaction::owned("other").put(foreign), NOW)
        .unwrap();

    let found = Arc::default();
    let mut engine = Engine::new(Place::Remote, &upstream);
    engine.register(Finder(Arc::clone(&found))).unwrap();
    let running = engine.spawn();
    eventually(store, "found", || *found.lock().unwrap() == ["a"]).await;
    a_while().await;
    assert_eq!(texts(store), ["a=1", "z="]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_is_tried_again() {
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    let foreign = || {
        store::Resource::in_default(
            "a",
            Text {
                text: "foreign".into(),
            },
        )
    };
    store
        .commit(Transaction::owned("other").put(foreign()), NOW)
        .unwrap();
    number(store, "a", 1);
    number(store, "b", 2);
    let hands = Hands::start(&upstream, &World::default());
    eventually(store, "the others", || texts(store) == ["a=foreign", "b=2"]).await;
    say_settled(store, false);
    a_while().await;
    assert!(!is_settled(store), "not everything it said is there");
    let away = Transaction::owned("other").destroy(foreign().reference());
    store.commit(away, NOW).unwrap();
    eventually(store, "in the end", || {
        texts(store) == ["a=1", "b=2"] && is_settled(store)
    })
    .await;
    hands.running.stop().await;
}
