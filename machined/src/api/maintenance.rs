//! `MaintenanceService` on the wire, for a node that waits for its configuration.
//!
//! Pairing is a fact about a connection: whoever showed the secret may upload on that connection, and the gate lets nobody else
//! through. The clock is moved only after the secret was right, so that no stranger can age the node's certificates.

use std::sync::Arc;

use api::v1alpha1 as v1;
use api::v1alpha1::maintenance_service_server::MaintenanceService;
use jiff::Timestamp;
use pki::pairing::{PairingSecret, Verdict};
use tonic::{Request, Response, Status};

use super::machine::{check_upload, peer};
use super::node::Node;
use super::pairing::Pairing;
use super::storage;

/// The service over a node.
#[derive(Debug)]
pub(super) struct Maintenance<N> {
    node: Arc<N>,
    pairing: Arc<Pairing>,
}

impl<N> Maintenance<N> {
    pub(super) fn new(node: Arc<N>, pairing: Arc<Pairing>) -> Self {
        Self { node, pairing }
    }
}

fn read_time(time: prost_types::Timestamp) -> Result<Timestamp, Status> {
    Timestamp::new(time.seconds, time.nanos).map_err(|error| {
        Status::invalid_argument(format!("the caller's clock is no time: {error}"))
    })
}

fn write_time(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}

fn judge(verdict: Verdict) -> Result<(), Status> {
    match verdict {
        Verdict::Right => Ok(()),
        Verdict::Wrong { left } => Err(Status::unauthenticated(format!(
            "wrong pairing string; compare it with the node's console (wrong ones left before it changes: {left})"
        ))),
        Verdict::Replaced => Err(Status::unauthenticated(
            "wrong pairing string once too often; the node's console shows a new one",
        )),
    }
}

#[tonic::async_trait]
impl<N: Node> MaintenanceService for Maintenance<N> {
    async fn version(
        &self,
        _: Request<v1::VersionRequest>,
    ) -> Result<Response<v1::VersionResponse>, Status> {
        Ok(Response::new(self.node.version()))
    }

    async fn pair(
        &self,
        request: Request<v1::PairRequest>,
    ) -> Result<Response<v1::PairResponse>, Status> {
        let peer = peer(&request)?;
        let v1::PairRequest { secret, time } = request.into_inner();
        let time = time.map(read_time).transpose()?;
        // Malformed text cannot be a guess, so it does not count as one.
        let secret: PairingSecret = secret
            .parse()
            .map_err(|error| Status::invalid_argument(format!("{error}")))?;
        let verdict = self.pairing.present(&secret).map_err(|error| {
            Status::internal(format!("cannot make a new pairing string: {error}"))
        })?;
        judge(verdict)?;
        peer.set_paired();
        let clock = match time {
            Some(time) => self.node.set_clock(time)?,
            None => Timestamp::now(),
        };
        Ok(Response::new(v1::PairResponse {
            time: Some(write_time(clock)),
        }))
    }

    async fn apply_config(
        &self,
        request: Request<v1::ApplyConfigRequest>,
    ) -> Result<Response<v1::ApplyConfigResponse>, Status> {
        check_upload(&request)?;
        let caller = peer(&request)?.caller();
        Ok(Response::new(
            self.node.apply_config(caller, request.into_inner()).await?,
        ))
    }

    async fn reset(
        &self,
        request: Request<v1::ResetRequest>,
    ) -> Result<Response<v1::ResetResponse>, Status> {
        storage::reset(&*self.node, request).await
    }

    async fn wipe_disk(
        &self,
        request: Request<v1::WipeDiskRequest>,
    ) -> Result<Response<v1::WipeDiskResponse>, Status> {
        storage::wipe_disk(&*self.node, request).await
    }
}
