//! The node behind the API: answers from the state, and hands orders to the one task that carries them out.
//!
//! A caller may hang up at any moment, so nothing that must be finished runs in a call: it becomes an [`Order`].

mod checks;
mod conditions;
pub mod departure;
mod documents;
mod facts;
mod head;
mod order;
mod state_access;
mod streams;

pub use conditions::set_condition;
pub use facts::record as record_facts;
pub use head::{Beginning, Head, HeadError};
pub use order::{End, Order};
pub use state_access::{LocalAccess, NETWORKD};

use std::sync::Arc;
use std::time::Duration;

use ::api::v1alpha1 as v1;
use jiff::Timestamp;
use resources::net::{HOSTNAME, HostnameSpec};
use resources::runtime::{CLUSTER, ClusterInfo, MACHINED, StageStatus};
use store::{Spec, Store};
use tokio::sync::{mpsc, oneshot};

use self::departure::Ending;
use crate::api::{Answers, Caller, Failure, Node};
use crate::kubernetes::admin::{self, AdminError};
use crate::kubernetes::component::Component;
use crate::kubernetes::etcd::bootstrap::{self as etcd, Bootstrap, BootstrapError};
use crate::kubernetes::etcd::data;
use crate::metrics::Metrics;
use crate::runtime::clock;
use crate::runtime::events::Events;
use crate::runtime::journal::Journal;
use crate::runtime::logs::Logs;
use crate::runtime::machine::Machine;
use crate::runtime::service::{self, OrderError, ServiceOrder};

/// Orders that wait: one is carried out at a time, and more callers than this at once are told to come again.
const ORDERS: usize = 16;

/// Who is told what callers order, beside the one task of the node's own.
#[derive(Clone, Debug)]
pub struct Takers {
    /// Of orders about services.
    pub services: service::Orders,
    /// Of the order that a Kubernetes cluster begins.
    pub bootstrap: Bootstrap,
}

impl Takers {
    /// Those of this machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self {
            services: service::Orders::default(),
            bootstrap: Bootstrap::new(data::FOLDER.into(), Component::Etcd.uid()),
        }
    }
}

/// What the node answers from.
#[derive(Debug)]
pub struct LocalNode {
    store: Store,
    machine: Machine,
    events: Arc<Events>,
    logs: Logs,
    metrics: Metrics,
    orders: mpsc::Sender<Order>,
    takers: Takers,
    journal: Journal,
}

impl LocalNode {
    /// A node, and the orders its callers give.
    #[must_use]
    pub fn new(
        store: Store,
        machine: Machine,
        events: Arc<Events>,
        logs: Logs,
        metrics: Metrics,
        takers: Takers,
        journal: Journal,
    ) -> (Self, mpsc::Receiver<Order>) {
        let (orders, received) = mpsc::channel(ORDERS);
        (
            Self {
                store,
                machine,
                events,
                logs,
                metrics,
                orders,
                takers,
                journal,
            },
            received,
        )
    }

    /// Where orders go that no caller gives.
    #[must_use]
    pub fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// Who orders a Kubernetes cluster to begin here.
    #[must_use]
    pub fn bootstrap(&self) -> Bootstrap {
        self.takers.bootstrap.clone()
    }

    /// Has the machine end.
    async fn depart(
        &self,
        caller: Caller,
        end: Ending,
        drain: Option<v1::Drain>,
    ) -> Result<v1::ResetResponse, Failure> {
        let drain = departure::drain(drain)?;
        self.order(|answer| Order::Depart {
            caller,
            end,
            drain,
            answer,
        })
        .await
    }

    fn spec<S: Spec>(&self, id: &str) -> Option<Arc<S>> {
        self.store
            .snapshot()
            .get_as::<S>(S::DEFINITION.namespace, id)
            .map(|typed| typed.spec)
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Order,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        self.orders.try_send(order(answer)).map_err(|_| {
            Failure::unavailable("the node is busy with other changes; try again in a moment")
        })?;
        answered
            .await
            .map_err(|_| Failure::unavailable("the node is going down"))?
    }
}

