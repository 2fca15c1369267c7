//! Generations against damage, and what becomes of them as they are applied, tried, staged and undone.

pub(in crate::config) mod disk;
mod power;

use jiff::Timestamp;

use self::disk::Memory;
use super::super::files::Disk;
use super::*;

pub(in crate::config) fn text(name: &str) -> String {
    format!("apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: {name}\n")
}

/// So many seconds after the start of that boot.
pub(in crate::config) fn at(boot: &str, seconds: u64) -> Moment {
    Moment {
        boot: boot.to_owned(),
        since_boot: Duration::from_secs(seconds),
    }
}

pub(in crate::config) fn by(now: &Moment) -> Applied {
    Applied {
        by: "test".to_owned(),
        time: Timestamp::UNIX_EPOCH,
        now: now.clone(),
    }
}

pub(in crate::config) fn save<F: Files>(
    generations: &mut Generations<F>,
    name: &str,
    effect: &Effect,
) -> Result<u64, SaveError> {
    let saved = generations.save("s", text(name).as_bytes(), effect, &by(&at("a", 0)));
    saved.map(|it| it.name.number())
}

/// What runs at that moment.
pub(in crate::config) fn runs(
    generations: &mut Generations<impl Files>,
    now: &Moment,
) -> Option<String> {
    let loaded = generations.load(now).unwrap();
    loaded
        .active
        .map(|it| it.documents.hostname().unwrap().hostname.to_string())
}

fn active(generations: &mut Generations<impl Files>) -> Option<String> {
    runs(generations, &at("a", 0))
}

fn passed_over(generations: &mut Generations<impl Files>) -> Vec<PassedOver> {
    generations.load(&at("a", 0)).unwrap().passed_over
}

#[test]
fn what_is_saved_is_loaded_and_old_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let mut generations = Generations::new(Disk::open(&config).unwrap());
    assert_eq!(active(&mut generations), None);
    assert!(passed_over(&mut generations).is_empty());
    for number in 1..=15 {
        let name = format!("n{number}");
        assert_eq!(save(&mut generations, &name, &Effect::Now).unwrap(), number);
        assert_eq!(active(&mut generations), Some(name));
    }
    let numbers: Vec<u64> = generations
        .list()
        .unwrap()
        .iter()
        .map(Name::number)
        .collect();
    assert_eq!(numbers, (6..=15).collect::<Vec<u64>>());
    assert_eq!(save(&mut generations, "n15", &Effect::Now).unwrap(), 15);
    // A text, what is known of it, and the pointer.
    let files = std::fs::read_dir(&config).unwrap().count();
    assert_eq!(files, 2 * KEEP + 1);
}

#[test]
fn a_wrong_config_changes_nothing() {
    let mut generations = Generations::new(Memory::default());
    save(&mut generations, "a", &Effect::Now).unwrap();
    let error = save(&mut generations, "A", &Effect::Now).unwrap_err();
    assert!(matches!(error, SaveError::Refused(_)));
    assert_eq!(active(&mut generations), Some("a".to_owned()));
    assert_eq!(generations.list().unwrap().len(), 1);
}

#[test]
fn damage_falls_back_with_a_reason() {
    let files = Memory::default();
    let mut generations = Generations::new(files.clone());
    save(&mut generations, "a", &Effect::Now).unwrap();
    save(&mut generations, "returned", &Effect::Until(Duration::ZERO)).unwrap();
    save(&mut generations, "b", &Effect::Now).unwrap();
    let names: Vec<String> = generations
        .list()
        .unwrap()
        .iter()
        .map(Name::to_string)
        .collect();
    let [first, _, third] = names.as_slice() else {
        panic!("{names:?}")
    };
    files.damage(third, b"half");
    let loaded = generations.load(&at("a", 0)).unwrap();
    assert_eq!(
        &loaded.active.unwrap().name.to_string(),
        first,
        "not one that never ran"
    );
    assert_eq!(loaded.passed_over.len(), 1);
    assert_eq!(&loaded.passed_over[0].name, third);
    files.damage(POINTER, b"");
    assert_eq!(active(&mut generations), Some("a".to_owned()));
    assert_eq!(passed_over(&mut generations).len(), 2);
    // The number of the damaged one is not used again.
    assert_eq!(save(&mut generations, "c", &Effect::Now).unwrap(), 4);
    files.damage(first, b"");
    files.damage(&generations.list().unwrap()[3].to_string(), b"");
    let loaded = generations.load(&at("a", 0)).unwrap();
    assert!(loaded.active.is_none());
    assert_eq!(loaded.passed_over.len(), 3);
}

