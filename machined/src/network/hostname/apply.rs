//! Tells the kernel the node's name, and whoever reads `/etc/hostname`.

use std::path::PathBuf;

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::net::{HOSTNAME, HostnameSpec, MERGED};

use crate::network::file;

/// Tells the kernel a name.
pub type SetName = fn(&str) -> nix::Result<()>;

/// The kernel refused a name.
#[derive(Debug, thiserror::Error)]
#[error("set the host name {name}")]
struct SetNameError {
    name: String,
    #[source]
    source: nix::Error,
}

/// The controller.
#[derive(Debug)]
pub struct Apply {
    path: PathBuf,
    set: SetName,
}

cosi::declare! {
    Apply as "network.hostname.apply" {
        reads HostnameSpec: MERGED;
    }
}

impl Apply {
    /// Writes this file, and tells the kernel.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self::with(path, |name| nix::unistd::sethostname(name))
    }

    /// The same, telling somebody else.
    #[must_use]
    pub fn with(path: PathBuf, set: SetName) -> Self {
        Self { path, set }
    }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        // A node always has a name, so one that is not there yet changes nothing.
        let Some(spec) = cx.get::<HostnameSpec>(HOSTNAME) else {
            return Ok(Outcome::WaitingOn("a host name".to_owned()));
        };
        let name = &spec.spec.hostname;
        (self.set)(name).map_err(|source| SetNameError {
            name: name.clone(),
            source,
        })?;
        file::replace(&self.path, &format!("{name}\n"))?;
        Ok(Outcome::Done)
    }
}
