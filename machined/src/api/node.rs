//! What the API asks of the node behind it.
//!
//! The server decides who may call, reads and writes the wire, and counts; the node does. Keeping that line as a trait lets the
//! whole server run in tests against a node of a few lines, and keeps gRPC out of the rest of machined.

use std::future::Future;
use std::net::SocketAddr;

use api::v1alpha1 as v1;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use tonic::{Code, Status};

use super::proof::Proof;

/// Who asks, for the cause that every change carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The common name in the certificate; `pairing` for whoever paired.
    pub subject: String,
    /// Where the call came from.
    pub source: SocketAddr,
    /// The certificate behind the name; nobody who paired has one.
    pub proof: Option<Proof>,
}

/// Why the node does not do what was asked. The message says what and the way out; callers see it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    code: Code,
    message: String,
}

impl Failure {
    /// What was sent is wrong in itself.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self {
            code: Code::InvalidArgument,
            message: message.into(),
        }
    }

    /// What was named is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self {
            code: Code::NotFound,
            message: message.into(),
        }
    }

    /// Right in itself, but not in the node's present state.
    pub fn precondition(message: impl Into<String>) -> Self {
        Self {
            code: Code::FailedPrecondition,
            message: message.into(),
        }
    }

    /// What it was made for is no longer so: whoever sent it must begin anew with what is so now.
    pub fn outdated(message: impl Into<String>) -> Self {
        Self {
            code: Code::Aborted,
            message: message.into(),
        }
    }

    /// Not now; the same call may work later.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            code: Code::Unavailable,
            message: message.into(),
        }
    }

    /// The node's own fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self {
            code: Code::Internal,
            message: message.into(),
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        Self::new(failure.code, failure.message)
    }
}

/// A stream of answers. It is polled only when the caller takes more, so a caller that never reads holds one message, not all.
pub type Answers<T> = BoxStream<'static, Result<T, Failure>>;

/// The node behind the API. Every method has been authorised before it is called, and may be dropped at any await when the caller
/// hangs up: what must be finished once begun belongs to a task of the node's own.
pub trait Node: Send + Sync + 'static {
    /// What runs here.
    fn version(&self) -> v1::VersionResponse;

    /// Sets the clock to a paired caller's, never below the build time; the clock after that.
    fn set_clock(&self, to: Timestamp) -> Result<Timestamp, Failure>;

    /// Has the node restart; ready when the order holds.
    fn reboot(
        &self,
        caller: Caller,
        request: v1::RebootRequest,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Has the node power off; ready when the order holds.
    fn shutdown(
        &self,
        caller: Caller,
        request: v1::ShutdownRequest,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Has the node's disk emptied and the node restart, unless it is a dry run; ready when the order holds.
    fn reset(
        &self,
        caller: Caller,
        request: v1::ResetRequest,
    ) -> impl Future<Output = Result<v1::ResetResponse, Failure>> + Send;

    /// Makes a disk blank, unless it is a dry run.
    fn wipe_disk(
        &self,
        request: v1::WipeDiskRequest,
    ) -> impl Future<Output = Result<v1::WipeDiskResponse, Failure>> + Send;

    /// Has a Kubernetes cluster begin here, unless it has.
    fn bootstrap(&self) -> impl Future<Output = Result<v1::BootstrapResponse, Failure>> + Send;

    /// Makes a file for kubectl.
    fn kubeconfig(
        &self,
        caller: Caller,
        request: v1::KubeconfigRequest,
    ) -> impl Future<Output = Result<v1::KubeconfigResponse, Failure>> + Send;

    /// Has a service started or ended; ready when the order holds.
    fn order_service(
        &self,
        request: v1::OrderServiceRequest,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Checks the documents and, unless it is a dry run, makes them the configuration.
    fn apply_config(
        &self,
        caller: Caller,
        request: v1::ApplyConfigRequest,
    ) -> impl Future<Output = Result<v1::ApplyConfigResponse, Failure>> + Send;

    /// Keeps the configuration that is tried.
    fn confirm_config(
        &self,
        caller: Caller,
        request: v1::ConfirmConfigRequest,
    ) -> impl Future<Output = Result<v1::ConfirmConfigResponse, Failure>> + Send;

    /// Goes back to an earlier configuration.
    fn rollback_config(
        &self,
        caller: Caller,
        request: v1::RollbackConfigRequest,
    ) -> impl Future<Output = Result<v1::RollbackConfigResponse, Failure>> + Send;

    /// The configurations it keeps.
    fn config_history(
        &self,
    ) -> impl Future<Output = Result<v1::ConfigHistoryResponse, Failure>> + Send;

    /// What is different between two of them.
    fn diff_config(
        &self,
        request: v1::DiffConfigRequest,
    ) -> impl Future<Output = Result<v1::DiffConfigResponse, Failure>> + Send;

    /// Checks the documents.
    fn validate_config(
        &self,
        documents: Vec<u8>,
    ) -> impl Future<Output = Result<v1::ValidateConfigResponse, Failure>> + Send;

    /// The configuration, with its secrets only when `reveal_secrets` (the caller is an admin then).
    fn config(
        &self,
        reveal_secrets: bool,
    ) -> impl Future<Output = Result<v1::GetConfigResponse, Failure>> + Send;

    /// What it measures, in OpenMetrics' text format.
    fn metrics(&self) -> impl Future<Output = Result<String, Failure>> + Send;

    /// A service's log.
    fn logs(
        &self,
        request: v1::LogsRequest,
    ) -> impl Future<Output = Result<Answers<v1::LogsResponse>, Failure>> + Send;

    /// The kernel's log.
    fn dmesg(
        &self,
        request: v1::DmesgRequest,
    ) -> impl Future<Output = Result<Answers<v1::DmesgResponse>, Failure>> + Send;

    /// What happened.
    fn events(
        &self,
        request: v1::EventsRequest,
    ) -> impl Future<Output = Result<Answers<v1::EventsResponse>, Failure>> + Send;
}