fn tried(generations: &mut Generations<impl Files>) -> Option<u64> {
    let proven = generations.try_proven(&at("a", 0));
    proven.map(|it| it.name.number())
}

#[test]
fn safe_mode_tries_what_ran_long_enough_and_that_once() {
    let mut generations = Generations::new(Memory::default());
    save(&mut generations, "good", &Effect::Now).unwrap();
    let good = generations.list().unwrap()[0].clone();
    assert_eq!(tried(&mut generations), None, "nothing is proven yet");
    generations.prove(&good).unwrap();
    assert_eq!(
        tried(&mut generations),
        None,
        "it is the one that did not stay up"
    );

    save(&mut generations, "bad", &Effect::Now).unwrap();
    assert_eq!(tried(&mut generations), Some(1));
    assert_eq!(tried(&mut generations), None, "it did not stay up either");
    generations.prove(&good).unwrap();
    assert_eq!(tried(&mut generations), Some(1), "it ran long enough again");
    generations.forget_trial().unwrap();
    assert_eq!(
        tried(&mut generations),
        Some(1),
        "safe mode was left in between"
    );
    generations.forget_trial().unwrap();

    for number in 0..2 * KEEP {
        save(&mut generations, &format!("n{number}"), &Effect::Now).unwrap();
    }
    assert_eq!(tried(&mut generations), Some(1), "it is kept however old");
    assert_eq!(generations.list().unwrap().len(), KEEP + 1);
}

#[test]
fn safe_mode_ends_a_trial_before_anything_else() {
    let mut generations = Generations::new(Memory::default());
    save(&mut generations, "good", &Effect::Now).unwrap();
    let good = generations.list().unwrap()[0].clone();
    generations.prove(&good).unwrap();
    save(
        &mut generations,
        "bad",
        &Effect::Until(Duration::from_secs(60)),
    )
    .unwrap();
    assert_eq!(active(&mut generations).as_deref(), Some("bad"));
    assert_eq!(tried(&mut generations), Some(1), "it was not that one");
    assert_eq!(active(&mut generations).as_deref(), Some("good"));
    assert_eq!(tried(&mut generations), None);
}

fn states(generations: &Generations<impl Files>, now: &Moment) -> Vec<Option<State>> {
    let entries = generations.history(now).unwrap();
    entries.into_iter().map(|it| it.state).collect()
}

const MINUTE: Effect = Effect::Until(Duration::from_secs(60));

#[test]
fn a_trial_ends_with_its_time_its_boot_or_a_confirmation() {
    let files = Memory::default();
    let mut generations = Generations::new(files.clone());
    save(&mut generations, "old", &Effect::Now).unwrap();
    save(&mut generations, "new", &MINUTE).unwrap();
    let loaded = generations.load(&at("a", 50)).unwrap();
    assert_eq!(loaded.trial, Some(Duration::from_secs(10)));
    let trying = Some(State::Trying(Duration::from_secs(10)));
    let active = Some(State::Active);
    assert_eq!(states(&generations, &at("a", 50)), [active, trying]);
    let back = [active, Some(State::RolledBack)];
    assert_eq!(states(&generations, &at("a", 60)), back);
    for later in [at("a", 60), at("b", 0)] {
        assert_eq!(runs(&mut generations, &later).as_deref(), Some("old"));
        assert_eq!(generations.confirm(&later).unwrap(), None);
    }
    let confirmed = generations.confirm(&at("a", 59)).unwrap().unwrap();
    assert_eq!(confirmed.number(), 2);
    assert_eq!(runs(&mut generations, &at("b", 0)).as_deref(), Some("new"));
    assert_eq!(states(&generations, &at("b", 0)), [None, active]);

    save(&mut generations, "third", &MINUTE).unwrap();
    generations.end_trial().unwrap();
    assert_eq!(runs(&mut generations, &at("a", 0)).as_deref(), Some("new"));
    save(&mut generations, "fourth", &MINUTE).unwrap();
    save(&mut generations, "fifth", &Effect::Now).unwrap();
    assert_eq!(
        runs(&mut generations, &at("a", 0)).as_deref(),
        Some("fifth")
    );
    assert_eq!(
        generations.before(),
        Some(2),
        "the others never ran for good"
    );
    save(&mut generations, "sixth", &MINUTE).unwrap();
    assert_eq!(save(&mut generations, "fifth", &Effect::Now).unwrap(), 5);
    assert_eq!(
        runs(&mut generations, &at("a", 0)).as_deref(),
        Some("fifth")
    );
    files.damage(TRYING, b"6-");
    assert!(passed_over(&mut generations).is_empty());
}

