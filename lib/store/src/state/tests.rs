use std::sync::Mutex as StdMutex;

use super::*;
use crate::testing::{NS, Number, number, reference, secret};
use crate::{DirtySink, LabelQuery, Selector, Spec};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const TY: &str = Number::DEFINITION.ty;

fn put(store: &Store, id: &str, value: u32) {
    let transaction = Transaction::new("user").put(number(id, value));
    store.commit(transaction, NOW).expect("unowned");
}

fn values(snapshot: &Snapshot) -> Vec<(String, u32)> {
    snapshot
        .list_as::<Number>(NS)
        .map(|number| (number.id().to_owned(), number.spec.value))
        .collect()
}

#[test]
fn lists_are_by_id_and_unknown_kinds_are_empty() {
    let store = Store::new(1);
    for id in ["b", "c", "a"] {
        put(&store, id, 1);
    }
    let ids: Vec<_> = values(&store.snapshot())
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(store.snapshot().list("nowhere", TY).count(), 0);
    assert_eq!(store.snapshot().kinds().count(), 1);
    let selector = Selector {
        ids: Some(crate::IdQuery::new("[ac]").expect("a pattern")),
        ..Selector::default()
    };
    assert_eq!(store.snapshot().select(NS, TY, &selector).count(), 2);
}

#[test]
fn snapshots_do_not_change() {
    let store = Store::new(1);
    put(&store, "a", 1);
    let before = store.snapshot();
    put(&store, "a", 2);
    put(&store, "b", 3);
    assert_eq!(values(&before), [("a".to_owned(), 1)]);
    assert_eq!(before.revision(), Revision(1));
    assert_eq!(values(&store.snapshot()).len(), 2);
}

#[test]
fn forks_go_their_own_way() {
    let store = Store::new(1);
    put(&store, "a", 1);
    let fork = store.fork(2);
    put(&fork, "a", 2);
    put(&store, "b", 3);
    assert_eq!(values(&fork.snapshot()), [("a".to_owned(), 2)]);
    assert_eq!(
        store
            .snapshot()
            .get_as::<Number>(NS, "a")
            .expect("there")
            .spec
            .value,
        1
    );
}

/// Takes a snapshot later than the mark, as a runtime does, and notes what it saw.
#[derive(Default)]
struct Sink {
    marks: StdMutex<Vec<(u64, String, bool)>>,
}

impl DirtySink for Sink {
    fn mark(&self, revision: Revision, change: &Change) {
        let id = change.entry().metadata.id.to_string();
        self.marks
            .lock()
            .expect("no panics")
            .push((revision.0, id, change.now().is_some()));
    }
}

impl Sink {
    fn take(&self) -> Vec<(u64, String, bool)> {
        std::mem::take(&mut self.marks.lock().expect("no panics"))
    }
}

#[test]
fn marks_come_for_what_matches_until_dropped() {
    let store = Store::new(1);
    let all = Arc::new(Sink::default());
    let one = Arc::new(Sink::default());
    let labelled = Arc::new(Sink::default());
    let elsewhere = Arc::new(Sink::default());
    let by_label = Selector {
        labels: vec![LabelQuery::equal("k", "v")],
        ..Selector::default()
    };
    let guards = [
        store.subscribe(Matcher::of_type(TY), all.clone()),
        store.subscribe(Matcher::of_kind(NS, TY).id("b"), one.clone()),
        store.subscribe(Matcher::of_type(TY).selector(by_label), labelled.clone()),
        store.subscribe(Matcher::of_kind("other", TY), elsewhere.clone()),
    ];
    put(&store, "a", 1);
    put(&store, "b", 2);
    let labels = Transaction::new("user").put(number("a", 1).with_label("k", "v"));
    store.commit(labels, NOW).expect("unowned");
    put(&store, "a", 1);
    let gone = Transaction::new("user").destroy(reference("b"));
    store.commit(gone, NOW).expect("unowned");
    let mark = |revision, id: &str, live| (revision, id.to_owned(), live);
    assert_eq!(
        all.take(),
        [
            mark(1, "a", true),
            mark(2, "b", true),
            mark(3, "a", true),
            mark(4, "a", true),
            mark(5, "b", false),
        ]
    );
    assert_eq!(one.take(), [mark(2, "b", true), mark(5, "b", false)]);
    // Gaining the label and losing it are both of interest.
    assert_eq!(labelled.take(), [mark(3, "a", true), mark(4, "a", true)]);
    assert_eq!(elsewhere.take(), []);
    drop(guards);
    put(&store, "c", 1);
    assert_eq!(all.take(), []);
    assert!(store.shared.writer().subscribers.is_empty());
}

