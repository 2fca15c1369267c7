//! Whatever is done to the generations, the power may go or the process be killed at every step of it.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::disk::Chance;
use super::*;

/// What is done.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Save(u8, Effect),
    Confirm,
    EndTrial,
    Cancel,
    Prove,
    Load(Moment),
    SafeMode,
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        Just(Effect::Now),
        Just(Effect::NextBoot),
        (0u64..90).prop_map(|it| Effect::Until(Duration::from_secs(it))),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0u8..5, effect()).prop_map(|(name, effect)| Act::Save(name, effect)),
        1 => Just(Act::Confirm),
        1 => Just(Act::EndTrial),
        1 => Just(Act::Cancel),
        1 => Just(Act::Prove),
        1 => Just(Act::SafeMode),
        1 => ("[ab]", 0u64..90).prop_map(|(boot, seconds)| Act::Load(at(&boot, seconds))),
    ]
}

impl Act {
    /// Whether it was done.
    fn perform(&self, generations: &mut Generations<Memory>) -> bool {
        match self {
            Self::Save(name, effect) => save(generations, &format!("n{name}"), effect).is_ok(),
            Self::Confirm => generations.confirm(&at("a", 0)).is_ok(),
            Self::EndTrial => generations.end_trial().is_ok(),
            Self::Cancel => generations.cancel_staged().is_ok(),
            Self::Prove => match generations.pointer(POINTER) {
                Ok(name) => generations.prove(&name).is_ok(),
                Err(_) => true,
            },
            Self::Load(now) => generations
                .load(now)
                .is_ok_and(|it| it.passed_over.is_empty()),
            Self::SafeMode => {
                generations.try_proven(&at("a", 0));
                // Whether there is one to try says nothing about whether all was done.
                false
            }
        }
    }
}

/// What runs at a moment, without touching the folder.
fn found(files: &Memory, now: &Moment) -> Option<String> {
    runs(&mut Generations::new(files.after_kill()), now)
}

/// Performs the acts, the last one with power for so many steps, and says what is wrong then.
fn check(
    files: Memory,
    acts: &[Act],
    last: &Act,
    power: usize,
    chance: Vec<u8>,
) -> Result<(), String> {
    let mut generations = Generations::new(files.clone());
    for act in acts {
        act.perform(&mut generations);
    }
    let before = files.after_kill();
    let after = files.after_kill();
    last.perform(&mut Generations::new(after.clone()));
    files.power(power);
    let answered = last.perform(&mut generations);

    let killed = files.after_kill();
    let cut = files.after_power_cut(&mut Chance::new(chance));
    // A boot that has staged nothing, and one that may have.
    for (left, now) in [
        (&killed, at("a", 0)),
        (&cut, at("c", 0)),
        (&killed, at("c", 0)),
    ] {
        let is = found(left, &now);
        let (old, new) = (found(&before, &now), found(&after, &now));
        if is != new && (answered || is != old) {
            return Err(format!(
                "{is:?} and not {old:?} or {new:?}; answered: {answered}"
            ));
        }
        let mut next = Generations::new(left.after_kill());
        next.history(&now).map_err(|error| error.to_string())?;
        save(&mut next, "next", &Effect::Now).map_err(|error| error.to_string())?;
        if runs(&mut next, &at("d", 0)).as_deref() != Some("next") {
            return Err("the next apply does not count".to_owned());
        }
    }
    Ok(())
}

fn acts() -> impl Strategy<Value = (Vec<Act>, Act, usize, Vec<u8>)> {
    let chance = proptest::collection::vec(any::<u8>(), 1..24);
    (
        proptest::collection::vec(act(), 0..8),
        act(),
        0usize..24,
        chance,
    )
}

proptest! {
    #![proptest_config(Config::with_cases(4 * Config::default().cases))]

    #[test]
    fn the_old_config_runs_or_the_new((acts, last, power, chance) in acts()) {
        let checked = check(Memory::default(), &acts, &last, power, chance);
        prop_assert!(checked.is_ok(), "{checked:?}");
    }
}

#[test]
fn a_content_that_is_not_synced_would_be_noticed() {
    let mut runner = TestRunner::deterministic();
    let noticed = runner.run(&acts(), |(acts, last, power, chance)| {
        let checked = check(Memory::negligent(), &acts, &last, power, chance);
        prop_assert!(checked.is_ok());
        Ok(())
    });
    noticed.unwrap_err();
}
