//! Loads the modules, and says what has become of each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::runtime::{KernelModule, KernelModuleSpec, KernelModuleState, KernelModuleStatus};
use sys::modules::insert_with;

use super::loader::{AGAIN, Insert, Loader, Parameters};

/// The controller.
///
/// It tells of failures in the status and not as a failed run, as the settings' does. It never unloads anything: who
/// uses a module by now, nobody knows.
#[derive(Debug)]
pub struct Apply {
    loader: Arc<Mutex<Loader>>,
}

cosi::declare! {
    Apply as "runtime.kernel-module.apply" {
        reads KernelModuleSpec;
        // One that somebody unloads is loaded again.
        reads KernelModule;
        writes KernelModuleStatus;
    }
}

impl Apply {
    /// Loads from the folder of the running kernel's modules, those with parameters on the kernel command line too.
    #[must_use]
    pub fn new(folder: PathBuf, command_line: &str) -> Self {
        let insert: Insert = Box::new(insert_with);
        Self::with(folder, "/sys/module".into(), command_line, insert)
    }

    /// The same, with other places and another kernel.
    #[must_use]
    pub(super) fn with(
        folder: PathBuf,
        shown: PathBuf,
        command_line: &str,
        insert: Insert,
    ) -> Self {
        let loader = Loader::new(folder, shown, command_line, insert);
        Self {
            loader: Arc::new(Mutex::new(loader)),
        }
    }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let wanted: BTreeMap<String, Parameters> = cx
            .list::<KernelModuleSpec>()
            .into_iter()
            .map(|it| (it.id().to_owned(), parameters(&it.spec)))
            .collect();
        let (loader, now) = (Arc::clone(&self.loader), cx.now());
        // Loading may wait for hardware.
        let looked = move || {
            let mut loader = loader.lock().unwrap_or_else(PoisonError::into_inner);
            loader.look(&wanted, now)
        };
        let statuses = tokio::task::spawn_blocking(looked).await?;
        let mut again = false;
        cx.replace::<KernelModuleStatus>();
        for (name, status) in statuses {
            again |= status.state == KernelModuleState::Failed;
            cx.put(name, status);
        }
        Ok(if again {
            Outcome::Requeue(AGAIN)
        } else {
            Outcome::Done
        })
    }
}

fn parameters(spec: &KernelModuleSpec) -> Parameters {
    let parameters = spec.parameters.iter().filter_map(|it| it.split_once('='));
    parameters
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