/// Checks from inside the commit that the new state is visible already.
struct Fresh(Store, StdMutex<u32>);

impl DirtySink for Fresh {
    fn mark(&self, revision: Revision, _: &Change) {
        // Reading never takes the writer's lock, so this is allowed.
        assert!(self.0.snapshot().revision() >= revision);
        *self.1.lock().expect("no panics") += 1;
    }
}

#[test]
fn a_snapshot_taken_after_a_mark_shows_the_change() {
    let store = Store::new(1);
    let sink = Arc::new(Fresh(store.clone(), StdMutex::new(0)));
    let _guard = store.subscribe(Matcher::of_type(TY), sink.clone());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = store.clone();
            scope.spawn(move || {
                for value in 0..100 {
                    put(&store, &format!("{thread}"), value);
                }
            });
        }
    });
    assert_eq!(*sink.1.lock().expect("no panics"), 400);
    assert_eq!(store.revision(), Revision(400));
}

#[test]
fn watching_unknown_kinds_leaves_nothing_behind() {
    let store = Store::new(1);
    let watcher = store
        .watch(WatchRequest::kind("nowhere", "Things.x.y"))
        .expect("any kind");
    assert_eq!(store.shared.writer().hubs.len(), 1);
    drop(watcher);
    assert_eq!(store.shared.writer().hubs.len(), 0);
    assert_eq!(store.snapshot().kinds().count(), 0);
}

#[test]
fn sensitive_kinds_keep_no_history() {
    let store = Store::new(1);
    let ty = crate::testing::Secret::DEFINITION.ty;
    let watcher = store.watch(WatchRequest::kind(NS, ty)).expect("a kind");
    for word in ["one", "two"] {
        let transaction = Transaction::new("user").put(secret("s", word));
        store.commit(transaction, NOW).expect("unowned");
    }
    let first = watcher
        .pop()
        .expect("created")
        .bookmark
        .expect("a bookmark");
    let last = watcher
        .pop()
        .expect("updated")
        .bookmark
        .expect("a bookmark");
    let tail = store
        .watch(WatchRequest::kind(NS, ty).tail(10))
        .expect("a kind");
    assert!(tail.pop().is_none());
    assert_eq!(
        store
            .watch(WatchRequest::kind(NS, ty).after(first))
            .expect_err("forgotten"),
        WatchError::Bookmark(BookmarkError::Old)
    );
    assert!(store.watch(WatchRequest::kind(NS, ty).after(last)).is_ok());
}

#[test]
fn everything_crosses_threads() {
    fn check<T: Send + Sync>() {}
    check::<Store>();
    check::<Snapshot>();
    check::<Watcher>();
    check::<Subscription>();
    check::<Transaction>();
    check::<Committed>();
}

#[test]
fn those_who_watch_are_counted_until_they_stop() {
    let store = Store::new(1);
    assert_eq!(store.watchers(), 0);
    let one = store.watch(WatchRequest::kind(NS, "A")).expect("a kind");
    let other = store.watch(WatchRequest::kind(NS, "B")).expect("a kind");
    assert_eq!(store.watchers(), 2);
    drop(one);
    assert_eq!(store.watchers(), 1);
    drop(other);
    assert_eq!(store.watchers(), 0);
}
