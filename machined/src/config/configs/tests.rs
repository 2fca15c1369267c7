//! Adoption against being killed at every step, and against power cuts.

use proptest::prelude::*;

use super::*;
use crate::config::generations::tests::{Memory, active, text};

proptest! {
    #[test]
    fn killed_or_cut_off_at_any_step_the_newest_config_counts_and_no_older_one(
        on_state in 0usize..4,
        in_memory in 0usize..4,
        killed_in_memory in 0usize..12,
        killed_on_state in 0usize..9,
        cut in any::<bool>(),
        moment in any::<prop::sample::Index>(),
    ) {
        let (memory, state) = (Memory::default(), Memory::default());
        let mut kept = (Generations::new(memory.clone()), Generations::new(state.clone()));
        for number in 0..on_state {
            kept.1.save("s", text(&format!("s{number}")).as_bytes()).unwrap();
        }
        for number in 0..in_memory {
            kept.0.save("s", text(&format!("m{number}")).as_bytes()).unwrap();
        }
        let (old, new) = (active(&kept.1), active(&kept.0));
        memory.power(killed_in_memory);
        state.power(killed_on_state);
        let done = adopt(&mut kept.0, &mut kept.1).is_ok();

        let wanted = new.clone().or_else(|| old.clone());
        if cut {
            let found = active(&Generations::new(state.after_power_cut(&moment)));
            prop_assert!(found == wanted || (!done && found == old), "{found:?}");
            return Ok(());
        }
        let mut kept = (Generations::new(memory.after_kill()), Generations::new(state.after_kill()));
        let left = active(&kept.0);
        prop_assert!(left == new || left.is_none(), "{left:?}");
        if left.is_none() {
            prop_assert_eq!(active(&kept.1), wanted.clone(), "forgotten before it was kept");
        }
        adopt(&mut kept.0, &mut kept.1).unwrap();
        prop_assert_eq!(active(&kept.1), wanted);
        prop_assert_eq!(active(&kept.0), None);
    }
}
