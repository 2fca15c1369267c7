//! Random transactions on the store and on a naive map: the same outcomes, the same contents.

mod model;

use std::collections::BTreeMap;

use model::{Known, Model, NS, TY, both, transactions};
use proptest::prelude::*;
use store::{Change, Revision, Snapshot, Store};

fn contents(snapshot: &Snapshot) -> BTreeMap<String, Known> {
    snapshot
        .list(NS, TY)
        .map(|entry| (entry.metadata.id.to_string(), Known::of(entry)))
        .collect()
}

/// Does what the changes say to a copy of the contents, and checks that they fit.
fn replay(contents: &mut BTreeMap<String, Known>, changes: &[Change]) -> Result<(), TestCaseError> {
    for change in changes {
        let id = change.entry().metadata.id.to_string();
        prop_assert_eq!(
            contents.remove(&id),
            change.old().map(|entry| Known::of(entry)),
            "the old version is what was there"
        );
        if let Some(now) = change.now() {
            contents.insert(id, Known::of(now));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map(all in transactions(40)) {
        let store = Store::new(1);
        let mut model = Model::default();
        let mut replayed = BTreeMap::new();
        let mut history = Vec::new();
        let mut highest: BTreeMap<String, u64> = BTreeMap::new();
        for steps in &all {
            let before = store.revision();
            let done = both(&store, &mut model, steps)?;
            let snapshot = store.snapshot();
            prop_assert_eq!(&contents(&snapshot), &model.known);
            let changes = done.map(|done| done.changes).unwrap_or_default();
            prop_assert_eq!(
                snapshot.revision(),
                Revision(before.0 + u64::from(!changes.is_empty()))
            );
            replay(&mut replayed, &changes)?;
            prop_assert_eq!(&replayed, &model.known);
            for change in &changes {
                // Versions of an id only ever grow, across incarnations too.
                if let Some(now) = change.now() {
                    let seen = highest.entry(now.metadata.id.to_string()).or_default();
                    prop_assert!(now.metadata.version.0 > *seen);
                    *seen = now.metadata.version.0;
                }
            }
            history.push((snapshot, model.known.clone()));
        }
        for (snapshot, then) in &history {
            prop_assert_eq!(&contents(snapshot), then, "snapshots do not change");
        }
    }
}
