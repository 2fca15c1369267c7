//! What is refused when a controller is registered, and the graph that is left.

use cosi::{Error, Outcome, Outputs, RegisterError, Transform, View};
use store::Store;

use crate::common::{Engine, Number, Place, Text, Upstream, eventually, number, texts};
use crate::controllers::{Holder, Spell, runtime_status};

#[tokio::test(start_paused = true)]
async fn registration_is_all_or_nothing() {
    struct Rival;
    cosi::declare! {
        Rival as "test.rival" {
            reads Number;
            writes Text;
        }
    }
    impl Transform for Rival {
        fn transform(&self, _: &View<Self>, _: &mut Outputs<Self>) -> Result<Outcome, Error> {
            panic!("must not run");
        }
    }
    let upstream = Upstream::start(1);
    let store = &upstream.store;
    let mut engine = Engine::new(Place::Local, &upstream);
    engine.register(Spell).unwrap();
    assert!(matches!(
        engine.register(Rival),
        Err(RegisterError::Writers {
            first: "test.spell",
            second: "test.rival",
            ..
        })
    ));
    assert!(matches!(
        engine.register(Spell),
        Err(RegisterError::Name { name: "test.spell" })
    ));
    let running = engine.spawn();
    number(store, "a", 1);
    eventually(store, "the first runs", || texts(store) == ["a=1"]).await;
    eventually(store, "and settles alone", || {
        runtime_status(store, "engine").is_some_and(|status| status.settled)
    })
    .await;
    running.stop().await;

    let mut remote = Engine::new(Place::Remote, &upstream);
    assert!(matches!(
        remote.register(Holder),
        Err(RegisterError::RemoteHold { .. })
    ));
}

#[test]
fn the_graph_is_sorted_and_drawn() {
    let mut runtime = cosi::Runtime::new("engine", Store::new(1));
    runtime.register(Spell).unwrap();
    let graph = runtime.graph();
    assert_eq!(
        graph.to_string(),
        "test.spell reads in/Numbers.test.garboard\ntest.spell writes out/Texts.test.garboard\n"
    );
    assert_eq!(
        graph.to_mermaid(),
        "flowchart LR\n    \
         in_Numbers_test_garboard[\"Numbers.test.garboard<br>in\"] --> test_spell([test.spell])\n    \
         test_spell([test.spell]) --> out_Texts_test_garboard[\"Texts.test.garboard<br>out\"]\n"
    );
}
