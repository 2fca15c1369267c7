//! The controller on a runtime, and the kernel that it believes to have.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use cosi::Runtime;
use jiff::Timestamp;
use resources::net::{MERGED, MasqueradeSpec, MasqueradeStatus, PODS};
use store::{Resource, Store, Transaction};
use tempfile::TempDir;

use super::apply::MasqueradeApply;

/// A kernel of one file, and a program that keeps in there what it is told, unless that has `bad` in it or there is a file `refuse`.
pub(super) fn machine() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (program, rules) = (folder.path().join("nft"), folder.path().join("rules"));
    let (rules, refuse) = (rules.display(), folder.path().join("refuse"));
    let refuse = refuse.display();
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = list ]; then exec cat '{rules}'; fi\n\
         told=$(cat)\nif [ -e '{refuse}' ]; then echo 'Error: not now' >&2; exit 1; fi\n\
         case $told in *bad*) echo 'Error: bad' >&2; exit 1;; esac\n\
         echo loaded >> '{rules}.log'\necho \"$told\" > '{rules}'\n"
    );
    // Another process writes it: a fork of this one would keep a file that is open for writing, and that cannot be executed.
    let unfinished = folder.path().join("unfinished");
    fs::write(&unfinished, script).unwrap();
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).unwrap();
    let copied = Command::new("cp").args([&unfinished, &program]).status();
    assert!(copied.unwrap().success());
    (folder, program)
}

/// What a test sees of the controller, and has it do.
struct Desk {
    folder: TempDir,
    store: Store,
}

impl Desk {
    fn told(&self) -> String {
        fs::read_to_string(self.folder.path().join("rules")).unwrap_or_default()
    }

    fn is_clear(&self) -> Option<()> {
        let clear = self.told().ends_with("delete table inet garboard\n");
        clear.then_some(())
    }

    fn status(&self) -> Option<MasqueradeStatus> {
        let snapshot = self.store.snapshot();
        let status = snapshot.get_as::<MasqueradeStatus>(MERGED, PODS);
        status.map(|it| (*it.spec).clone())
    }

    /// What is wrong, as far as it is told.
    fn error(&self) -> Option<String> {
        let status = self.status().filter(|it| !it.applied)?;
        Some(status.error)
    }

    async fn applied(&self) {
        let applied = || self.status().filter(|it| it.applied);
        testkit::until("rules that are wanted", applied).await;
    }

    fn commit(&self, transaction: Transaction) {
        let committed = self.store.commit(transaction, Timestamp::UNIX_EPOCH);
        committed.unwrap();
    }

    fn put(&self, inside: &str) {
        let spec = MasqueradeSpec {
            sources: vec!["10.244.0.0/16".parse().unwrap()],
            inside: inside.parse().unwrap(),
            ..MasqueradeSpec::default()
        };
        let resource = Resource::in_default(PODS, spec);
        self.commit(Transaction::owned("test").put(resource));
    }

    fn destroy(&self) {
        let resource = Resource::in_default(PODS, MasqueradeSpec::default());
        let key = resource.metadata.reference();
        self.commit(Transaction::owned("test").destroy(key));
    }
}

/// Has the controller run while a test does something.
async fn run(testing: impl AsyncFnOnce(&Desk)) {
    let (folder, program) = machine();
    fs::write(folder.path().join("rules"), "of a life before").unwrap();
    let store = Store::new(1);
    let mut runtime = Runtime::new("networkd", store.clone());
    runtime.register(MasqueradeApply::with(program)).unwrap();
    let desk = Desk { folder, store };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = testing(&desk) => {}
    }
}

#[tokio::test]
async fn rules_come_and_go_with_their_spec() {
    run(async |desk| {
        testkit::until("rules of a life before to go", || desk.is_clear()).await;
        desk.put("cni0");
        desk.applied().await;
        assert!(desk.told().contains("masquerade"), "{}", desk.told());
        desk.destroy();
        testkit::until("rules to go with their spec", || desk.is_clear()).await;
        let gone = || desk.status().is_none().then_some(());
        testkit::until("their status to go", gone).await;
    })
    .await;
}

#[tokio::test]
async fn rules_that_cannot_be_taken_away_are_told_until_they_can() {
    run(async |desk| {
        desk.put("cni0");
        desk.applied().await;
        let refuse = desk.folder.path().join("refuse");
        fs::write(&refuse, "").unwrap();
        desk.destroy();
        let error = testkit::until("why rules are still there", || desk.error()).await;
        assert_eq!(
            error,
            "taking them away: the kernel refuses the rules: Error: not now"
        );
        fs::remove_file(&refuse).unwrap();
        // By itself: nobody says that it would work now.
        testkit::until("rules to go", || desk.is_clear()).await;
        let gone = || desk.status().is_none().then_some(());
        testkit::until("their status to go", gone).await;
    })
    .await;
}

#[tokio::test]
async fn a_spec_of_which_there_are_no_rules_is_told() {
    run(async |desk| {
        desk.put("a\"");
        let error = testkit::until("what is wrong with it", || desk.error()).await;
        assert!(error.contains("cannot name the link a\""), "{error}");
        desk.put("cni0");
        desk.applied().await;
    })
    .await;
}
