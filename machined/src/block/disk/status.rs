//! Reports the disks there are.

use std::path::{Path, PathBuf};

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use resources::block::Disk;
use sys::uevent::{Listener, Received};
use tokio::io::unix::AsyncFd;

use super::sysfs;
use crate::runtime::readable;

/// What the kernel calls this kind of device in its announcements.
const SUBSYSTEM: &str = "block";

/// The controller.
#[derive(Debug)]
pub struct Status {
    sys: PathBuf,
    devices: Option<Listener>,
}

cosi::declare! {
    Status as "block.disk.status" {
        writes Disk;
    }
}

impl Status {
    /// Reads sysfs at `sys`; `devices` says when to read again.
    #[must_use]
    pub fn new(sys: &Path, devices: Listener) -> Self {
        Self {
            sys: sys.to_owned(),
            devices: Some(devices),
        }
    }
}

impl Controller for Status {
    fn sources(&mut self) -> Vec<Source> {
        self.devices.take().map(changes).into_iter().collect()
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let disks = sysfs::disks(&self.sys)?;
        cx.replace::<Disk>();
        for (name, disk) in disks {
            cx.put(name, disk);
        }
        Ok(Outcome::Done)
    }
}

/// Wakes when a disk or partition came, went or changed.
pub(crate) fn changes(devices: Listener) -> Source {
    match readable(devices) {
        Ok(devices) => Box::pin(stream::unfold(devices, |devices| async {
            match next(&devices).await {
                Ok(()) => Some(((), devices)),
                Err(error) => {
                    tracing::error!(%error, "disks that come and go are not noticed any more");
                    None
                }
            }
        })),
        Err(error) => {
            tracing::error!(%error, "disks that come and go are not noticed");
            Box::pin(stream::empty())
        }
    }
}

async fn next(devices: &AsyncFd<Listener>) -> std::io::Result<()> {
    loop {
        let mut ready = devices.readable().await?;
        let mut changed = false;
        loop {
            match devices.get_ref().recv()? {
                Received::Event(event) => changed |= event.get("SUBSYSTEM") == Some(SUBSYSTEM),
                Received::Overflow => changed = true,
                Received::Nothing => break,
            }
        }
        ready.clear_ready();
        if changed {
            return Ok(());
        }
    }
}
