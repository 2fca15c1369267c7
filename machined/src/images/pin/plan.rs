//! Which images are pinned, and which are not any more. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// The label by which CRI says that an image is pinned, and its value (containerd's `internal/cri/labels`). It tells the kubelet so,
/// which passes over such an image.
pub const PINNED: (&str, &str) = ("io.cri-containerd.pinned", "pinned");

/// Whose pin it is: containerd pins the image of pods' sandboxes by itself, and others may pin what they like.
pub const OURS: (&str, &str) = ("garboard/pinned", "yes");

/// What is to be done about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// It stays from now on.
    Pin(String),
    /// It may go.
    Release(String),
}

impl Op {
    /// The labels that it has then; one without a value is none.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let labels = [PINNED, OURS].into_iter();
        let labels = labels.map(|(name, value)| match self {
            Self::Pin(_) => (name.to_owned(), value.to_owned()),
            Self::Release(_) => (name.to_owned(), String::new()),
        });
        labels.collect()
    }

    /// The reference.
    #[must_use]
    pub fn reference(&self) -> &str {
        match self {
            Self::Pin(reference) | Self::Release(reference) => reference,
        }
    }
}

/// What is to be done, of the references that are there with their labels.
#[must_use]
pub fn plan(
    wanted: &BTreeSet<String>,
    there: &BTreeMap<String, BTreeMap<String, String>>,
) -> Vec<Op> {
    let op = |(reference, labels): (&String, &BTreeMap<String, String>)| {
        let has = |(name, value): (&str, &str)| labels.get(name).is_some_and(|it| it == value);
        let wanted = wanted.contains(reference);
        match (wanted, has(PINNED) && has(OURS), has(OURS)) {
            (true, false, _) => Some(Op::Pin(reference.clone())),
            (false, _, true) => Some(Op::Release(reference.clone())),
            _ => None,
        }
    };
    there.iter().filter_map(op).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        let labels = labels.iter();
        labels
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_run_is_pinned_and_what_was_run_is_not() {
        let there = BTreeMap::from([
            ("etcd:1".to_owned(), labels(&[PINNED, OURS])),
            ("etcd:2".to_owned(), labels(&[])),
            ("kubelet:1".to_owned(), labels(&[PINNED, OURS])),
            ("half:1".to_owned(), labels(&[OURS])),
            // containerd's own pin is not ours to take away, and becomes ours where we want it, too.
            ("pause:1".to_owned(), labels(&[PINNED])),
            ("proxy:1".to_owned(), labels(&[PINNED])),
            ("user:1".to_owned(), labels(&[("team", "a")])),
        ]);
        let wanted = ["etcd:2", "kubelet:1", "half:1", "proxy:1", "missing:1"];
        let wanted = wanted.map(str::to_owned).into();
        let pin = |it: &str| Op::Pin(it.to_owned());
        assert_eq!(
            plan(&wanted, &there),
            [
                Op::Release("etcd:1".to_owned()),
                pin("etcd:2"),
                pin("half:1"),
                pin("proxy:1"),
            ]
        );
    }

    #[test]
    fn what_was_done_is_not_done_again() {
        let wanted = BTreeSet::from(["a".to_owned()]);
        let mut there = BTreeMap::from([
            ("a".to_owned(), labels(&[("team", "a")])),
            ("b".to_owned(), labels(&[PINNED, OURS])),
        ]);
        for op in plan(&wanted, &there) {
            let of = there.get_mut(op.reference()).unwrap();
            of.extend(op.labels());
            of.retain(|_, value| !value.is_empty());
        }
        assert_eq!(plan(&wanted, &there), []);
        assert_eq!(there["a"], labels(&[("team", "a"), PINNED, OURS]));
        assert_eq!(there["b"], labels(&[]));
    }
}
