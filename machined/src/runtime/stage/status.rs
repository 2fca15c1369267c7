//! The stage follows from the config, the API and what was ordered; nobody sets it.

use cosi::{Error, Outcome, Outputs, Transform, View};
use resources::config::{self, MachineConfig};
use resources::runtime::{Condition, Departure, DepartureEnd, LAST, MACHINED, Stage, StageStatus};

/// The condition that the API serves what the config asks for; unmet with the reason, the node can be paired with.
pub const API: &str = "api";
/// The condition that the config could be loaded; unmet with the reason.
pub const CONFIG: &str = "config";
/// The condition that a source gave the config; unmet with what is wrong with the one that is to give it.
pub const SOURCE: &str = "config-source";
/// The condition that it is known where configs are kept; unmet while the node looks for its disk, and nobody can say yet
/// whether it has a config.
pub const STORE: &str = "config-store";
/// The condition that the machine is to start again.
pub const REBOOT: &str = "reboot";
/// The condition that the machine is to be switched off.
pub const SHUTDOWN: &str = "shutdown";

/// Writes the stage.
#[derive(Debug, Default)]
pub struct StageController;

cosi::declare! {
    StageController as "runtime.stage.status" {
        reads MachineConfig;
        reads Condition;
        reads Departure;
        writes StageStatus;
    }
}

impl Transform for StageController {
    fn transform(&self, view: &View<Self>, out: &mut Outputs<Self>) -> Result<Outcome, Error> {
        let has_config = view.get::<MachineConfig>(config::ACTIVE).is_some();
        let conditions = view.list::<Condition>();
        let find = |id: &str| {
            conditions
                .iter()
                .find(|typed| &*typed.metadata.id == id)
                .map(|typed| &*typed.spec)
        };
        let leaves = view.get::<Departure>(LAST);
        let leaves = leaves.filter(|it| it.spec.is_under_way());
        let (stage, reason) = stage(has_config, leaves.as_ref().map(|it| &*it.spec), find);
        out.put(MACHINED, StageStatus { stage, reason });
        Ok(Outcome::Done)
    }
}

fn stage<'a>(
    has_config: bool,
    leaves: Option<&Departure>,
    condition: impl Fn(&str) -> Option<&'a Condition>,
) -> (Stage, String) {
    let met = |id| {
        condition(id)
            .filter(|condition| condition.met)
            .map(|condition| condition.message.clone())
    };
    let unmet = |id| {
        condition(id)
            .filter(|condition| !condition.met)
            .map(|condition| condition.message.clone())
    };
    if let Some(reason) = met(REBOOT) {
        return (Stage::Rebooting, reason);
    }
    if let Some(reason) = met(SHUTDOWN) {
        return (Stage::ShuttingDown, reason);
    }
    // Before services end: what comes first is on its way.
    if let Some(Departure { end, by, .. }) = leaves {
        let stage = match end {
            DepartureEnd::Reboot | DepartureEnd::Reset => Stage::Rebooting,
            DepartureEnd::Shutdown => Stage::ShuttingDown,
        };
        return (stage, by.clone());
    }
    if !has_config && let Some(reason) = unmet(STORE) {
        return (Stage::Booting, reason);
    }
    if !has_config {
        return (
            Stage::Maintenance,
            unmet(CONFIG)
                .or_else(|| unmet(SOURCE))
                .unwrap_or_else(|| "waiting for a config".to_owned()),
        );
    }
    match condition(API) {
        Some(api) if api.met => (Stage::Running, String::new()),
        // What of the config is no concern of the API holds, but the node waits for a better one.
        Some(api) => (Stage::Maintenance, api.message.clone()),
        None => (Stage::Booting, "waiting for the API".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage_with(has_config: bool, conditions: &[(&str, bool)]) -> Stage {
        stage_on_its_way(has_config, None, conditions)
    }

    fn stage_on_its_way(
        has_config: bool,
        leaves: Option<&Departure>,
        conditions: &[(&str, bool)],
    ) -> Stage {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(id, met)| {
                (
                    *id,
                    Condition {
                        met: *met,
                        message: "because".into(),
                    },
                )
            })
            .collect();
        stage(has_config, leaves, |id| {
            conditions
                .iter()
                .find(|(name, _)| *name == id)
                .map(|(_, condition)| condition)
        })
        .0
    }

    #[test]
    fn the_stage_follows_from_config_api_and_orders() {
        assert_eq!(stage_with(false, &[]), Stage::Maintenance);
        assert_eq!(stage_with(false, &[(CONFIG, false)]), Stage::Maintenance);
        let looking = [(STORE, false), (CONFIG, false)];
        assert_eq!(stage_with(false, &looking), Stage::Booting);
        assert_eq!(stage_with(false, &[(STORE, true)]), Stage::Maintenance);
        assert_eq!(stage_with(true, &[]), Stage::Booting);
        assert_eq!(stage_with(true, &[(API, false)]), Stage::Maintenance);
        assert_eq!(stage_with(true, &[(API, true)]), Stage::Running);
        assert_eq!(
            stage_with(true, &[(API, true), (REBOOT, true)]),
            Stage::Rebooting
        );
        assert_eq!(stage_with(false, &[(SHUTDOWN, true)]), Stage::ShuttingDown);
        let leaves = |end| Departure {
            end,
            ..Departure::default()
        };
        for (end, stage) in [
            (DepartureEnd::Reset, Stage::Rebooting),
            (DepartureEnd::Shutdown, Stage::ShuttingDown),
        ] {
            let leaves = leaves(end);
            assert_eq!(stage_on_its_way(true, Some(&leaves), &[(API, true)]), stage);
        }
    }
}
