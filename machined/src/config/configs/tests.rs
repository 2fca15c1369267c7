//! Adoption against being killed at every step, and against power cuts.

use proptest::prelude::*;

use super::*;
use crate::config::generations::tests::disk::{Chance, Memory};
use crate::config::generations::tests::{at, runs, save};

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        Just(Effect::Now),
        Just(Effect::NextBoot),
        Just(Effect::Until(Duration::from_secs(60))),
    ]
}

fn applied() -> impl Strategy<Value = Vec<(u8, Effect)>> {
    proptest::collection::vec((0u8..4, effect()), 0..5)
}

/// What runs at a moment, without touching the folder.
fn found(files: &Memory, now: &Moment) -> Option<String> {
    runs(&mut Generations::new(files.after_kill()), now)
}

proptest! {
    #[test]
    fn killed_or_cut_off_at_any_step_the_newest_config_counts_and_no_older_one(
        on_state in applied(),
        in_memory in applied(),
        killed_in_memory in 0usize..24,
        killed_on_state in 0usize..40,
        chance in proptest::collection::vec(any::<u8>(), 1..24),
    ) {
        let (memory, state) = (Memory::default(), Memory::default());
        let mut kept = (Generations::new(memory.clone()), Generations::new(state.clone()));
        for (name, effect) in on_state {
            save(&mut kept.1, &format!("n{name}"), &effect).unwrap();
        }
        for (name, effect) in in_memory {
            // Nothing is staged where it would be forgotten.
            if effect != Effect::NextBoot {
                save(&mut kept.0, &format!("n{name}"), &effect).unwrap();
            }
        }
        let (now, later) = (at("a", 1), at("b", 0));
        let before = (memory.after_kill(), state.after_kill());
        let whole = (memory.after_kill(), state.after_kill());
        let mut done = (Generations::new(whole.0), Generations::new(whole.1.clone()));
        adopt(&mut done.0, &mut done.1, &now).unwrap();
        let given = found(&before.0, &now);
        if given.is_some() {
            prop_assert_eq!(found(&whole.1, &now), given, "what was given last counts");
        }

        memory.power(killed_in_memory);
        state.power(killed_on_state);
        let answered = adopt(&mut kept.0, &mut kept.1, &now).is_ok();
        let is = found(&state.after_power_cut(&mut Chance::new(chance)), &later);
        let (old, new) = (found(&before.1, &later), found(&whole.1, &later));
        prop_assert!(is == new || (!answered && is == old), "{is:?}, {old:?}, {new:?}");

        let (memory, state) = (memory.after_kill(), state.after_kill());
        let mut kept = (Generations::new(memory.clone()), Generations::new(state.clone()));
        adopt(&mut kept.0, &mut kept.1, &now).unwrap();
        prop_assert_eq!(found(&state, &now), found(&whole.1, &now));
        prop_assert_eq!(found(&state, &later), new);
        prop_assert_eq!(found(&memory, &now), None);
    }
}
