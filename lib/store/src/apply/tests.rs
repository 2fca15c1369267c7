use super::*;
use crate::testing::{Number, number, reference, secret};
use crate::{CommitError, Finalizers, Store, Typed, Version};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn store() -> Store {
    Store::new(1)
}

fn commit(store: &Store, transaction: Transaction) -> Result<Committed, CommitError> {
    store.commit(transaction, at(100))
}

fn user() -> Transaction {
    Transaction::new("user")
}

fn with_one() -> Store {
    let store = store();
    commit(&store, user().create(number("one", 1))).expect("a free id");
    store
}

fn stored(store: &Store, id: &str) -> Typed<Number> {
    store.snapshot().get_as("test", id).expect("stored")
}

#[test]
fn create_sets_version_owner_and_times() {
    let store = store();
    let mut resource = number("one", 1).with_label("a", "b");
    resource.metadata.owner = "ignored".into();
    resource.metadata.version = Version(9);
    resource.metadata.finalizers.add("held");
    let done = commit(&store, Transaction::owned("ctl").create(resource)).expect("a free id");
    let entry = done.first().expect("stored");
    assert_eq!(entry.metadata.version, Version(1));
    assert_eq!(&*entry.metadata.owner, "ctl");
    assert_eq!(
        (entry.metadata.created, entry.metadata.updated),
        (at(100), at(100))
    );
    assert_eq!(entry.metadata.labels["a"], "b");
    assert!(entry.metadata.finalizers.contains("held"));
    assert_eq!((done.revision, entry.revision), (Revision(1), Revision(1)));
    assert_eq!(&*entry.cause.writer, "ctl");
}

#[test]
fn create_needs_a_free_id() {
    let error = commit(&with_one(), user().create(number("one", 2))).expect_err("taken");
    assert_eq!(
        error,
        CommitError::Exists {
            reference: reference("one")
        }
    );
}

#[test]
fn metadata_must_name_the_specs_type() {
    let mut resource = number("one", 1);
    resource.metadata.ty = "Words.test.example".into();
    let error = commit(&store(), user().create(resource)).expect_err("another type");
    assert!(matches!(error, CommitError::SpecType { .. }));
}

#[test]
fn update_bumps_the_version_even_if_nothing_differs() {
    let store = with_one();
    let same: Resource = stored(&store, "one").into();
    let done = store
        .commit(user().update(same), at(200))
        .expect("the stored version");
    let entry = done.first().expect("stored");
    assert_eq!(entry.metadata.version, Version(2));
    assert_eq!(
        (entry.metadata.created, entry.metadata.updated),
        (at(100), at(200))
    );
    assert!(matches!(done.changes.as_slice(), [Change::Updated { .. }]));
}

#[test]
fn update_checks_owner_then_version_then_phase() {
    let store = store();
    let ctl = || Transaction::owned("ctl");
    commit(&store, ctl().create(number("one", 1))).expect("a free id");
    commit(&store, ctl().teardown(reference("one"))).expect("its own");
    let mut stale = number("one", 2);
    stale.metadata.version = Version(1);
    stale.metadata.phase = Phase::TearingDown;
    assert!(matches!(
        commit(&store, user().update(stale.clone())),
        Err(CommitError::Owner { .. })
    ));
    assert!(matches!(
        commit(&store, ctl().update(stale.clone())),
        Err(CommitError::Version {
            expected: Version(1),
            actual: Version(2),
            ..
        })
    ));
    stale.metadata.version = Version(2);
    assert!(matches!(
        commit(&store, ctl().update(stale.clone())),
        Err(CommitError::Phase { .. })
    ));
    let expect = Expect::ANY.version(Version(2));
    let done = commit(&store, ctl().op(Op::Update(stale, expect))).expect("any phase");
    let entry = done.first().expect("stored");
    // The caller's copy has no owner; the stored one stays.
    assert_eq!(&*entry.metadata.owner, "ctl");
    assert!(matches!(
        commit(&store, user().update(number("two", 1))),
        Err(CommitError::NotFound { .. })
    ));
}

#[test]
fn what_is_tearing_down_cannot_be_revived() {
    let store = with_one();
    commit(&store, user().teardown(reference("one"))).expect("its own");
    let mut revived: Resource = stored(&store, "one").into();
    revived.metadata.phase = Phase::Running;
    let error = commit(&store, user().op(Op::Update(revived, Expect::ANY))).expect_err("revival");
    assert!(matches!(
        error,
        CommitError::Phase {
            actual: Phase::TearingDown,
            ..
        }
    ));
    assert!(matches!(
        commit(&store, user().put(number("one", 1))),
        Err(CommitError::Phase { .. })
    ));
}

