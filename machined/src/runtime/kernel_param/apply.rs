//! Gives settings their values, and gives them back.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::config::SysctlKey;
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::net::LinkStatus;
use resources::runtime::{
    KernelModuleStatus, KernelParamSpec, KernelParamState, KernelParamStatus,
};
use thiserror::Error;

use super::kept::Kept;
use super::step::{Made, Seen, Step, order, step};
use crate::config::DiskError;

/// How long a change by somebody else may last, and how long a setting is waited for whose module nobody told of. A
/// look at a setting takes microseconds.
const LOOK: Duration = Duration::from_secs(60);

/// Why a setting is not as it should be.
#[derive(Debug, Error)]
enum ParamError {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("its value from before cannot be kept, so it stays as it is")]
    Keep(#[source] io::Error),
    #[error("it is what it was before, which cannot be noted")]
    Forget(#[source] io::Error),
    #[error("the kernel refuses `{0}`")]
    Refused(String, #[source] io::Error),
    #[error("its value from before, `{0}`, comes back with the next start of the node only")]
    Restore(String, #[source] io::Error),
}

/// The controller.
///
/// It tells of failures in the status and not as a failed run: a setting that a kernel does not have is no reason to
/// keep the rest of the node from coming to rest.
#[derive(Debug)]
pub struct Apply {
    params: Arc<Mutex<Params>>,
}

cosi::declare! {
    Apply as "runtime.kernel-param.apply" {
        reads KernelParamSpec;
        // Settings come with the links and modules they are of.
        reads LinkStatus;
        reads KernelModuleStatus;
        writes KernelParamStatus;
    }
}

impl Apply {
    /// Sets what is below `root`, which is `/proc/sys`, and keeps the values from before in `folder`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(root: PathBuf, folder: &Path) -> Result<Self, DiskError> {
        let params = Params::new(root, folder)?;
        Ok(Self {
            params: Arc::new(Mutex::new(params)),
        })
    }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let mut wanted = BTreeMap::new();
        for spec in cx.list::<KernelParamSpec>() {
            wanted.insert(spec.id().parse::<SysctlKey>()?, spec.spec.value.clone());
        }
        let (params, leave) = (Arc::clone(&self.params), cx.deletions_allowed());
        // Some settings take their time: huge pages are collected while one waits. A run that is given up meanwhile
        // goes on to its end, which is as good as not having begun.
        let looked = move || {
            let mut params = params.lock().unwrap_or_else(PoisonError::into_inner);
            params.look(&wanted, leave)
        };
        let statuses = tokio::task::spawn_blocking(looked).await?;
        let before: BTreeMap<String, String> = cx
            .mine::<KernelParamStatus>()
            .into_iter()
            .map(|it| (it.id().to_owned(), it.spec.error.clone()))
            .collect();
        let due = !statuses.is_empty();
        cx.replace::<KernelParamStatus>();
        for (key, status) in statuses {
            let told = before.get(key.as_str());
            if !status.error.is_empty() && told != Some(&status.error) {
                tracing::warn!(%key, error = status.error, "kernel setting");
            }
            cx.put(key.to_string(), status);
        }
        Ok(if due {
            Outcome::Requeue(LOOK)
        } else {
            Outcome::Done
        })
    }
}

/// The settings, and what we know of them between looks.
#[derive(Debug)]
pub(super) struct Params {
    root: PathBuf,
    kept: Kept,
    made: BTreeMap<SysctlKey, Made>,
    drifts: BTreeMap<SysctlKey, u32>,
}

impl Params {
    pub(super) fn new(root: PathBuf, folder: &Path) -> Result<Self, DiskError> {
        Ok(Self {
            root,
            kept: Kept::open(folder)?,
            made: BTreeMap::new(),
            drifts: BTreeMap::new(),
        })
    }

    /// Makes every setting what it should be, as far as that can be; says what has become of each that we have, or
    /// had and have not given back.
    pub(super) fn look(
        &mut self,
        wanted: &BTreeMap<SysctlKey, String>,
        leave: bool,
    ) -> Vec<(SysctlKey, KernelParamStatus)> {
        let mut keys: Vec<SysctlKey> = wanted.keys().chain(self.kept.keys()).cloned().collect();
        keys.sort_by_cached_key(order);
        keys.dedup();
        let mut statuses = Vec::new();
        for key in keys {
            let wanted = wanted.get(&key).map(String::as_str);
            let done = self.one(&key, wanted, leave);
            // A setting may change what another one is, so each is read when it is its turn.
            let now = self.read(&key).ok().flatten();
            if wanted.is_none() && self.kept.get(&key).is_none() {
                continue;
            }
            let (state, error) = match (done, &now) {
                (Err(error), _) => (KernelParamState::Failed, cosi::report(&error)),
                (Ok(()), None) => (KernelParamState::Absent, String::new()),
                (Ok(()), Some(_)) => (KernelParamState::Applied, String::new()),
            };
            let status = KernelParamStatus {
                state,
                value: now.unwrap_or_default(),
                before: self.kept.get(&key).map(str::to_owned),
                drifts: self.drifts.get(&key).copied().unwrap_or_default(),
                error,
            };
            statuses.push((key, status));
        }
        statuses
    }

    fn one(
        &mut self,
        key: &SysctlKey,
        wanted: Option<&str>,
        leave: bool,
    ) -> Result<(), ParamError> {
        let now = self.read(key).map_err(ParamError::Read)?;
        if let (Some(_), Some(now), None) = (wanted, &now, self.kept.get(key)) {
            self.kept.keep(key, now).map_err(ParamError::Keep)?;
        }
        let before = self.kept.get(key).unwrap_or_default().to_owned();
        let seen = Seen {
            wanted,
            before: self.kept.get(key),
            made: self.made.get(key),
            now: now.as_deref(),
            leave,
        };
        match step(seen) {
            Step::Nothing => {}
            Step::Set { drifted } => {
                let (value, now) = (wanted.unwrap_or_default(), now.as_deref());
                if drifted {
                    *self.drifts.entry(key.clone()).or_default() += 1;
                    tracing::warn!(%key, now, value, "somebody changed a kernel setting; putting it back");
                } else {
                    tracing::info!(%key, now, value, "kernel setting");
                }
                self.write(key, value)
                    .map_err(|error| ParamError::Refused(value.to_owned(), error))?;
            }
            Step::Restore => {
                tracing::info!(%key, now, value = before, "kernel setting back to what it was");
                self.write(key, &before)
                    .map_err(|error| ParamError::Restore(before, error))?;
                self.forget(key)?;
            }
            Step::Forget => self.forget(key)?,
        }
        self.remember(key, wanted)
    }

    /// Remembers what the kernel makes of a wanted value, to know a change by somebody else from it.
    fn remember(&mut self, key: &SysctlKey, wanted: Option<&str>) -> Result<(), ParamError> {
        match (wanted, self.read(key).map_err(ParamError::Read)?) {
            (Some(wanted), Some(shown)) => {
                let wanted = wanted.to_owned();
                self.made.insert(key.clone(), Made { wanted, shown });
            }
            _ => drop(self.made.remove(key)),
        }
        Ok(())
    }

    fn forget(&mut self, key: &SysctlKey) -> Result<(), ParamError> {
        self.drifts.remove(key);
        self.kept.forget(key).map_err(ParamError::Forget)
    }

    /// The value; `None` when there is no such setting.
    fn read(&self, key: &SysctlKey) -> io::Result<Option<String>> {
        match fs::read_to_string(self.root.join(key.path())) {
            Ok(text) => Ok(Some(text.trim_end_matches('\n').to_owned())),
            // A folder where a link of that name would be, or a file where a folder would.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// In one write, with the newline without which nothing at all would be written for an empty value.
    fn write(&self, key: &SysctlKey, value: &str) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(self.root.join(key.path()))?;
        file.write_all(format!("{value}\n").as_bytes())
    }
}
