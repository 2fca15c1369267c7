//! Reports what is mounted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use resources::block::Mount;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::table;
use crate::runtime::ready_for;

/// The controller.
#[derive(Debug)]
pub struct Status {
    table: PathBuf,
}

cosi::declare! {
    Status as "block.mount.status" {
        writes Mount;
    }
}

impl Status {
    /// Looks again whenever the table of mounts at this path changes.
    #[must_use]
    pub fn new(table: &Path) -> Self {
        Self {
            table: table.to_owned(),
        }
    }
}

impl Controller for Status {
    fn sources(&mut self) -> Vec<Source> {
        match watched(&self.table) {
            Ok(table) => vec![changes(table)],
            Err(error) => {
                tracing::error!(%error, "what is mounted and unmounted is not noticed");
                Vec::new()
            }
        }
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let mounts = table::read()?;
        cx.replace::<Mount>();
        // Of several at one place the last one counts: it hides those before.
        for mounted in mounts {
            cx.put(mounted.target.to_string_lossy(), mounted.mount);
        }
        Ok(Outcome::Done)
    }
}

/// The table, which is ready as something urgent when it has changed (proc_pid_mounts(5)).
fn watched(table: &Path) -> io::Result<AsyncFd<File>> {
    ready_for(File::open(table)?, Interest::PRIORITY)
}

fn changes(table: AsyncFd<File>) -> Source {
    Box::pin(stream::unfold(table, |table| async {
        let changed = table.ready(Interest::PRIORITY).await;
        match changed {
            Ok(mut ready) => ready.clear_ready(),
            Err(error) => {
                tracing::error!(%error, "what is mounted and unmounted is not noticed any more");
                return None;
            }
        }
        Some(((), table))
    }))
}