#[test]
fn what_is_staged_runs_with_the_next_boot_unless_it_is_cancelled_or_replaced() {
    let mut generations = Generations::new(Memory::default());
    save(&mut generations, "old", &Effect::Now).unwrap();
    for name in ["one", "two"] {
        save(&mut generations, name, &Effect::NextBoot).unwrap();
        assert_eq!(runs(&mut generations, &at("a", 9)).as_deref(), Some("old"));
    }
    let rolled_back = Some(State::RolledBack);
    let expected = [Some(State::Active), rolled_back, Some(State::Staged)];
    assert_eq!(states(&generations, &at("a", 0)), expected);
    assert_eq!(runs(&mut generations, &at("b", 0)).as_deref(), Some("two"));
    assert_eq!(
        states(&generations, &at("b", 0)),
        [None, rolled_back, Some(State::Active)]
    );
    assert_eq!(runs(&mut generations, &at("c", 0)).as_deref(), Some("two"));
    assert_eq!(generations.before(), Some(1));

    save(&mut generations, "three", &Effect::NextBoot).unwrap();
    assert_eq!(generations.cancel_staged().unwrap().unwrap().number(), 4);
    assert_eq!(generations.cancel_staged().unwrap(), None);
    assert_eq!(runs(&mut generations, &at("d", 0)).as_deref(), Some("two"));
    for over in [Effect::Now, MINUTE] {
        save(&mut generations, "staged", &Effect::NextBoot).unwrap();
        save(&mut generations, "over", &over).unwrap();
        assert_eq!(generations.cancel_staged().unwrap(), None, "{over:?}");
    }
    save(&mut generations, "staged", &Effect::NextBoot).unwrap();
    for number in 0..2 * KEEP {
        generations
            .adopt(1, &text(&format!("n{number}")), None)
            .unwrap();
    }
    assert_eq!(generations.list().unwrap().len(), KEEP);
}

#[test]
fn a_generation_says_when_and_by_whom() {
    let mut generations = Generations::new(Memory::default());
    save(&mut generations, "a", &Effect::Now).unwrap();
    let found = generations.numbered(1).unwrap().record.unwrap();
    assert_eq!((found.by.as_str(), found.mode), ("test", Mode::Auto));
    generations.adopt(1, &text("b"), None).unwrap();
    assert_eq!(generations.numbered(2).unwrap().record, None);
    let missing = generations.numbered(7).unwrap_err();
    assert_eq!(missing, "generation 7 is not kept; there are: 1, 2");
}

#[test]
fn what_state_does_not_take_is_refused_with_the_way_out() {
    let store = |kind: io::ErrorKind| SaveError::Store {
        name: "1-a.yaml".to_owned(),
        source: kind.into(),
    };
    let told = |error: SaveError| cosi::report(&error.on_state());
    let full = told(store(io::ErrorKind::StorageFull));
    let wanted = "STATE has no room left; `osctl ls /run/garboard/state` shows what fills it, and `osctl reset` empties it: \
                  store 1-a.yaml: ";
    assert!(full.contains(wanted), "{full}");
    let broken = told(SaveError::List(io::ErrorKind::ReadOnlyFilesystem.into()));
    assert!(broken.contains("STATE cannot be used; "), "{broken}");
    let refused = config::check("s", b"kind: Nothing\n").unwrap_err();
    let wrong = SaveError::Refused(refused).on_state();
    assert!(matches!(wrong, SaveError::Refused(_)), "not STATE's fault");
}
