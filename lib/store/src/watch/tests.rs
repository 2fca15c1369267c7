use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use jiff::Timestamp;

use super::*;
use crate::testing::{NS, Number, number, reference};
use crate::{IdQuery, LabelQuery, Resource, Spec, Store, Transaction};

const TY: &str = Number::DEFINITION.ty;

fn commit(store: &Store, transaction: Transaction) {
    store
        .commit(transaction, Timestamp::UNIX_EPOCH)
        .expect("allowed");
}

fn put(store: &Store, resource: Resource) {
    commit(store, Transaction::new("user").put(resource));
}

fn destroy(store: &Store, id: &str) {
    commit(store, Transaction::new("user").destroy(reference(id)));
}

fn watch(store: &Store, request: WatchRequest) -> Watcher {
    store.watch(request).expect("a valid request")
}

fn kind() -> WatchRequest {
    WatchRequest::kind(NS, TY)
}

fn value(entry: &crate::Entry) -> u32 {
    entry.spec::<Number>().expect("a number").value
}

/// `+a1` created, `~a1>2` updated, `-a2` destroyed, `?a` absent, `!` bootstrapped, `.` noop; `*` if with bookmark.
fn show(event: &Event) -> String {
    let id = |entry: &crate::Entry| entry.metadata.id.to_string();
    let text = match &event.kind {
        EventKind::Created(new) => format!("+{}{}", id(new), value(new)),
        EventKind::Updated { old, new } => format!("~{}{}>{}", id(new), value(old), value(new)),
        EventKind::Destroyed(last) => format!("-{}{}", id(last), value(last)),
        EventKind::Absent(reference) => format!("?{}", reference.id),
        EventKind::Bootstrapped => "!".to_owned(),
        EventKind::Noop => ".".to_owned(),
    };
    format!("{text}{}", if event.bookmark.is_some() { "*" } else { "" })
}

