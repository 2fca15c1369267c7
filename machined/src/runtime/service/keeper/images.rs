//! The images that services are started from: what has become of pulls, and what is to be pulled and kept.

use std::collections::BTreeMap;

use super::{Facts, Keeper, Now};
use crate::runtime::service::container::pulls;
use crate::runtime::service::known::Known;
use crate::runtime::service::rules::{CONTAINERD, Name, Service};
use crate::runtime::service::seen::Life;

impl Keeper {
    /// Takes in what has become of pulls.
    pub(super) fn take_pulled(
        &mut self,
        wanted: &BTreeMap<Name, Service>,
        facts: &Facts,
        now: Now,
    ) {
        for (name, known) in &mut self.known {
            let waits = !facts.down && !known.record.seen.held;
            let service = wanted.get(name).filter(|_| waits);
            known.take_pulled(name, service, &self.pulls, now.boot);
        }
    }

    /// What is to be pulled, and which views of images are used: that is known when every service that is started from
    /// one is, or could be.
    pub(super) fn wanted_pulls(
        &self,
        wanted: &BTreeMap<Name, Service>,
        facts: &Facts,
    ) -> pulls::Wanted {
        let orders = self.known.iter();
        let orders = orders.filter_map(|(name, known)| Some((name.clone(), known.ordered()?)));
        let ready = |name: &Name| {
            let known = self.known.get(name);
            known.is_some_and(|known| known.keys().next().is_some())
        };
        let mut images = wanted.iter().filter(|(_, it)| it.container.is_some());
        let known = facts.leave && images.all(|(name, _)| ready(name));
        let serves = self.known.iter().any(|(name, known)| {
            let up = matches!(known.record.seen.life, Life::Up { .. });
            name.as_str() == CONTAINERD && up && known.record.seen.healthy == Some(true)
        });
        let keys = self.known.values().flat_map(Known::keys).cloned();
        pulls::Wanted {
            orders: orders.collect(),
            keep: (known && serves).then(|| keys.collect()),
        }
    }
}