#[test]
fn put_creates_then_changes_only_what_differs() {
    let store = store();
    let put = |resource| commit(&store, user().put(resource)).expect("its own");
    put(number("one", 1));
    assert_eq!(put(number("one", 1)).changes.len(), 0);
    assert_eq!(store.revision(), Revision(1));
    assert_eq!(put(number("one", 2)).changes.len(), 1);
    assert_eq!(put(number("one", 2).with_label("a", "b")).changes.len(), 1);
    let after = stored(&store, "one");
    assert_eq!(after.metadata.version, Version(3));
    assert_eq!(after.metadata.labels["a"], "b");
    commit(&store, user().add_finalizer(reference("one"), "x")).expect("running");
    put(number("one", 3));
    assert!(stored(&store, "one").metadata.finalizers.contains("x"));
    assert!(matches!(
        commit(&store, Transaction::owned("ctl").put(number("one", 3))),
        Err(CommitError::Owner { .. })
    ));
}

#[test]
fn destroy_needs_the_owner_and_nobody_holding() {
    let store = with_one();
    let gone = || reference("one");
    commit(
        &store,
        Transaction::owned("other").add_finalizer(gone(), "x"),
    )
    .expect("running");
    assert!(matches!(
        commit(&store, Transaction::owned("ctl").destroy(gone())),
        Err(CommitError::Owner { .. })
    ));
    let error = commit(&store, user().destroy(gone())).expect_err("held");
    assert_eq!(
        error.to_string(),
        "Numbers.test.example(test/one) is held by x"
    );
    commit(&store, user().remove_finalizer(gone(), "x")).expect("there");
    let done = commit(&store, user().destroy(gone())).expect("free");
    assert!(
        matches!(done.changes.as_slice(), [Change::Destroyed(last)] if last.metadata.version == Version(3))
    );
    assert!(matches!(
        commit(&store, user().destroy(gone())),
        Err(CommitError::NotFound { .. })
    ));
}

#[test]
fn versions_never_restart() {
    let store = with_one();
    commit(&store, user().put(number("one", 2))).expect("its own");
    let before = Arc::clone(store.snapshot().find(&reference("one")).expect("stored"));
    commit(&store, user().destroy(reference("one"))).expect("free");
    commit(&store, user().create(number("one", 3))).expect("free");
    let after = Arc::clone(store.snapshot().find(&reference("one")).expect("stored"));
    assert!(after.metadata.version > before.metadata.version);
    assert_ne!(after.uid, before.uid);
    let aliased = Op::Destroy(reference("one"), Expect::ANY.uid(before.uid));
    assert!(matches!(
        commit(&store, user().op(aliased)),
        Err(CommitError::Uid { .. })
    ));
}

#[test]
fn teardown_is_idempotent_and_says_who_holds() {
    let store = with_one();
    commit(&store, user().add_finalizer(reference("one"), "x")).expect("running");
    let done = commit(&store, user().teardown(reference("one"))).expect("its own");
    assert!(!done.first().expect("stored").metadata.finalizers.is_empty());
    let again = commit(&store, user().teardown(reference("one"))).expect("its own");
    assert_eq!(again.changes.len(), 0);
    assert_eq!(again.revision, done.revision);
    assert!(matches!(
        commit(&store, Transaction::owned("x").teardown(reference("one"))),
        Err(CommitError::Owner { .. })
    ));
}

#[test]
fn finalizers_are_added_to_the_running_only_unless_asked_leniently() {
    let store = with_one();
    commit(&store, user().teardown(reference("one"))).expect("its own");
    assert!(matches!(
        commit(&store, user().add_finalizer(reference("one"), "x")),
        Err(CommitError::Phase { .. })
    ));
    commit(
        &store,
        user().add_finalizer_any_phase(reference("one"), "x"),
    )
    .expect("lenient");
    let again = commit(
        &store,
        user().add_finalizer_any_phase(reference("one"), "x"),
    );
    assert_eq!(again.expect("lenient").changes.len(), 0);
    commit(&store, user().remove_finalizer(reference("two"), "x")).expect("nothing to do");
    assert!(matches!(
        commit(&store, user().add_finalizer(reference("two"), "x")),
        Err(CommitError::NotFound { .. })
    ));
}

#[test]
fn a_refused_operation_undoes_those_before_it() {
    let store = with_one();
    let before = store.snapshot();
    let transaction = user()
        .create(number("two", 2))
        .destroy(reference("one"))
        .create(number("two", 3));
    assert!(commit(&store, transaction).is_err());
    assert_eq!(store.revision(), before.revision());
    assert!(store.snapshot().find(&reference("two")).is_none());
    assert!(store.snapshot().find(&reference("one")).is_some());
}