fn drain(watcher: &Watcher) -> String {
    let events: Vec<_> = std::iter::from_fn(|| watcher.pop()).collect();
    events.iter().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_kind_from_now_on() {
    let store = Store::new(1);
    put(&store, number("a", 1));
    let watcher = watch(&store, kind());
    put(&store, number("a", 2));
    put(&store, number("b", 1));
    destroy(&store, "a");
    assert_eq!(drain(&watcher), "~a1>2* +b1* -a2*");
    assert_eq!(drain(&watcher), "");
}

#[test]
fn a_kind_with_its_contents() {
    let store = Store::new(1);
    put(&store, number("b", 1));
    put(&store, number("a", 1));
    let watcher = watch(&store, kind().contents().with_bookmark());
    put(&store, number("a", 2));
    destroy(&store, "b");
    // The contents are those of the moment the watch began, though read later.
    assert_eq!(drain(&watcher), "+a1 +b1 !* .* ~a1>2* -b1*");
    let empty = watch(&store, WatchRequest::kind("x", "Y").contents());
    assert_eq!(drain(&empty), "!*");
}

#[test]
fn one_resource_says_first_what_is_there() {
    let store = Store::new(1);
    let watcher = watch(&store, WatchRequest::one(NS, TY, "a"));
    put(&store, number("a", 1));
    put(&store, number("b", 1));
    let later = watch(&store, WatchRequest::one(NS, TY, "a"));
    destroy(&store, "a");
    assert_eq!(drain(&watcher), "?a* +a1* -a1*");
    assert_eq!(drain(&later), "+a1* -a1*");
}

#[test]
fn one_resource_takes_no_contents_and_no_labels() {
    let store = Store::new(1);
    let one = || WatchRequest::one(NS, TY, "a");
    for request in [one().contents(), one().labels(LabelQuery::equal("k", "v"))] {
        assert_eq!(
            store.watch(request).expect_err("refused"),
            WatchError::Single
        );
    }
}

#[test]
fn selectors_turn_updates_into_coming_and_going() {
    let store = Store::new(1);
    put(&store, number("a", 1));
    let labelled = |value| number("a", value).with_label("k", "v");
    let query = || LabelQuery::equal("k", "v");
    let watcher = watch(&store, kind().labels(query()));
    let contents = watch(&store, kind().labels(query()).contents());
    put(&store, labelled(2));
    put(&store, labelled(3));
    put(&store, number("a", 4));
    put(&store, number("a", 5));
    destroy(&store, "a");
    // Leaving shows the version that no longer matches.
    assert_eq!(drain(&watcher), "+a2* ~a2>3* -a4*");
    assert_eq!(drain(&contents), "!* +a2* ~a2>3* -a4*");
    let ids = watch(&store, kind().ids(IdQuery::new("^x").expect("a pattern")));
    put(&store, number("a", 1));
    put(&store, number("x1", 1));
    assert_eq!(drain(&ids), "+x11*");
}

#[test]
fn beyond_the_limit_changes_fold_by_id() {
    let store = Store::new(1);
    put(&store, number("u", 1));
    put(&store, number("d", 1));
    put(&store, number("r", 1));
    let watcher = watch(&store, kind().queue_limit(3));
    put(&store, number("u", 2));
    put(&store, number("c", 1));
    put(&store, number("t", 1));
    put(&store, number("u", 3));
    put(&store, number("c", 2));
    destroy(&store, "t");
    put(&store, number("d", 2));
    destroy(&store, "d");
    destroy(&store, "r");
    put(&store, number("r", 9));
    // Only the batch's last event can be resumed from.
    assert_eq!(drain(&watcher), "~u1>3 +c2 -d2 -r1 +r9*");
    assert_eq!(watcher.folded(), 5);
    put(&store, number("u", 4));
    put(&store, number("u", 5));
    assert_eq!(drain(&watcher), "~u3>4* ~u4>5*");
}

#[test]
fn up_to_the_limit_nothing_folds() {
    let store = Store::new(1);
    let watcher = watch(&store, kind());
    for value in 0..u32::try_from(QUEUE_LIMIT).expect("small") {
        put(&store, number("a", value + 1));
    }
    assert_eq!(drain(&watcher).split(' ').count(), QUEUE_LIMIT);
    assert_eq!(watcher.folded(), 0);
}

#[test]
fn a_burst_takes_memory_for_distinct_ids_only() {
    let store = Store::new(1);
    let watcher = watch(&store, kind());
    for value in 0..5_000 {
        put(&store, number(&format!("{}", value % 10), value));
    }
    let events = drain(&watcher);
    assert_eq!(events.split(' ').count(), 10, "{events}");
    assert!(events.ends_with("+94999*"), "{events}");
}

#[test]
fn a_folded_batch_whose_end_the_selector_hides_still_ends_with_a_bookmark() {
    let store = Store::new(1);
    put(&store, number("z", 1));
    let labelled = |id: &str, value| number(id, value).with_label("k", "v");
    let watcher = watch(
        &store,
        kind().labels(LabelQuery::equal("k", "v")).queue_limit(1),
    );
    put(&store, labelled("a", 1));
    put(&store, labelled("z", 2));
    put(&store, number("z", 3));
    assert_eq!(drain(&watcher), "+a1*");
}

#[test]
fn another_incarnation_is_no_update_even_if_the_end_of_the_first_was_hidden() {
    for limit in 0..4 {
        let store = Store::new(1);
        let labelled = |value| number("a", value).with_label("k", "v");
        put(&store, labelled(1));
        let query = LabelQuery::equal("k", "v");
        let watcher = watch(&store, kind().labels(query).queue_limit(limit));
        put(&store, number("a", 2));
        destroy(&store, "a");
        put(&store, labelled(3));
        put(&store, labelled(4));
        let events = drain(&watcher).replace('*', "");
        let expected = if limit < 3 {
            "-a2 +a4"
        } else {
            "-a2 +a3 ~a3>4"
        };
        assert_eq!(events, expected, "limit {limit}");
    }
}

#[test]
fn destroyed_and_created_in_one_commit_are_two_events() {
    let store = Store::new(1);
    put(&store, number("a", 1));
    let watcher = watch(&store, kind());
    let folding = watch(&store, kind().queue_limit(0));
    commit(
        &store,
        Transaction::new("user")
            .destroy(reference("a"))
            .create(number("a", 2)),
    );
    assert_eq!(drain(&watcher), "-a1* +a2*");
    assert_eq!(drain(&folding), "-a1 +a2*");
}

#[test]
fn tails_are_the_last_changes() {
    let store = Store::new(1);
    for value in 1..=3 {
        put(&store, number("a", value));
        put(&store, number("b", value));
    }
    assert_eq!(drain(&watch(&store, kind().tail(2))), "~a2>3* ~b2>3*");
    let one = watch(&store, WatchRequest::one(NS, TY, "a").tail(2));
    put(&store, number("a", 4));
    assert_eq!(drain(&one), "~a1>2* ~a2>3* ~a3>4*");
    assert_eq!(
        drain(&watch(&store, kind().tail(1000))).split(' ').count(),
        7
    );
}

#[test]
fn bookmarks_resume() {
    let store = Store::new(1);
    let watcher = watch(&store, kind().contents());
    put(&store, number("a", 1));
    put(&store, number("b", 1));
    let place = |watcher: &Watcher| watcher.pop().and_then(|e| e.bookmark).expect("a place");
    let start = place(&watcher);
    let after_a = place(&watcher);
    put(&store, number("a", 2));
    assert_eq!(
        drain(&watch(&store, kind().after(start))),
        "+a1* +b1* ~a1>2*"
    );
    let bytes = after_a.to_bytes();
    let read = Bookmark::from_bytes(&bytes).expect("its own bytes");
    assert_eq!(drain(&watch(&store, kind().after(read))), "+b1* ~a1>2*");
}

#[test]
fn unknown_places_are_refused() {
    let store = Store::new(1);
    let noop = watch(&store, kind().with_bookmark());
    let start = noop
        .pop()
        .and_then(|event| event.bookmark)
        .expect("a place");
    let refused = |bookmark| match store.watch(kind().after(bookmark)) {
        Err(WatchError::Bookmark(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(Bookmark { epoch: 2, ..start }),
        BookmarkError::Epoch
    );
    assert_eq!(refused(Bookmark { kind: 7, ..start }), BookmarkError::Kind);
    assert_eq!(
        refused(Bookmark {
            sequence: 1,
            ..start
        }),
        BookmarkError::Future
    );
    for value in 0..=u32::try_from(HISTORY).expect("small") {
        put(&store, number("a", value));
    }
    assert_eq!(refused(start), BookmarkError::Old);
    for bytes in [&[][..], &[0; 23], &[0; 25], &[0; 32]] {
        assert_eq!(Bookmark::from_bytes(bytes), Err(BookmarkError::Malformed));
    }
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waiting_task_is_woken_once_per_wait_and_only_for_its_events() {
    let store = Store::new(1);
    let watcher = watch(&store, WatchRequest::one(NS, TY, "a"));
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    assert!(watcher.poll_next(&mut cx).is_ready());
    assert!(watcher.poll_next(&mut cx).is_pending());
    put(&store, number("b", 1));
    assert_eq!(bell.0.load(Ordering::SeqCst), 0);
    put(&store, number("a", 1));
    put(&store, number("a", 2));
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert!(watcher.poll_next(&mut cx).is_ready());
    assert!(watcher.poll_next(&mut cx).is_ready());
    assert!(watcher.poll_next(&mut cx).is_pending());
    put(&store, number("a", 3));
    assert_eq!(bell.0.load(Ordering::SeqCst), 2);
}

#[test]
fn a_watcher_may_outlive_its_store() {
    let store = Store::new(1);
    let watcher = watch(&store, kind());
    put(&store, number("a", 1));
    drop(store);
    assert_eq!(drain(&watcher), "+a1*");
    drop(watcher);
}
