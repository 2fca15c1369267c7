//! `MachineService` on the wire, for a node that runs.
//!
//! It turns messages into calls of `Node` and back and names the target for the audit record. Who may call was decided before;
//! the one question left is whether an answer may hold secrets.

use std::sync::Arc;

use api::v1alpha1 as v1;
use api::v1alpha1::machine_service_server::MachineService;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use pki::Role;
use tonic::{Request, Response, Status};

use super::audit::about;
use super::node::{Answers, Caller, Node};
use super::peer::Peer;

/// The service over a node.
#[derive(Debug)]
pub(super) struct Machine<N> {
    node: Arc<N>,
}

impl<N> Machine<N> {
    pub(super) fn new(node: Arc<N>) -> Self {
        Self { node }
    }
}

/// The peer of a call that came through the gate.
pub(crate) fn peer<T>(request: &Request<T>) -> Result<Peer, Status> {
    let peer = request.extensions().get::<Peer>().cloned();
    peer.ok_or_else(|| Status::internal("the connection's peer is not known"))
}

/// An order as the audit record has it.
fn word(order: v1::ServiceOrder) -> &'static str {
    match order {
        v1::ServiceOrder::Unspecified => "unknown order for",
        v1::ServiceOrder::Start => "start",
        v1::ServiceOrder::Stop => "stop",
        v1::ServiceOrder::Restart => "restart",
    }
}

pub(super) fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    peer(request).map(|peer| peer.caller())
}

fn upload(dry_run: bool) -> &'static str {
    if dry_run {
        "config (dry run)"
    } else {
        "config"
    }
}

/// Checks what every upload has in common and names its target.
pub(super) fn check_upload(request: &Request<v1::ApplyConfigRequest>) -> Result<(), Status> {
    let message = request.get_ref();
    about(request, upload(message.dry_run));
    match v1::ApplyMode::try_from(message.mode) {
        Ok(v1::ApplyMode::Auto | v1::ApplyMode::Staged | v1::ApplyMode::Try) => Ok(()),
        Err(unknown) => Err(Status::invalid_argument(format!(
            "the node does not know this way to apply a configuration ({unknown}); it may be older than the client"
        ))),
    }
}

type Stream<T> = BoxStream<'static, Result<T, Status>>;

fn stream<T: 'static>(answers: Answers<T>) -> Response<Stream<T>> {
    Response::new(answers.map(|answer| answer.map_err(Status::from)).boxed())
}

#[tonic::async_trait]
impl<N: Node> MachineService for Machine<N> {
    type LogsStream = Stream<v1::LogsResponse>;
    type DmesgStream = Stream<v1::DmesgResponse>;
    type EventsStream = Stream<v1::EventsResponse>;

    async fn version(
        &self,
        _: Request<v1::VersionRequest>,
    ) -> Result<Response<v1::VersionResponse>, Status> {
        Ok(Response::new(self.node.version()))
    }

    async fn reboot(
        &self,
        request: Request<v1::RebootRequest>,
    ) -> Result<Response<v1::RebootResponse>, Status> {
        let caller = caller(&request)?;
        self.node.reboot(caller, request.into_inner()).await?;
        Ok(Response::new(v1::RebootResponse {}))
    }

    async fn shutdown(
        &self,
        request: Request<v1::ShutdownRequest>,
    ) -> Result<Response<v1::ShutdownResponse>, Status> {
        let caller = caller(&request)?;
        self.node.shutdown(caller, request.into_inner()).await?;
        Ok(Response::new(v1::ShutdownResponse {}))
    }

    async fn order_service(
        &self,
        request: Request<v1::OrderServiceRequest>,
    ) -> Result<Response<v1::OrderServiceResponse>, Status> {
        let message = request.get_ref();
        about(
            &request,
            &format!("{} {}", word(message.order()), message.service),
        );
        self.node.order_service(request.into_inner()).await?;
        Ok(Response::new(v1::OrderServiceResponse {}))
    }

    async fn apply_config(
        &self,
        request: Request<v1::ApplyConfigRequest>,
    ) -> Result<Response<v1::ApplyConfigResponse>, Status> {
        check_upload(&request)?;
        let caller = caller(&request)?;
        Ok(Response::new(
            self.node.apply_config(caller, request.into_inner()).await?,
        ))
    }

    async fn confirm_config(
        &self,
        request: Request<v1::ConfirmConfigRequest>,
    ) -> Result<Response<v1::ConfirmConfigResponse>, Status> {
        about(&request, "config");
        let caller = caller(&request)?;
        let confirmed = self.node.confirm_config(caller, request.into_inner());
        Ok(Response::new(confirmed.await?))
    }

    async fn rollback_config(
        &self,
        request: Request<v1::RollbackConfigRequest>,
    ) -> Result<Response<v1::RollbackConfigResponse>, Status> {
        about(&request, upload(request.get_ref().dry_run));
        let caller = caller(&request)?;
        let undone = self.node.rollback_config(caller, request.into_inner());
        Ok(Response::new(undone.await?))
    }

    async fn config_history(
        &self,
        _: Request<v1::ConfigHistoryRequest>,
    ) -> Result<Response<v1::ConfigHistoryResponse>, Status> {
        Ok(Response::new(self.node.config_history().await?))
    }

    async fn diff_config(
        &self,
        request: Request<v1::DiffConfigRequest>,
    ) -> Result<Response<v1::DiffConfigResponse>, Status> {
        let diff = self.node.diff_config(request.into_inner());
        Ok(Response::new(diff.await?))
    }

    async fn validate_config(
        &self,
        request: Request<v1::ValidateConfigRequest>,
    ) -> Result<Response<v1::ValidateConfigResponse>, Status> {
        let documents = request.into_inner().documents;
        Ok(Response::new(self.node.validate_config(documents).await?))
    }

    async fn get_config(
        &self,
        request: Request<v1::GetConfigRequest>,
    ) -> Result<Response<v1::GetConfigResponse>, Status> {
        let reveal = request.get_ref().reveal_secrets;
        about(
            &request,
            if reveal {
                "config with secrets"
            } else {
                "config"
            },
        );
        let peer = peer(&request)?;
        let admin = peer
            .certificate()
            .is_some_and(|certificate| certificate.roles.contains(Role::Admin));
        if reveal && !admin {
            return Err(Status::permission_denied(
                "secrets are shown to the admin role only; ask without them or use another certificate",
            ));
        }
        Ok(Response::new(self.node.config(reveal).await?))
    }

    async fn logs(
        &self,
        request: Request<v1::LogsRequest>,
    ) -> Result<Response<Self::LogsStream>, Status> {
        about(&request, &request.get_ref().service);
        Ok(stream(self.node.logs(request.into_inner()).await?))
    }

    async fn dmesg(
        &self,
        request: Request<v1::DmesgRequest>,
    ) -> Result<Response<Self::DmesgStream>, Status> {
        Ok(stream(self.node.dmesg(request.into_inner()).await?))
    }

    async fn events(
        &self,
        request: Request<v1::EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        Ok(stream(self.node.events(request.into_inner()).await?))
    }
}