#[test]
fn operations_see_those_before_them_and_changes_are_net() {
    let store = with_one();
    let transaction = user()
        .create(number("two", 2))
        .add_finalizer(reference("two"), "x")
        .create(number("three", 3))
        .destroy(reference("three"))
        .destroy(reference("one"))
        .create(number("one", 4))
        .require(reference("two"), Expect::running().owner(""))
        .require_absent(reference("three"));
    let done = commit(&store, transaction).expect("in this order");
    let [
        Change::Created(two),
        Change::Destroyed(old),
        Change::Created(new),
    ] = done.changes.as_slice()
    else {
        panic!("{:?}", done.changes);
    };
    assert_eq!(two.metadata.version, Version(2));
    assert_ne!(old.uid, new.uid);
    assert!(done.results[3].is_none());
    assert!(
        done.changes
            .iter()
            .all(|change| change.entry().revision <= done.revision)
    );
}

#[test]
fn requirements_refuse() {
    let store = with_one();
    let refused = |transaction| commit(&store, transaction).expect_err("not so");
    let one = || reference("one");
    assert!(matches!(
        refused(user().require(one(), Expect::running().version(Version(7)))),
        CommitError::Version { .. }
    ));
    assert!(matches!(
        refused(user().require(one(), Expect::ANY.phase(Phase::TearingDown))),
        CommitError::Phase { .. }
    ));
    assert!(matches!(
        refused(user().require(one(), Expect::ANY.owner("ctl"))),
        CommitError::Owner { .. }
    ));
    assert!(matches!(
        refused(user().require_absent(one())),
        CommitError::Exists { .. }
    ));
    assert!(matches!(
        refused(user().require(reference("two"), Expect::ANY)),
        CommitError::NotFound { .. }
    ));
    assert_eq!(store.revision(), Revision(1));
}

#[test]
fn a_mirror_keeps_what_it_copies() {
    let source = with_one();
    let mirror = Store::new(2);
    let copy = || -> Resource { stored(&source, "one").into() };
    commit(
        &source,
        Transaction::new("x").add_finalizer(reference("one"), "x"),
    )
    .expect("running");
    let done = commit(&mirror, user().mirror(copy())).expect("a copy");
    let uid = done.first().expect("stored").uid;
    assert_eq!(stored(&mirror, "one"), stored(&source, "one"));
    assert_eq!(
        commit(&mirror, user().mirror(copy()))
            .expect("a copy")
            .changes
            .len(),
        0
    );
    commit(&source, user().put(number("one", 5))).expect("its own");
    let next = commit(&mirror, user().mirror(copy())).expect("a copy");
    assert_eq!(next.first().expect("stored").uid, uid);
    let gone = commit(&mirror, user().unmirror(reference("one"))).expect("a copy");
    assert!(matches!(gone.changes.as_slice(), [Change::Destroyed(_)]));
    assert_eq!(
        commit(&mirror, user().unmirror(reference("one")))
            .expect("none")
            .changes
            .len(),
        0
    );
}

#[test]
fn finalizers_are_a_set_in_order() {
    let set: Finalizers = ["b", "a", "b"].into_iter().collect();
    assert_eq!(set.names(), ["b", "a"]);
    assert_eq!(set, ["a", "b"].into_iter().collect());
    assert_ne!(set, ["a", "c"].into_iter().collect());
}

#[test]
fn resources_of_a_kind_share_its_names() {
    let store = with_one();
    commit(
        &store,
        user().create(number("two", 2)).create(secret("s", "x")),
    )
    .expect("free ids");
    let snapshot = store.snapshot();
    let ids: Vec<_> = snapshot.list("test", "Numbers.test.example").collect();
    assert!(Arc::ptr_eq(&ids[0].metadata.ty, &ids[1].metadata.ty));
    assert!(Arc::ptr_eq(
        &ids[0].metadata.namespace,
        &ids[1].metadata.namespace
    ));
}

#[test]
fn causes_are_kept() {
    let store = with_one();
    let transaction = Transaction::owned("ctl")
        .caused_by(Revision(1), Some(reference("one")))
        .create(number("two", 2));
    let done = commit(&store, transaction).expect("a free id");
    assert_eq!(
        done.first().expect("stored").cause.trigger,
        crate::Trigger::Resource {
            revision: Revision(1),
            reference: Some(reference("one")),
        }
    );
}
