//! The disk comes late, goes, and comes again.

use std::fs;

use super::*;
use crate::runtime::stage::status::STORE;

/// A node's memory and its STATE.
struct Places {
    folder: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        Self { folder }
    }

    fn state(&self) -> Storage {
        Storage::State(self.folder.path().join("state"))
    }

    fn begin(&self, storage: Storage, beginning: &Beginning) -> Life {
        Life::begin_with(&self.folder.path().join("memory"), storage, beginning)
    }

    /// Switches the machine off: memory is gone.
    fn switch_off(&self) {
        drop(fs::remove_dir_all(self.folder.path().join("memory")));
    }

    fn in_memory(&self) -> usize {
        fs::read_dir(self.folder.path().join("memory"))
            .unwrap()
            .count()
    }
}

fn memory() -> Storage {
    Storage::Memory {
        reason: "no disk".into(),
    }
}

impl Life {
    fn store_known(&self) -> bool {
        let snapshot = self.store.snapshot();
        let condition = snapshot.get_as::<Condition>(Condition::DEFINITION.namespace, STORE);
        condition.unwrap().spec.met
    }
}

#[tokio::test]
async fn who_applies_meanwhile_waits_for_the_disk() {
    let places = Places::new();
    let mut life = places.begin(Storage::Looking, &Beginning::Usual);
    let storage = life.storage.clone();
    let found = async { storage.send_replace(places.state()) };
    let config = format!("{HOSTNAME}a\n");
    let (applied, _) = tokio::join!(life.apply(&config), found);
    applied.unwrap();
    assert!(life.store_known());
    assert_eq!(life.generation(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_applied_while_the_disk_is_looked_for() {
    let places = Places::new();
    let mut life = places.begin(Storage::Looking, &Beginning::Usual);
    assert!(!life.store_known());
    let refused = life.apply(&format!("{HOSTNAME}a\n")).await.unwrap_err();
    let status = tonic::Status::from(refused);
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert!(status.message().contains("looking for its disk"));
    life.told(memory()).await;
    assert!(life.store_known());
    life.apply(&format!("{HOSTNAME}a\n")).await.unwrap();

    // Of this boot, so it counts before the disk is there.
    let mut life = places.begin(Storage::Looking, &Beginning::Usual);
    assert_eq!(life.generation(), Some(1));
    life.apply(&format!("{HOSTNAME}b\n")).await.unwrap_err();
}

#[tokio::test]
async fn a_config_given_before_there_was_a_disk_is_kept_on_it() {
    let places = Places::new();
    let mut life = places.begin(memory(), &Beginning::Usual);
    for name in ["a", "b"] {
        life.apply(&format!("{HOSTNAME}{name}\n")).await.unwrap();
    }
    life.told(places.state()).await;
    assert_eq!((life.generation(), life.trouble()), (Some(2), None));
    assert_eq!(places.in_memory(), 0);

    places.switch_off();
    let mut life = places.begin(Storage::Looking, &Beginning::Usual);
    assert_eq!(life.generation(), None);
    life.told(places.state()).await;
    assert_eq!((life.generation(), life.trouble()), (Some(2), None));
    life.apply(&format!("{HOSTNAME}c\n")).await.unwrap();
    let life = places.begin(places.state(), &Beginning::Usual);
    assert_eq!((life.generation(), life.trouble()), (Some(3), None));
    assert!(life.store_known());
}

#[tokio::test]
async fn what_was_given_last_counts_when_the_disk_holds_another_config() {
    let places = Places::new();
    let mut life = places.begin(places.state(), &Beginning::Usual);
    for name in ["a", "b"] {
        life.apply(&format!("{HOSTNAME}{name}\n")).await.unwrap();
    }
    places.switch_off();
    let mut life = places.begin(memory(), &waiting());
    assert_eq!(life.trouble().as_deref(), Some("asked for"));
    life.apply(&format!("{HOSTNAME}a\n")).await.unwrap();
    life.told(places.state()).await;
    assert_eq!((life.generation(), life.trouble()), (Some(3), None));
    places.switch_off();
    let life = places.begin(places.state(), &Beginning::Usual);
    assert_eq!(life.generation(), Some(3));
}

#[tokio::test]
async fn what_runs_goes_on_when_the_disk_goes() {
    let places = Places::new();
    let mut life = places.begin(places.state(), &Beginning::Usual);
    life.apply(&format!("{HOSTNAME}a\n")).await.unwrap();
    life.apply(&format!("{HOSTNAME}b\n")).await.unwrap();
    life.told(memory()).await;
    assert_eq!((life.generation(), life.trouble()), (Some(2), None));
    let mut life = places.begin(Storage::Looking, &Beginning::Usual);
    assert_eq!(life.generation(), Some(2), "machined was killed meanwhile");
    life.told(memory()).await;
    let answer = life.apply(&format!("{HOSTNAME}c\n")).await.unwrap();
    assert_eq!(answer.generation, 3);
    life.told(places.state()).await;
    assert_eq!((life.generation(), life.trouble()), (Some(3), None));
}

#[tokio::test]
async fn a_state_that_cannot_be_used_says_why() {
    let places = Places::new();
    let file = places.folder.path().join("file");
    fs::write(&file, "").unwrap();
    let mut life = places.begin(Storage::State(file), &Beginning::Usual);
    let trouble = life.trouble().unwrap();
    assert!(trouble.starts_with("STATE cannot be used"), "{trouble}");
    life.apply(&format!("{HOSTNAME}a\n")).await.unwrap();
    assert_eq!(life.generation(), Some(1));
    life.told(places.state()).await;
    assert_eq!((life.generation(), life.trouble()), (Some(1), None));
    assert_eq!(places.in_memory(), 0);
}

#[tokio::test(start_paused = true)]
async fn safe_mode_waits_for_the_disk_and_takes_what_ran_well_on_it() {
    let places = Places::new();
    let mut life = places.begin(places.state(), &Beginning::Usual);
    life.apply(&format!("{HOSTNAME}good\n")).await.unwrap();
    let proven = places.folder.path().join("state/config/proven");
    let noted = async {
        tokio::time::sleep(PROVEN_AFTER).await;
        while !proven.exists() {
            tokio::task::yield_now().await;
        }
    };
    life.live(noted).await;
    let mut life = places.begin(places.state(), &Beginning::Usual);
    life.apply(&format!("{HOSTNAME}bad\n")).await.unwrap();
    let mut life = places.begin(Storage::Looking, &safe());
    assert_eq!(life.generation(), None);
    life.told(places.state()).await;
    assert_eq!(life.generation(), Some(1));
    assert!(life.trouble().unwrap().contains("safe mode"));
}
