//! What can go wrong with a cluster that exists.

use std::time::Duration;

use crate::console::ConsoleError;
use crate::disk::DiskError;
use crate::folder::FolderError;
use crate::launch::LaunchError;
use crate::name::Name;
use crate::process::ProcessError;
use crate::qmp::QmpError;
use crate::state::StateError;
use crate::switch::SwitchError;

/// What could not be done to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no machine of this name.
    #[error("cluster {cluster} has no machine {vm}")]
    NoVm {
        /// The cluster.
        cluster: Name,
        /// The name.
        vm: Name,
    },
    /// The cluster was not made to the end: the machine has no address.
    #[error("{vm} has no lease: its cluster was not made to the end")]
    NoLease {
        /// The machine.
        vm: Name,
    },
    /// The machine is off.
    #[error("{vm} is off")]
    IsOff {
        /// The machine.
        vm: Name,
    },
    /// The network's process is gone, as after a crash of the host.
    #[error(
        "the network of cluster {cluster} is gone, and its machines are cut off; destroy the cluster and create it anew"
    )]
    NoNetwork {
        /// The cluster.
        cluster: Name,
    },
    /// The folder cannot be locked, or is gone.
    #[error("the cluster's folder cannot be used")]
    Folder(#[from] FolderError),
    /// The state cannot be read or written.
    #[error("the cluster's state cannot be used")]
    State(#[from] StateError),
    /// The network refuses.
    #[error("the cluster's network cannot be changed")]
    Switch(#[from] SwitchError),
    /// A disk.
    #[error("the disks of the cluster are not like that")]
    Disk(#[from] DiskError),
    /// A machine cannot be ended.
    #[error("{vm} cannot be switched off")]
    Off {
        /// The machine.
        vm: Name,
        /// Why.
        #[source]
        source: ProcessError,
    },
    /// A machine does not start.
    #[error("{vm} cannot be switched on")]
    On {
        /// The machine.
        vm: Name,
        /// Why.
        #[source]
        source: LaunchError,
    },
    /// QEMU refuses.
    #[error("{vm} cannot be controlled")]
    Control {
        /// The machine.
        vm: Name,
        /// Why.
        #[source]
        source: QmpError,
    },
    /// The second serial port does not answer.
    #[error("the second serial port of {vm} cannot be reached")]
    SecondSerial {
        /// The machine.
        vm: Name,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The console cannot be read.
    #[error("the console of {vm} cannot be read")]
    Console {
        /// The machine.
        vm: Name,
        /// Why.
        #[source]
        source: ConsoleError,
    },
    /// The machine ended while something was waited for.
    #[error("{vm} ended before it was {what}; its console ends with:\n{tail}")]
    Ended {
        /// The machine.
        vm: Name,
        /// What was waited for.
        what: String,
        /// The end of its console.
        tail: String,
    },
    /// It did not happen in time.
    #[error("{vm} was not {what} within {}s; its console ends with:\n{tail}", limit.as_secs())]
    Late {
        /// The machine.
        vm: Name,
        /// What was waited for.
        what: String,
        /// How long was waited.
        limit: Duration,
        /// The end of its console.
        tail: String,
    },
}
