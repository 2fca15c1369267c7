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
            if cx.deletions_allowed() {
                if !self.is_clear {
                    self.table.clear().await?;
                    self.is_clear = true;
                }
                cx.remove::<MasqueradeStatus>(PODS);
            }
            return Ok(Outcome::Done);
        };
        self.is_clear = false;
        let text = table::text(&spec.spec)?;
        let kept = self.table.keep(&text).await;
        let error = kept.err().map(|it| cosi::report(&it)).unwrap_or_default();
        if !error.is_empty() {
            tracing::warn!(error, "rules for pods");
        }
        let applied = error.is_empty();
        let status = MasqueradeStatus {
            applied,
            drifts: self.table.drifts,
            error,
        };
        cx.put(PODS, status);
        Ok(Outcome::Requeue(if applied { LOOK } else { AGAIN }))
    }
}
