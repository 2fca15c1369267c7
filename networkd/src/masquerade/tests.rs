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

/// A kernel of one file, and a program that keeps in there what it is told, unless that has `bad` in it.
pub(super) fn machine() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (program, rules) = (folder.path().join("nft"), folder.path().join("rules"));
    let rules = rules.display();
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = list ]; then exec cat '{rules}'; fi\n\
         told=$(cat)\ncase $told in *bad*) echo 'Error: bad' >&2; exit 1;; esac\n\
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

#[tokio::test]
async fn rules_come_and_go_with_their_spec() {
    let (folder, program) = machine();
    let rules = folder.path().join("rules");
    let told = || fs::read_to_string(&rules).unwrap_or_default();
    fs::write(&rules, "of a life before").unwrap();
    let store = Store::new(1);
    let mut runtime = Runtime::new("networkd", store.clone());
    runtime.register(MasqueradeApply::with(program)).unwrap();
    let status = || {
        let snapshot = store.snapshot();
        let status = snapshot.get_as::<MasqueradeStatus>(MERGED, PODS);
        status.map(|it| (*it.spec).clone())
    };
    let spec = MasqueradeSpec {
        sources: vec!["10.244.0.0/16".parse().unwrap()],
        inside: "cni0".parse().unwrap(),
        ..MasqueradeSpec::default()
    };
    let resource = Resource::in_default(PODS, spec);
    let key = resource.metadata.reference();
    let commit = |transaction: Transaction| {
        store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
    };
    let testing = async {
        let clear = || {
            told()
                .ends_with("delete table inet garboard\n")
                .then_some(())
        };
        testkit::until("rules that nobody wants to go", clear).await;
        commit(Transaction::owned("test").put(resource));
        let applied = || status().filter(|it| it.applied);
        testkit::until("rules that are wanted", applied).await;
        assert!(told().contains("masquerade"), "{}", told());
        commit(Transaction::owned("test").destroy(key));
        testkit::until("rules to go with their spec", clear).await;
        testkit::until("their status to go", || status().is_none().then_some(())).await;
    };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = testing => {}
    }
}
