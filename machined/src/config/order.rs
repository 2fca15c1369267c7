//! Which generation to try first. Pure.

use super::generation::Name;

/// The generations that may become the active one, best first: what the pointer names, then what
/// was applied before it, newest first.
///
/// What is newer than the pointer was written by an apply that never answered, and is not tried.
/// Without a pointer everything may have been active.
pub(super) fn to_try(pointer: Option<&Name>, names: impl IntoIterator<Item = Name>) -> Vec<Name> {
    let mut names: Vec<Name> = names
        .into_iter()
        .filter(|name| pointer.is_none_or(|it| name == it || name.number() < it.number()))
        .collect();
    names.sort_by(|left, right| right.cmp(left));
    names
}

/// The number of the next generation: above all that were given, whatever happened to their files.
pub(super) fn next<'a>(given: impl IntoIterator<Item = &'a Name>, at_least: u64) -> u64 {
    let newest = given.into_iter().map(Name::number).max().unwrap_or(0);
    newest.saturating_add(1).max(at_least)
}

/// The generations that are kept no longer: all but the newest `keep` and the pointed-at one.
pub(super) fn to_remove(
    pointer: &Name,
    names: impl IntoIterator<Item = Name>,
    keep: usize,
) -> Vec<Name> {
    let mut names: Vec<Name> = names.into_iter().collect();
    names.sort_by(|left, right| right.cmp(left));
    names
        .into_iter()
        .skip(keep)
        .filter(|name| name != pointer)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(numbers: &[u64]) -> Vec<Name> {
        numbers.iter().map(|it| Name::new(*it, "")).collect()
    }

    proptest! {
        #[test]
        fn the_pointer_comes_first_and_nothing_newer(
            numbers in proptest::collection::btree_set(1u64..50, 1..20),
            pointer in any::<prop::sample::Index>(),
        ) {
            let numbers: Vec<u64> = numbers.into_iter().collect();
            let pointer = Name::new(*pointer.get(&numbers), "");
            let order = to_try(Some(&pointer), names(&numbers));
            prop_assert_eq!(order.first(), Some(&pointer));
            prop_assert!(order.is_sorted_by(|a, b| a.number() > b.number()));
            prop_assert_eq!(to_try(None, names(&numbers)).len(), numbers.len());
        }

        #[test]
        fn a_number_is_never_given_twice(
            numbers in proptest::collection::btree_set(1u64..50, 0..20),
            at_least in 0u64..60,
        ) {
            let numbers: Vec<u64> = numbers.into_iter().collect();
            let next = next(&names(&numbers), at_least);
            prop_assert!(next >= at_least && next > 0);
            prop_assert!(numbers.iter().all(|it| *it < next));
        }

        #[test]
        fn removing_keeps_the_newest_and_the_pointer(
            numbers in proptest::collection::btree_set(1u64..50, 1..20),
            pointer in any::<prop::sample::Index>(),
            keep in 0usize..12,
        ) {
            let numbers: Vec<u64> = numbers.into_iter().collect();
            let pointer = Name::new(*pointer.get(&numbers), "");
            let removed = to_remove(&pointer, names(&numbers), keep);
            prop_assert!(!removed.contains(&pointer));
            let kept = numbers.len() - removed.len();
            prop_assert!(kept <= keep + 1 && kept >= keep.min(numbers.len()));
        }
    }
}
