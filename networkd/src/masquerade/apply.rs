//! Keeps the rules of the `MasqueradeSpec`, and looks now and then whether they are still there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::net::{MasqueradeSpec, MasqueradeStatus, PODS};

use super::nft::{PROGRAM, Table};
use super::table;

/// How long a change by somebody else may last: a look takes milliseconds.
const LOOK: Duration = Duration::from_secs(30);
/// How soon it is tried again after it has failed.
const AGAIN: Duration = Duration::from_secs(5);

/// It is there once the kernel has been told of a table at all.
const TABLES: &str = "/sys/module/nf_tables";

/// The controller.
///
/// It tells of failures in the status and not as a failed run: pods that do not reach other networks are no reason to keep the rest of the
/// node from coming to rest.
#[derive(Debug)]
pub struct MasqueradeApply {
    table: Table,
    /// There is none, as far as we know.
    is_clear: bool,
}

cosi::declare! {
    MasqueradeApply as "network.masquerade.apply" {
        reads MasqueradeSpec;
        writes MasqueradeStatus;
    }
}

impl Default for MasqueradeApply {
    fn default() -> Self {
        Self {
            table: Table::new(PathBuf::from(PROGRAM)),
            is_clear: !Path::new(TABLES).exists(),
        }
    }
}

impl MasqueradeApply {
    /// One that runs another program, in a kernel that may have had rules before.
    #[cfg(test)]
    pub(super) fn with(program: PathBuf) -> Self {
        Self {
            table: Table::new(program),
            is_clear: false,
        }
    }
}

impl Controller for MasqueradeApply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let Some(spec) = cx.get::<MasqueradeSpec>(PODS) else {
            // After a restart all specs are missing for a moment.
            if !cx.deletions_allowed() {
                return Ok(Outcome::Done);
            }
            if let Err(error) = self.clear().await {
                return Ok(self.failed(cx, &error));
            }
            cx.remove::<MasqueradeStatus>(PODS);
            return Ok(Outcome::Done);
        };
        self.is_clear = false;
        if let Err(error) = self.keep(&spec.spec).await {
            return Ok(self.failed(cx, &error));
        }
        let status = MasqueradeStatus {
            applied: true,
            drifts: self.table.drifts,
            error: String::new(),
        };
        cx.put(PODS, status);
        Ok(Outcome::Requeue(LOOK))
    }
}

impl MasqueradeApply {
    async fn keep(&mut self, spec: &MasqueradeSpec) -> Result<(), String> {
        let text = table::text(spec).map_err(|error| cosi::report(&error))?;
        let kept = self.table.keep(&text).await;
        kept.map_err(|error| cosi::report(&error))
    }

    /// Takes the rules away, as far as there may be some.
    async fn clear(&mut self) -> Result<(), String> {
        if !self.is_clear {
            let cleared = self.table.clear().await;
            cleared.map_err(|error| format!("taking them away: {}", cosi::report(&error)))?;
            self.is_clear = true;
        }
        Ok(())
    }

    /// Tells what went wrong, and tries again.
    fn failed(&self, cx: &mut Cx<'_, Self>, error: &str) -> Outcome {
        tracing::warn!(error, "rules for pods");
        let status = MasqueradeStatus {
            applied: false,
            drifts: self.table.drifts,
            error: error.to_owned(),
        };
        cx.put(PODS, status);
        Outcome::Requeue(AGAIN)
    }
}
