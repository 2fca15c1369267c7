//! Why a worker gets no certificate.
//!
//! The worker shows these words to whoever looks after it, and the audit record of the call has them, so each says the way out.

use std::net::IpAddr;

use pki::{IssueError, RequestError};
use thiserror::Error;
use tonic::Status;

/// Why a worker gets no certificate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody joins here.
    #[error(
        "this node lets nobody join: it is no control plane of a cluster with Kubernetes, or its config has no `Join`; `osctl gen secrets --add-missing` and `osctl gen config` make one"
    )]
    NotHere,
    /// The token is another one.
    #[error("wrong token; the `Join` of the worker and of the control planes must have the same")]
    Token,
    /// The source had the wrong token too often.
    #[error("too many wrong tokens from this address; ask again in a minute")]
    Guesses,
    /// Nothing was asked to be signed, or it was answered already.
    #[error(
        "there is no challenge to answer on this connection, or it is too old or was answered before; ask for one first"
    )]
    Challenge,
    /// A request for a certificate is not one of ours.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The name cannot be one of a node.
    #[error("{0:?} is no name of a node; one has up to 63 of a-z, 0-9 and -")]
    Name(String),
    /// The name is a control plane's.
    #[error(
        "`{0}` is a name of the control plane, which no worker gets; give the worker another one"
    )]
    ControlPlane(String),
    /// The address it calls from is somebody else's.
    #[error("{address} is {whose}, so no certificate is issued for it")]
    Address {
        /// The address.
        address: IpAddr,
        /// Whose it is, in words.
        whose: String,
    },
    /// The name is another machine's, which is in the cluster.
    #[error(
        "the name `{0}` belongs to a machine with another key; if that one is gone for good, `kubectl delete node {0}` lets another one have it"
    )]
    Taken(String),
    /// The name was another machine's a moment ago, which may be on its way into the cluster.
    #[error(
        "the name `{0}` was given to a machine with another key in the last ten minutes; if that one is gone for good, wait until they are over"
    )]
    Fresh(String),
    /// The cluster has a node of the name and nobody knows whose it is.
    #[error(
        "the cluster has a node `{0}`, and nothing says which machine it is; `kubectl delete node {0}` lets a machine have the name"
    )]
    Unknown(String),
    /// The cluster cannot be asked whose the name is.
    #[error("the cluster cannot be asked whose the name is: {0}")]
    Cluster(String),
    /// The config of the control plane is unusable.
    #[error("the config of the control plane: {0}")]
    Config(String),
    /// Issuing failed.
    #[error("issuing a certificate")]
    Issue(#[from] IssueError),
    /// The kernel gave no random bytes.
    #[error("making a challenge")]
    Random(#[from] pki::pairing::NoRandomness),
}

impl From<&Refusal> for Status {
    fn from(refusal: &Refusal) -> Self {
        let text = cosi::report(refusal);
        match refusal {
            Refusal::NotHere | Refusal::Challenge => Self::failed_precondition(text),
            Refusal::Token => Self::unauthenticated(text),
            Refusal::Guesses => Self::resource_exhausted(text),
            Refusal::Request(_) | Refusal::Name(_) => Self::invalid_argument(text),
            Refusal::ControlPlane(_)
            | Refusal::Address { .. }
            | Refusal::Taken(_)
            | Refusal::Fresh(_)
            | Refusal::Unknown(_) => Self::permission_denied(text),
            Refusal::Cluster(_) => Self::unavailable(text),
            Refusal::Config(_) | Refusal::Issue(_) | Refusal::Random(_) => Self::internal(text),
        }
    }
}
