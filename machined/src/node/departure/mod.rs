//! An end of the machine that was ordered, from the order to the moment when services may end.
//!
//! ```text
//! ordered --> pods go elsewhere --> (reset: etcd is left) --> services end, init goes on
//!                                        | refused
//!                                        v
//!                                    the node stays
//! ```
//!
//! An order is in a file in memory before it is answered: a life of this daemon that finds it goes on with it, with what is left
//! of the time that pods were given. Each step can be done again. With the machine the file is gone; what may be left then is a cordon of
//! the node in its cluster, which the node itself takes back.

mod steps;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::api::v1alpha1 as v1;
use resources::runtime::DepartureEnd;
use serde::{Deserialize, Serialize};

pub use self::steps::Way;
pub(super) use self::steps::{Teller, go};
use super::Takers;
use crate::api::Failure;
use crate::kubernetes::component::Component;
use crate::kubernetes::kubelet::inhibit::Inhibitors;
use crate::network::file;

/// How long pods have to go unless the order says otherwise.
const DRAIN: Duration = Duration::from_secs(300);

/// The longest time that they can be given.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The machine starts again.
    Reboot,
    /// It is powered off.
    Shutdown,
    /// Its disk is emptied, and it starts again.
    Reset {
        /// The disk, as the caller named it.
        disk: String,
        /// Whether it is reset though it cannot leave etcd.
        abandon_etcd: bool,
    },
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departing {
    /// What comes of it.
    pub end: Ending,
    /// Who gave it, for a person.
    pub by: String,
    /// Until when pods may go elsewhere, since the machine's boot; `None` leaves them.
    pub drain: Option<Duration>,
}

/// How long pods may take by what a caller says; `None` leaves them.
///
/// # Errors
/// For longer than anybody gets.
pub(super) fn drain(asked: Option<v1::Drain>) -> Result<Option<Duration>, Failure> {
    let asked = asked.unwrap_or_default();
    if asked.skip {
        return Ok(None);
    }
    match Duration::from_secs(asked.seconds.into()) {
        Duration::ZERO => Ok(Some(DRAIN)),
        long if long > LONGEST => Err(Failure::invalid(format!(
            "pods get {} seconds to go elsewhere at most",
            LONGEST.as_secs()
        ))),
        time => Ok(Some(time)),
    }
}

impl Ending {
    /// As the resource has it.
    pub(super) fn shown(&self) -> DepartureEnd {
        match self {
            Self::Reboot => DepartureEnd::Reboot,
            Self::Shutdown => DepartureEnd::Shutdown,
            Self::Reset { .. } => DepartureEnd::Reset,
        }
    }
}

/// Where the order is kept that is carried out.
#[derive(Clone, Debug)]
pub(super) struct Kept(PathBuf);

impl Kept {
    pub(super) fn new(file: PathBuf) -> Self {
        Self(file)
    }

    /// Keeps an order in the place of the one before.
    pub(super) fn put(&self, departing: &Departing) -> Result<(), Failure> {
        let text = serde_json::to_string(departing)
            .map_err(|error| Failure::internal(format!("writing down the order: {error}")))?;
        file::replace(&self.0, &text).map_err(|error| Failure::internal(cosi::report(&error)))
    }

    /// What a life before was ordered. One that cannot be read is none: it was not answered then.
    pub(super) fn get(&self) -> Option<Departing> {
        let text = fs::read(&self.0).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Forgets it, as the node stays.
    pub(super) fn clear(&self) {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!(%error, "forgetting the order");
            }
            _ => {}
        }
    }
}

/// What carries orders out, and where they are kept.
#[derive(Clone, Debug)]
pub struct Departures {
    pub(super) way: Way,
    pub(super) kept: Kept,
}

impl Departures {
    /// Those of a node with its kubelet and its etcd, kept in its folder of what lives as long as the machine.
    #[must_use]
    pub fn of(run: &Path, takers: &Takers, inhibitors: &Inhibitors) -> Self {
        let kubelet = Component::Kubelet.folder();
        let way = Way::new(kubelet, takers.bootstrap.clone(), inhibitors.clone());
        Self::new(way, run.join("departure.json"))
    }

    /// By this way, kept in this file.
    #[must_use]
    pub fn new(way: Way, file: PathBuf) -> Self {
        Self {
            way,
            kept: Kept::new(file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_get_five_minutes_unless_the_caller_says_otherwise() {
        let of = |skip, seconds| drain(Some(v1::Drain { skip, seconds }));
        assert_eq!(drain(None), Ok(Some(DRAIN)));
        assert_eq!(of(false, 0), Ok(Some(Duration::from_secs(300))));
        assert_eq!(of(false, 7), Ok(Some(Duration::from_secs(7))));
        assert_eq!(of(true, 7), Ok(None));
        assert_eq!(of(false, 86_400), Ok(Some(LONGEST)));
        assert!(of(false, 86_401).is_err());
    }

    #[test]
    fn an_order_is_found_again_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("departure.json");
        let kept = Kept::new(file.clone());
        assert_eq!(kept.get(), None);
        kept.clear();
        let departing = Departing {
            end: Ending::Reset {
                disk: "vda".to_owned(),
                abandon_etcd: true,
            },
            by: "me".to_owned(),
            drain: Some(Duration::from_millis(1500)),
        };
        kept.put(&departing).unwrap();
        assert_eq!(Kept::new(file.clone()).get(), Some(departing));
        std::fs::write(&file, "{").unwrap();
        assert_eq!(kept.get(), None);
        kept.clear();
        assert!(!file.exists());
    }
}
