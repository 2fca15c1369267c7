//! Where the first config of a node comes from when nobody gave it one.
//!
//! ```text
//! STATE, memory > in the image > kernel argument > seed disk > a person, in maintenance mode
//! ```
//!
//! What is kept always counts: a source is looked at only while the node has no config, and what it gives is kept like
//! any other, so a text that changes at its source later changes nothing here. The first source that is there decides. One
//! that is broken is said and tried again, and those after it are not asked: who could break the one could otherwise
//! choose who owns the node. Maintenance mode is open meanwhile.

mod argument;
mod follow;
mod seed;

pub use argument::{ARGUMENT, Argument, ArgumentError};
pub use follow::follow;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use resources::net::{HOSTNAME, HostnameSpec, LinkStatus, MERGED};
use resources::runtime::{MachineStatus, THIS};
use rustls::ClientConfig;
use store::{Snapshot, Spec as _};

use self::argument::Variables;
use crate::network::fetch;
use crate::network::lookup::Resolvers;

/// Where an image holds a config.
pub const EMBEDDED: &str = "/usr/lib/garboard/config.yaml";

/// One source, in the order they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A file of the image.
    Embedded,
    /// The kernel argument, or what it leads to.
    Argument,
    /// A disk that a hypervisor or a person put in.
    Seed,
}

impl Source {
    /// All of them, in the order they count.
    pub const ALL: [Self; 3] = [Self::Embedded, Self::Argument, Self::Seed];
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => write!(f, "the config in the image, {EMBEDDED}"),
            Self::Argument => write!(f, "the kernel argument {ARGUMENT}"),
            Self::Seed => f.write_str("the seed disk labelled CIDATA"),
        }
    }
}

/// What a source gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is not there.
    Nothing,
    /// It is there, and cannot be used now.
    Broken(String),
    /// Documents, not looked at yet.
    Documents(Vec<u8>),
}

/// The sources of this machine.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file in the image.
    pub embedded: PathBuf,
    /// What the kernel argument says; `None` without one.
    pub argument: Option<Result<Argument, String>>,
    /// Where a seed disk is mounted while it is read.
    pub mount_point: PathBuf,
    /// Whom a server over TLS is proven by.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Sources {
    /// Those of a machine with this kernel command line, with a place for what is mounted in `run`, to be asked by [`follow()`].
    #[must_use]
    pub fn of(command_line: &str, run: &Path) -> Self {
        let argument = sys::cmdline::last(command_line, ARGUMENT);
        let read = |text: &str| text.parse().map_err(|error| cosi::report(&error));
        Self {
            embedded: EMBEDDED.into(),
            argument: argument.map(read),
            mount_point: run.join("seed"),
            tls: fetch::authorities([])
                .inspect_err(|error| tracing::error!("preparing TLS: {}", cosi::report(error)))
                .ok(),
        }
    }

    /// What the first source that is there gives; `None` when none is.
    pub(crate) async fn first(&self, snapshot: &Snapshot) -> Option<(Source, Finding)> {
        for source in Source::ALL {
            let found = match source {
                Source::Embedded => self.embedded(),
                Source::Argument => self.argument(snapshot).await,
                Source::Seed => self.seed(snapshot).await,
            };
            if found != Finding::Nothing {
                return Some((source, found));
            }
        }
        None
    }

    fn embedded(&self) -> Finding {
        match super::files::read(&self.embedded) {
            Ok(bytes) => Finding::Documents(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::Nothing,
            Err(error) => Finding::Broken(error.to_string()),
        }
    }

    async fn seed(&self, snapshot: &Snapshot) -> Finding {
        let (snapshot, at) = (snapshot.clone(), self.mount_point.clone());
        let found = tokio::task::spawn_blocking(move || seed::find(&snapshot, &at)).await;
        found.unwrap_or_else(|error| Finding::Broken(error.to_string()))
    }

    async fn argument(&self, snapshot: &Snapshot) -> Finding {
        let fetched = match &self.argument {
            None => return Finding::Nothing,
            Some(Err(reason)) => return Finding::Broken(reason.clone()),
            Some(Ok(Argument::Inline(bytes))) => return Finding::Documents(bytes.clone()),
            Some(Ok(Argument::Url(url))) => match url.expand(&variables(snapshot)) {
                Err(error) => return Finding::Broken(cosi::report(&error)),
                Ok(url) => {
                    let resolvers = Resolvers::of(snapshot);
                    let fetched =
                        fetch::fetch(&url, config::MAX_BYTES, &resolvers, self.tls.as_ref()).await;
                    fetched.map_err(|error| {
                        format!("fetching {}: {}", fetch::shown(&url), cosi::report(&error))
                    })
                }
            },
        };
        fetched.map_or_else(Finding::Broken, Finding::Documents)
    }
}

/// What a URL may say of the machine, as far as it is known now.
fn variables(snapshot: &Snapshot) -> Variables {
    let machine = snapshot.get_as::<MachineStatus>(MachineStatus::DEFINITION.namespace, THIS);
    let hostname = snapshot.get_as::<HostnameSpec>(MERGED, HOSTNAME);
    let mut cards: Vec<_> = snapshot
        .list_as::<LinkStatus>(LinkStatus::DEFINITION.namespace)
        .filter(|link| link.spec.physical && link.spec.link_type == "ether" && link.spec.carrier)
        .map(|link| {
            (
                link.metadata.id.to_string(),
                link.spec.hardware_address.clone(),
            )
        })
        .collect();
    cards.sort();
    let some = |text: String| Some(text).filter(|it| !it.is_empty());
    Variables {
        uuid: machine.as_ref().and_then(|it| some(it.spec.uuid.clone())),
        serial: machine.and_then(|it| some(it.spec.serial.clone())),
        mac: cards.into_iter().next().and_then(|(_, mac)| some(mac)),
        hostname: hostname.and_then(|it| some(it.spec.hostname.clone())),
    }
}
