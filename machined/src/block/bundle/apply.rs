//! Mounts bundles as devices come, and takes the mounts away as they go.
//!
//! Threads: one for each device that is looked at, named after it, which ends with its answer. It is not waited for: a
//! medium that does not answer keeps its thread and nothing else. Such a thread may go on after the controller has ended,
//! as a mount whose answer nobody reads; the next life finds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use sys::uevent::Listener;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::disk::status::changes;
use super::super::mount::table;
use super::devices::{Device, devices};
use super::host::{BundleError, Host};
use super::mounts;
use super::plan::{Found, Known, Op, plan};
use crate::images::Faults;

/// How soon something that failed is tried again: a medium may answer by then.
const AGAIN: Duration = Duration::from_secs(60);

/// The stack of a thread, in bytes: it holds a few blocks of a disk.
const STACK: usize = 256 << 10;

/// The controller.
#[derive(Debug)]
pub struct Apply {
    sys: PathBuf,
    host: Host,
    devices: Option<Listener>,
    known: BTreeMap<String, Known>,
    /// What could not be done, by device; the log has been told.
    failures: BTreeMap<String, Failure>,
    faults: watch::Sender<Faults>,
    answers: Arc<Answers>,
}

cosi::declare! {
    Apply as "block.bundle.apply" {}
}

/// Something that could not be done.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    reason: String,
    /// It is about a bundle, and not about a device that may hold anything.
    of_bundle: bool,
}

/// What threads have found out and the controller has not taken yet.
#[derive(Debug, Default)]
struct Answers {
    given: Mutex<Vec<(Op, Result<Found, BundleError>)>>,
    came: Notify,
}

impl Apply {
    /// Looks at the devices of sysfs at `sys`, whose files are in `dev`, when `devices` says that they have changed; mounts
    /// bundles in folders of `shelf`, and tells `faults` which of them cannot be mounted.
    #[must_use]
    pub fn new(
        sys: &Path,
        dev: &Path,
        shelf: &Path,
        devices: Listener,
        faults: watch::Sender<Faults>,
    ) -> Self {
        Self {
            sys: sys.to_owned(),
            host: Host::new(dev, shelf),
            devices: Some(devices),
            known: BTreeMap::new(),
            failures: BTreeMap::new(),
            faults,
            answers: Arc::default(),
        }
    }

    /// Notes what threads have found out.
    fn take_answers(&mut self, devices: &BTreeMap<String, Device>, now: Instant) {
        let given = std::mem::take(&mut *self.answers.given());
        for (op, answer) in given {
            let (name, device) = match op {
                Op::Settle { name, device, .. } => (name, Some(device)),
                Op::Drop(name) => (name, None),
            };
            match (answer, device) {
                (Ok(found), Some(device)) => {
                    self.failures.remove(&name);
                    self.known.insert(name, Known::Looked(device, found));
                }
                (Ok(_), None) => {
                    self.failures.remove(&name);
                    self.known.remove(&name);
                }
                (Err(error), device) => {
                    let device = device.or_else(|| devices.get(&name).cloned());
                    self.failed(name, device, &error, now);
                }
            }
        }
    }

    fn failed(&mut self, name: String, device: Option<Device>, error: &BundleError, now: Instant) {
        let failure = Failure {
            reason: cosi::report(error),
            of_bundle: error.is_of_bundle(),
        };
        if self.failures.get(&name) != Some(&failure) {
            let reason = &failure.reason;
            tracing::warn!(device = name, reason, "bundles of images");
        }
        self.failures.insert(name.clone(), failure);
        let again = now + AGAIN;
        self.known.insert(name, Known::Failed { device, again });
    }

    /// Has a thread do something.
    fn begin(&mut self, op: Op, now: Instant) {
        let (name, device) = match &op {
            Op::Settle { name, device, .. } => (name.clone(), Some(device.clone())),
            Op::Drop(name) => (name.clone(), None),
        };
        let (host, answers) = (self.host.clone(), Arc::clone(&self.answers));
        let work = move || {
            let answer = take(&host, &op);
            answers.given().push((op, answer));
            answers.came.notify_one();
        };
        let thread = thread::Builder::new().name(format!("bundle {name}"));
        match thread.stack_size(STACK).spawn(work) {
            Ok(_) => drop(self.known.insert(name, Known::Busy)),
            Err(source) => {
                let error = BundleError::Read(self.host.shelf().join(&name), source);
                self.failed(name, device, &error, now);
            }
        }
    }

    /// Says which bundles cannot be mounted, to whoever tells of bundles.
    fn tell(&self) {
        let failures = self.failures.iter().filter(|(_, it)| it.of_bundle);
        let faults: Faults = failures
            .map(|(name, it)| (self.host.shelf().join(name), it.reason.clone()))
            .collect();
        self.faults.send_if_modified(|it| {
            let changed = *it != faults;
            *it = faults;
            changed
        });
    }
}

impl Answers {
    fn given(&self) -> std::sync::MutexGuard<'_, Vec<(Op, Result<Found, BundleError>)>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does it, on a thread that may hang.
fn take(host: &Host, op: &Op) -> Result<Found, BundleError> {
    match op {
        Op::Settle {
            name,
            device,
            mounted,
        } => {
            let found = host.settle(name, device, *mounted)?;
            if found == Found::Bundle && !mounted {
                tracing::info!(device = name, "a bundle of images is mounted");
            }
            Ok(found)
        }
        Op::Drop(name) => {
            host.unmount(name)?;
            tracing::info!(device = name, "a bundle of images is gone");
            Ok(Found::Nothing)
        }
    }
}

impl Controller for Apply {
    fn sources(&mut self) -> Vec<Source> {
        let devices = self.devices.take().map(changes);
        let answers = Arc::clone(&self.answers);
        let answers: Source = Box::pin(stream::unfold(answers, |answers| async {
            answers.came.notified().await;
            Some(((), answers))
        }));
        devices.into_iter().chain([answers]).collect()
    }

    async fn reconcile(&mut self, _: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let now = Instant::now();
        let devices = devices(&self.sys)?;
        self.take_answers(&devices, now);
        let mounted = mounts::below(self.host.shelf(), &table::read()?);
        // What is known of a device ends with it, and with its mount.
        let is_there = |name: &String| devices.contains_key(name) || mounted.contains(name);
        self.known
            .retain(|name, known| *known == Known::Busy || is_there(name));
        self.failures.retain(|name, _| is_there(name));
        for op in plan(&devices, &mounted, &self.known, now) {
            self.begin(op, now);
        }
        self.tell();
        let failed = |known: &Known| matches!(known, Known::Failed { .. });
        Ok(if self.known.values().any(failed) {
            Outcome::Requeue(AGAIN)
        } else {
            Outcome::Done
        })
    }
}
