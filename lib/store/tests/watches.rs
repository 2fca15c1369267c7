//! Whatever the queue's limit and however the reader dawdles: what it is told, folded, is what is there.

mod model;

use std::collections::BTreeMap;

use model::{Known, Model, NS, TY, both, transactions};
use proptest::prelude::*;
use store::{
    Bookmark, BookmarkError, Event, EventKind, LabelQuery, Snapshot, Store, WatchError,
    WatchRequest, Watcher,
};

type View = BTreeMap<String, Known>;

/// A reader that believes what it is told.
#[derive(Clone, Debug, Default)]
struct Reader {
    view: View,
    /// The last place it could come back to, with its view there.
    place: Option<(Bookmark, View)>,
}

impl Reader {
    /// Checks that the event fits what the reader was told before.
    fn take(&mut self, event: &Event, filtered: bool) -> Result<(), TestCaseError> {
        match &event.kind {
            EventKind::Created(new) => {
                let id = new.metadata.id.to_string();
                prop_assert!(
                    self.view.insert(id, Known::of(new)).is_none(),
                    "it was there"
                );
                prop_assert!(!filtered || Known::of(new).label);
            }
            EventKind::Updated { old, new } => {
                let held = self
                    .view
                    .insert(new.metadata.id.to_string(), Known::of(new));
                prop_assert_eq!(
                    held,
                    Some(Known::of(old)),
                    "the old version is what it knew"
                );
                prop_assert_eq!(old.uid, new.uid);
                prop_assert!(!filtered || Known::of(new).label);
            }
            EventKind::Destroyed(last) => {
                let held = self.view.remove(&*last.metadata.id);
                prop_assert!(held.is_some(), "it was not there");
                prop_assert!(held.is_some_and(|held| held.version <= last.metadata.version.0));
            }
            EventKind::Absent(reference) => {
                prop_assert!(!self.view.contains_key(&*reference.id));
            }
            EventKind::Bootstrapped | EventKind::Noop => {}
        }
        if let Some(bookmark) = event.bookmark {
            self.place = Some((bookmark, self.view.clone()));
        }
        Ok(())
    }

    fn drain(&mut self, watcher: &Watcher, filtered: bool) -> Result<(), TestCaseError> {
        while let Some(event) = watcher.pop() {
            self.take(&event, filtered)?;
        }
        Ok(())
    }
}

fn expected(snapshot: &Snapshot, filtered: bool, id: Option<&str>) -> View {
    snapshot
        .list(NS, TY)
        .map(|entry| (entry.metadata.id.to_string(), Known::of(entry)))
        .filter(|(held, known)| id.is_none_or(|id| id == held) && (!filtered || known.label))
        .collect()
}

fn request(filtered: bool) -> WatchRequest {
    let request = WatchRequest::kind(NS, TY);
    if filtered {
        request.labels(LabelQuery::equal("wanted", "yes"))
    } else {
        request
    }
}

fn watch(store: &Store, request: WatchRequest) -> Watcher {
    store.watch(request).expect("a valid request")
}

/// Whoever comes back to the last place it knows ends up with what is there.
fn resume(store: &Store, reader: &Reader, filtered: bool) -> Result<(), TestCaseError> {
    let Some((bookmark, view)) = reader.place.clone() else {
        return Ok(());
    };
    match store.watch(request(filtered).after(bookmark)) {
        Ok(resumed) => {
            let mut other = Reader { view, place: None };
            other.drain(&resumed, filtered)?;
            prop_assert_eq!(other.view, expected(&store.snapshot(), filtered, None));
            Ok(())
        }
        Err(WatchError::Bookmark(BookmarkError::Old)) => Ok(()),
        Err(error) => Err(TestCaseError::fail(error.to_string())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_fold_to_the_contents(
        before in transactions(6),
        // After each transaction, how many events the reader takes.
        after in transactions(40).prop_flat_map(|all| {
            let pops = prop::collection::vec(0usize..4, all.len());
            (Just(all), pops)
        }),
        limit in 0usize..6,
        filtered: bool,
    ) {
        let store = Store::new(1);
        let mut model = Model::default();
        for steps in &before {
            both(&store, &mut model, steps)?;
        }
        let watcher = watch(&store, request(filtered).contents().queue_limit(limit));
        let mut reader = Reader::default();
        for (steps, pops) in after.0.iter().zip(after.1) {
            both(&store, &mut model, steps)?;
            for event in std::iter::from_fn(|| watcher.pop()).take(pops) {
                reader.take(&event, filtered)?;
            }
        }
        resume(&store, &reader, filtered)?;
        reader.drain(&watcher, filtered)?;
        prop_assert_eq!(&reader.view, &expected(&store.snapshot(), filtered, None));
        resume(&store, &reader, filtered)?;
    }

    #[test]
    fn one_id_folds_to_itself(
        before in transactions(6), after in transactions(30), limit in 0usize..4,
    ) {
        let store = Store::new(1);
        let mut model = Model::default();
        for steps in &before {
            both(&store, &mut model, steps)?;
        }
        let one = WatchRequest::one(NS, TY, "1").queue_limit(limit);
        let (lazy, eager) = (watch(&store, one.clone()), watch(&store, one));
        let (mut late, mut prompt) = (Reader::default(), Reader::default());
        prompt.drain(&eager, false)?;
        for steps in &after {
            both(&store, &mut model, steps)?;
            prompt.drain(&eager, false)?;
            prop_assert_eq!(&prompt.view, &expected(&store.snapshot(), false, Some("1")));
        }
        late.drain(&lazy, false)?;
        prop_assert_eq!(late.view, prompt.view);
    }

    #[test]
    fn a_queue_holds_no_more_than_its_limit_and_the_ids(
        all in transactions(60), limit in 0usize..6,
    ) {
        let store = Store::new(1);
        let mut model = Model::default();
        let watcher = watch(&store, request(false).queue_limit(limit));
        for steps in &all {
            both(&store, &mut model, steps)?;
        }
        let waiting = std::iter::from_fn(|| watcher.pop()).count();
        // Four ids, each at worst destroyed and created again.
        prop_assert!(waiting <= limit.max(8), "{waiting}");
    }
}
