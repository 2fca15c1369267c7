//! What is carried out by the one task that changes the node, one after the other.

use std::time::Duration;

use ::api::v1alpha1 as v1;
use tokio::sync::oneshot;

use super::departure::Ending;
use crate::api::{Caller, Failure};
use crate::runtime::init_link::Down;

/// Something that changes the node.
#[derive(Debug)]
pub enum Order {
    /// Check documents and make them the config.
    Apply {
        /// Who asks.
        caller: Caller,
        /// The documents and how.
        request: v1::ApplyConfigRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<v1::ApplyConfigResponse, Failure>>,
    },
    /// Say which disk a reset would empty.
    ResetTarget {
        /// What the caller calls it, if anything.
        disk: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<v1::ResetResponse, Failure>>,
    },
    /// Make a disk blank.
    WipeDisk {
        /// Which disk, and whether really.
        request: v1::WipeDiskRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<v1::WipeDiskResponse, Failure>>,
    },
    /// Keep the config that is tried.
    Confirm {
        /// Who asks.
        caller: Caller,
        /// Which one.
        request: v1::ConfirmConfigRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<v1::ConfirmConfigResponse, Failure>>,
    },
    /// Go back to an earlier config.
    Rollback {
        /// Who asks.
        caller: Caller,
        /// To which one.
        request: v1::RollbackConfigRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<v1::RollbackConfigResponse, Failure>>,
    },
    /// Say which configs are kept: that no one changes them meanwhile.
    History {
        /// Where the answer goes.
        answer: oneshot::Sender<Result<v1::ConfigHistoryResponse, Failure>>,
    },
    /// Say what is different between two of them.
    Diff {
        /// Which two.
        request: v1::DiffConfigRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<v1::DiffConfigResponse, Failure>>,
    },
    /// Make documents of a source the config, if there is none yet.
    Offer {
        /// The source, for a person.
        source: String,
        /// The documents.
        documents: Vec<u8>,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<(), Failure>>,
    },
    /// End the machine, after what comes before that.
    Depart {
        /// Who asks.
        caller: Caller,
        /// How.
        end: Ending,
        /// How long pods may take to go elsewhere; `None` leaves them.
        drain: Option<Duration>,
        /// Where the answer goes; the disk is that of a reset.
        answer: oneshot::Sender<Result<v1::ResetResponse, Failure>>,
    },
}

/// What ends, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The machine.
    Machine(Down),
    /// This process alone: init waits for it on the way down, or starts it again out of safe mode.
    Daemon,
}
