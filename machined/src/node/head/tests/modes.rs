//! Configs that are tried and staged, and the ways back.

use std::fs;

use super::*;

/// A node with a disk, and the moments of its lives.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        Self { folder }
    }

    fn life(&self, beginning: &Beginning, moment: Moment) -> Life {
        let state = Storage::State(self.folder.path().join("state"));
        if moment.since_boot.is_zero() {
            drop(fs::remove_dir_all(self.folder.path().join("memory")));
        }
        Life::begin_at(&self.folder.path().join("memory"), state, beginning, moment)
    }

    /// With the config "old".
    async fn begin(&self) -> Life {
        let mut life = self.life(&Beginning::Usual, at("a", 0));
        life.apply(&format!("{HOSTNAME}old\n")).await.unwrap();
        life
    }
}

impl Life {
    async fn give(&mut self, name: &str, mode: v1::ApplyMode) -> Result<u64, Failure> {
        let request = v1::ApplyConfigRequest {
            documents: format!("{HOSTNAME}{name}\n").into(),
            mode: mode.into(),
            ..Default::default()
        };
        let applied = self.head.apply(&caller(None), request).await;
        applied.map(|it| it.generation)
    }

    async fn confirm(&mut self, generation: Option<u64>) -> Result<u64, Failure> {
        let request = v1::ConfirmConfigRequest { generation };
        let confirmed = self.head.confirm(&caller(None), &request).await;
        confirmed.map(|it| it.generation)
    }

    async fn roll_back(
        &mut self,
        generation: Option<u64>,
        dry_run: bool,
    ) -> Result<v1::RollbackConfigResponse, Failure> {
        let request = v1::RollbackConfigRequest {
            generation,
            dry_run,
            force: false,
        };
        self.head.roll_back(&caller(None), &request).await
    }