impl Node for LocalNode {
    fn version(&self) -> v1::VersionResponse {
        let stage = self.spec::<StageStatus>(MACHINED);
        let hostname = self.spec::<HostnameSpec>(HOSTNAME);
        let cluster = self.spec::<ClusterInfo>(CLUSTER);
        v1::VersionResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: option_env!("GARBOARD_REVISION")
                .unwrap_or_default()
                .to_owned(),
            built: Some(wire_time(clock::built())),
            kernel: self.machine.kernel.clone(),
            architecture: std::env::consts::ARCH.to_owned(),
            machine_uuid: self.machine.uuid.clone(),
            hostname: hostname
                .map(|spec| spec.hostname.clone())
                .unwrap_or_default(),
            stage: stage
                .map(|status| crate::word(&status.stage))
                .unwrap_or_default(),
            cluster: cluster.map(|info| info.cluster.clone()).unwrap_or_default(),
        }
    }

    fn set_clock(&self, to: Timestamp) -> Result<Timestamp, Failure> {
        let now = Timestamp::now();
        let Some(to) = clock::step(now, to, clock::built()) else {
            return Ok(now);
        };
        clock::set(to).map_err(|error| Failure::internal(cosi::report(&error)))?;
        self.events.record(
            to,
            "clock",
            "clock",
            &format!("set from {now} to {to} by a paired operator"),
        );
        Ok(to)
    }

    async fn reboot(&self, caller: Caller, request: v1::RebootRequest) -> Result<(), Failure> {
        let ordered = self.depart(caller, Ending::Reboot, request.drain);
        ordered.await.map(drop)
    }

    async fn shutdown(&self, caller: Caller, request: v1::ShutdownRequest) -> Result<(), Failure> {
        let ordered = self.depart(caller, Ending::Shutdown, request.drain);
        ordered.await.map(drop)
    }

    async fn reset(
        &self,
        caller: Caller,
        request: v1::ResetRequest,
    ) -> Result<v1::ResetResponse, Failure> {
        let disk = request.disk;
        if request.dry_run {
            return self
                .order(|answer| Order::ResetTarget { disk, answer })
                .await;
        }
        let abandon_etcd = request.abandon_etcd;
        let end = Ending::Reset { disk, abandon_etcd };
        self.depart(caller, end, request.drain).await
    }

    async fn wipe_disk(
        &self,
        request: v1::WipeDiskRequest,
    ) -> Result<v1::WipeDiskResponse, Failure> {
        self.order(|answer| Order::WipeDisk { request, answer })
            .await
    }

    async fn bootstrap(&self) -> Result<v1::BootstrapResponse, Failure> {
        let (bootstrap, store) = (&self.takers.bootstrap, &self.store);
        let alone = bootstrap.alone(store).await;
        alone.map_err(|error| Failure::precondition(cosi::report(&error)))?;
        match bootstrap.begin(store).await {
            Ok(beginning) => Ok(v1::BootstrapResponse {
                before: beginning == etcd::Beginning::Before,
            }),
            Err(error @ BootstrapError::Keep(_)) => Err(Failure::internal(cosi::report(&error))),
            Err(error) => Err(Failure::precondition(cosi::report(&error))),
        }
    }

    async fn kubeconfig(
        &self,
        caller: Caller,
        request: v1::KubeconfigRequest,
    ) -> Result<v1::KubeconfigResponse, Failure> {
        let lifetime = match request.lifetime_seconds {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        };
        let given = admin::kubeconfig(&self.store, &caller.subject, lifetime, Timestamp::now());
        let given = given.map_err(|error| {
            let text = cosi::report(&error);
            match error {
                AdminError::NoAuthority => Failure::precondition(text),
                AdminError::TooLong => Failure::invalid(text),
                _ => Failure::internal(text),
            }
        })?;
        Ok(v1::KubeconfigResponse {
            kubeconfig: given.kubeconfig.expose().clone(),
            expires: Some(wire_time(given.expires)),
        })
    }

    async fn order_service(&self, request: v1::OrderServiceRequest) -> Result<(), Failure> {
        let order = match request.order() {
            v1::ServiceOrder::Unspecified => {
                let text = "the node does not know this order; it may be older than the client";
                return Err(Failure::invalid(text));
            }
            v1::ServiceOrder::Start => ServiceOrder::Start,
            v1::ServiceOrder::Stop => ServiceOrder::Stop,
            v1::ServiceOrder::Restart => ServiceOrder::Restart,
        };
        let taken = self.takers.services.give(&request.service, order).await;
        taken.map_err(|error| {
            let text = cosi::report(&error);
            match error {
                OrderError::Unknown { .. } => Failure::not_found(text),
                OrderError::Daemon(_) => Failure::precondition(text),
                OrderError::Busy | OrderError::GoingDown => Failure::unavailable(text),
                _ => Failure::internal(text),
            }
        })
    }

    async fn apply_config(
        &self,
        caller: Caller,
        request: v1::ApplyConfigRequest,
    ) -> Result<v1::ApplyConfigResponse, Failure> {
        self.order(|answer| Order::Apply {
            caller,
            request,
            answer,
        })
        .await
    }

    async fn confirm_config(
        &self,
        caller: Caller,
        request: v1::ConfirmConfigRequest,
    ) -> Result<v1::ConfirmConfigResponse, Failure> {
        self.order(|answer| Order::Confirm {
            caller,
            request,
            answer,
        })
        .await
    }

    async fn rollback_config(
        &self,
        caller: Caller,
        request: v1::RollbackConfigRequest,
    ) -> Result<v1::RollbackConfigResponse, Failure> {
        self.order(|answer| Order::Rollback {
            caller,
            request,
            answer,
        })
        .await
    }

    async fn config_history(&self) -> Result<v1::ConfigHistoryResponse, Failure> {
        self.order(|answer| Order::History { answer }).await
    }

    async fn diff_config(
        &self,
        request: v1::DiffConfigRequest,
    ) -> Result<v1::DiffConfigResponse, Failure> {
        self.order(|answer| Order::Diff { request, answer }).await
    }

    async fn validate_config(
        &self,
        documents: Vec<u8>,
    ) -> Result<v1::ValidateConfigResponse, Failure> {
        let snapshot = self.store.snapshot();
        let validate = move || documents::validate(&documents, &snapshot);
        let answer = tokio::task::spawn_blocking(validate).await;
        answer.map_err(|error| Failure::internal(format!("checking the documents: {error}")))
    }

    async fn config(&self, reveal_secrets: bool) -> Result<v1::GetConfigResponse, Failure> {
        documents::active_config(&self.store.snapshot(), reveal_secrets)
    }

    async fn metrics(&self) -> Result<String, Failure> {
        let text = self.metrics.text().await;
        text.map_err(|error| Failure::internal(cosi::report(&error)))
    }

    async fn logs(&self, request: v1::LogsRequest) -> Result<Answers<v1::LogsResponse>, Failure> {
        streams::logs(&self.logs, &self.journal, &request).await
    }

    async fn dmesg(
        &self,
        request: v1::DmesgRequest,
    ) -> Result<Answers<v1::DmesgResponse>, Failure> {
        streams::dmesg(&self.journal, &request).await
    }

    async fn events(
        &self,
        request: v1::EventsRequest,
    ) -> Result<Answers<v1::EventsResponse>, Failure> {
        streams::events(&self.events, &self.journal, &request).await
    }
}

/// A time on the wire.
pub(crate) fn wire_time(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}