    async fn states(&self) -> Vec<String> {
        let history = self.head.history().await.unwrap();
        let states = history.generations.into_iter();
        states
            .map(|it| format!("{} {}", it.mode, it.state))
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_nobody_confirms_is_over_by_itself() {
    let machine = Machine::new();
    let mut life = machine.begin().await;
    assert_eq!(life.give("new", v1::ApplyMode::Try).await.unwrap(), 2);
    assert_eq!((life.generation(), life.trouble()), (Some(2), None));
    assert_eq!(life.states().await, ["auto active", "try trying"]);
    let store = life.store.clone();
    let over = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        while store
            .snapshot()
            .get_as::<MachineConfig>(MachineConfig::DEFINITION.namespace, resource::ACTIVE)
            .is_none_or(|it| it.spec.generation != 1)
        {
            tokio::task::yield_now().await;
        }
    };
    life.live(over).await;
    let life = machine.life(&Beginning::Usual, at("a", 5));
    assert_eq!(life.generation(), Some(1));
    assert_eq!(life.states().await, ["auto active", "try rolled-back"]);
}

#[tokio::test(start_paused = true)]
async fn a_trial_outlives_the_daemon_and_not_the_boot() {
    let machine = Machine::new();
    let mut life = machine.begin().await;
    life.give("new", v1::ApplyMode::Try).await.unwrap();
    let mut life = machine.life(&Beginning::Usual, at("a", 59));
    assert_eq!(life.generation(), Some(2));
    let life_over = machine.life(&Beginning::Usual, at("a", 60));
    assert_eq!(life_over.generation(), Some(1), "killed, and back too late");
    let life_other = machine.life(&Beginning::Usual, at("b", 0));
    assert_eq!(life_other.generation(), Some(1));

    let wrong = tonic::Status::from(life.confirm(Some(1)).await.unwrap_err());
    assert_eq!(wrong.code(), tonic::Code::Aborted);
    assert_eq!(life.confirm(None).await.unwrap(), 2);
    let again = tonic::Status::from(life.confirm(None).await.unwrap_err());
    assert_eq!(again.code(), tonic::Code::FailedPrecondition);
    let life = machine.life(&Beginning::Usual, at("b", 0));
    assert_eq!(life.generation(), Some(2));
}

#[tokio::test]
async fn a_first_config_that_is_tried_leaves_none_behind() {
    let machine = Machine::new();
    let mut life = machine.life(&Beginning::Usual, at("a", 0));
    life.give("first", v1::ApplyMode::Try).await.unwrap();
    assert_eq!(life.generation(), Some(1));
    let undone = life.roll_back(None, false).await.unwrap();
    assert_eq!((undone.generation, life.generation()), (0, None));
    assert!(life.trouble().unwrap().contains("was ended by test"));
    let refused = life.roll_back(None, false).await.unwrap_err();
    assert!(
        refused.to_string().contains("no earlier config"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_is_staged_waits_for_the_next_boot() {
    let machine = Machine::new();
    let mut life = machine.begin().await;
    assert_eq!(life.give("new", v1::ApplyMode::Staged).await.unwrap(), 2);
    assert_eq!((life.generation(), life.trouble()), (Some(1), None));
    assert_eq!(life.states().await, ["auto active", "staged staged"]);
    let life = machine.life(&Beginning::Usual, at("a", 9));
    assert_eq!(life.generation(), Some(1));
    let mut life = machine.life(&Beginning::Usual, at("b", 0));
    assert_eq!((life.generation(), life.trouble()), (Some(2), None));

    life.give("newer", v1::ApplyMode::Staged).await.unwrap();
    let said = life.roll_back(None, true).await.unwrap();
    assert_eq!(
        said.done,
        "generation 3, which is staged, would be cancelled"
    );
    let said = life.roll_back(None, false).await.unwrap();
    assert_eq!(said.done, "cancelled generation 3, which was staged");
    let life = machine.life(&Beginning::Usual, at("c", 0));
    assert_eq!(life.generation(), Some(2));
}

#[tokio::test]
async fn nothing_is_staged_where_it_cannot_be_kept_or_something_is_tried() {
    let machine = Machine::new();
    let mut life = Life::begin(&machine.folder.path().join("memory"), &Beginning::Usual);
    let refused = life.give("a", v1::ApplyMode::Staged).await.unwrap_err();
    assert!(refused.to_string().contains("(no disk)"), "{refused}");
    let mut life = machine.begin().await;
    life.give("new", v1::ApplyMode::Try).await.unwrap();
    let refused = life.give("a", v1::ApplyMode::Staged).await.unwrap_err();
    assert!(
        refused.to_string().contains("osctl config confirm"),
        "{refused}"
    );
    assert_eq!(life.give("b", v1::ApplyMode::Auto).await.unwrap(), 3);
    life.confirm(None).await.unwrap_err();

    let mut life = machine.life(&safe(), at("a", 9));
    for mode in [v1::ApplyMode::Try, v1::ApplyMode::Staged] {
        let refused = life.give("a", mode).await.unwrap_err();
        assert!(refused.to_string().contains("safe mode"), "{refused}");
    }
    for seconds in [9, 86401] {
        let request = v1::ApplyConfigRequest {
            documents: format!("{HOSTNAME}a\n").into(),
            mode: v1::ApplyMode::Try.into(),
            try_seconds: seconds,
            ..Default::default()
        };
        let mut life = machine.life(&Beginning::Usual, at("a", 9));
        let refused = life.head.apply(&caller(None), request).await.unwrap_err();
        assert!(refused.to_string().contains("10 to 86400"), "{refused}");
    }
}

#[tokio::test]
async fn an_earlier_config_is_applied_again_and_compared() {
    let machine = Machine::new();
    let mut life = machine.begin().await;
    life.give("new", v1::ApplyMode::Auto).await.unwrap();
    let request = v1::DiffConfigRequest::default();
    let diff = life.head.diff(&request).await.unwrap();
    assert_eq!((diff.from, diff.to), (1, 2));
    assert!(
        diff.diff.contains("-hostname: old\n+hostname: new"),
        "{}",
        diff.diff
    );
    let tried = life.roll_back(None, true).await.unwrap();
    assert_eq!((tried.generation, life.generation()), (2, Some(2)));
    assert_eq!(tried.changes, ["change Hostname"]);
    let undone = life.roll_back(None, false).await.unwrap();
    assert_eq!((undone.generation, life.generation()), (3, Some(3)));
    assert_eq!(undone.done, "applied generation 1 again");
    let undone = life.roll_back(Some(2), false).await.unwrap();
    assert_eq!(undone.generation, 4);
    let missing = life.roll_back(Some(9), false).await.unwrap_err();
    let missing = tonic::Status::from(missing);
    assert_eq!(missing.code(), tonic::Code::NotFound);
    assert_eq!(
        missing.message(),
        "generation 9 is not kept; there are: 1, 2, 3, 4"
    );
    let history = life.head.history().await.unwrap().generations;
    assert!(
        history[3]
            .by
            .contains("test from 127.0.0.1:1 (rollback to 2)"),
        "{history:?}"
    );
    assert_eq!(life.states().await[3], "auto active");
}

#[tokio::test]
async fn a_trial_goes_with_the_config_when_the_disk_comes_and_goes() {
    let machine = Machine::new();
    let memory = machine.folder.path().join("memory");
    let mut life = Life::begin_at(
        &memory,
        Storage::Memory {
            reason: "no disk".into(),
        },
        &Beginning::Usual,
        at("a", 0),
    );
    life.give("old", v1::ApplyMode::Auto).await.unwrap();
    life.give("new", v1::ApplyMode::Try).await.unwrap();
    let state = Storage::State(machine.folder.path().join("state"));
    life.told(state.clone()).await;
    assert_eq!((life.generation(), life.trouble()), (Some(2), None));
    assert_eq!(life.states().await, ["auto active", "try trying"]);
    life.told(Storage::Looking).await;
    let mut life = Life::begin_at(&memory, Storage::Looking, &Beginning::Usual, at("a", 9));
    assert_eq!(life.generation(), Some(2), "killed while the disk was gone");
    life.moment.send_replace(at("a", 61));
    life.told(state).await;
    assert_eq!((life.generation(), life.trouble()), (Some(1), None));
}
