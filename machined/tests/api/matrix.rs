//! Every method as every kind of caller, held to the published table.

use std::future::poll_fn;
use std::sync::Arc;

use ::api::v1alpha1 as v1;
use ::api::v1alpha1::cluster_service_client::ClusterServiceClient;
use ::api::v1alpha1::inspect_service_client::InspectServiceClient;
use ::api::v1alpha1::join_service_client::JoinServiceClient;
use ::api::v1alpha1::machine_service_client::MachineServiceClient;
use ::api::v1alpha1::maintenance_service_client::MaintenanceServiceClient;
use ::api::v1alpha1::storage_service_client::StorageServiceClient;
use cosi::wire::proto;
use cosi::wire::proto::state_client::StateClient;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use machined::api::{Access, rule};
use pki::{Role, tls};
use rustls::ClientConfig;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::Service as _;

use super::fixture::{Cluster, Served, dial, serve};

const MACHINE: &str = "/garboard.machine.v1alpha1.MachineService/";
const CLUSTER: &str = "/garboard.machine.v1alpha1.ClusterService/";
const ETCD: &str = "/garboard.machine.v1alpha1.EtcdService/";
const INSPECT: &str = "/garboard.machine.v1alpha1.InspectService/";
const JOIN: &str = "/garboard.machine.v1alpha1.JoinService/";
const STATE: &str = "/cosi.resource.State/";
const METRICS: &str = "/metrics";
const TUNNEL: &str = "/garboard.machine.v1alpha1.TunnelService/";
const UPGRADE: &str = "/garboard.machine.v1alpha1.UpgradeService/";
const STORAGE: &str = "/garboard.machine.v1alpha1.StorageService/";
const MAINTENANCE: &str = "/garboard.machine.v1alpha1.MaintenanceService/";

/// Calls the method that a path names, with the least that it takes; `None` for paths that have no client here.
async fn call(channel: Channel, path: &str) -> Option<Result<(), Status>> {
    if let Some(method) = path.strip_prefix(MACHINE) {
        call_machine(MachineServiceClient::new(channel), method).await
    } else if let Some(method) = path.strip_prefix(MAINTENANCE) {
        call_maintenance(MaintenanceServiceClient::new(channel), method).await
    } else if path == METRICS {
        Some(scrape(channel).await)
    } else if let Some(method) = path.strip_prefix(INSPECT) {
        call_inspect(InspectServiceClient::new(channel), method).await
    } else if let Some(method) = path.strip_prefix(CLUSTER) {
        call_cluster(ClusterServiceClient::new(channel), method).await
    } else if let Some(method) = path.strip_prefix(ETCD) {
        super::etcd::call(channel, method).await
    } else if let Some(method) = path.strip_prefix(JOIN) {
        call_join(JoinServiceClient::new(channel), method).await
    } else if let Some(method) = path.strip_prefix(TUNNEL) {
        super::tunnel::call(channel, method).await
    } else if let Some(method) = path.strip_prefix(UPGRADE) {
        super::upgrade::call(channel, method).await
    } else if let Some(method) = path.strip_prefix(STORAGE) {
        call_storage(StorageServiceClient::new(channel), method).await
    } else {
        call_state(StateClient::new(channel), path.strip_prefix(STATE)?).await
    }
}

/// Asks as HTTP has it; the answer's status as the nearest of gRPC's.
async fn scrape(mut channel: Channel) -> Result<(), Status> {
    let lost = |error: tonic::transport::Error| Status::from_error(Box::new(error));
    poll_fn(|context| channel.poll_ready(context))
        .await
        .map_err(lost)?;
    let request = http::Request::get(METRICS).body(Body::empty()).unwrap();
    let answer = channel.call(request).await.map_err(lost)?;
    match answer.status() {
        StatusCode::OK => Ok(()),
        StatusCode::FORBIDDEN => Err(Status::permission_denied("")),
        other => Err(Status::internal(other.to_string())),
    }
}

async fn call_machine(
    mut client: MachineServiceClient<Channel>,
    method: &str,
) -> Option<Result<(), Status>> {
    Some(match method {
        "Version" => client.version(v1::VersionRequest {}).await.map(drop),
        "Reboot" => client.reboot(v1::RebootRequest::default()).await.map(drop),
        "Shutdown" => client
            .shutdown(v1::ShutdownRequest::default())
            .await
            .map(drop),
        "OrderService" => client
            .order_service(v1::OrderServiceRequest::default())
            .await
            .map(drop),
        "ApplyConfig" => client
            .apply_config(v1::ApplyConfigRequest::default())
            .await
            .map(drop),
        "ConfirmConfig" => client
            .confirm_config(v1::ConfirmConfigRequest::default())
            .await
            .map(drop),
        "RollbackConfig" => client
            .rollback_config(v1::RollbackConfigRequest::default())
            .await
            .map(drop),
        "ConfigHistory" => client
            .config_history(v1::ConfigHistoryRequest {})
            .await
            .map(drop),
        "DiffConfig" => client
            .diff_config(v1::DiffConfigRequest::default())
            .await
            .map(drop),
        "ValidateConfig" => client
            .validate_config(v1::ValidateConfigRequest::default())
            .await
            .map(drop),
        "GetConfig" => client
            .get_config(v1::GetConfigRequest::default())
            .await
            .map(drop),
        "Logs" => client.logs(v1::LogsRequest::default()).await.map(drop),
        "Dmesg" => client.dmesg(v1::DmesgRequest::default()).await.map(drop),
        "Events" => client.events(v1::EventsRequest::default()).await.map(drop),
        _ => return None,
    })
}

async fn call_inspect(
    mut client: InspectServiceClient<Channel>,
    method: &str,
) -> Option<Result<(), Status>> {
    Some(match method {
        "Processes" => client.processes(v1::ProcessesRequest {}).await.map(drop),
        "Memory" => client.memory(v1::MemoryRequest {}).await.map(drop),
        "Stats" => client.stats(v1::StatsRequest {}).await.map(drop),
        "Mounts" => client.mounts(v1::MountsRequest {}).await.map(drop),
        "Time" => client.time(v1::TimeRequest {}).await.map(drop),
        "ListFiles" => client
            .list_files(v1::ListFilesRequest {
                path: "/".to_owned(),
                depth: 1,
            })
            .await
            .map(drop),
        "ReadFile" => client
            .read_file(v1::ReadFileRequest {
                path: "/proc/version".to_owned(),
            })
            .await
            .map(drop),
        "Sockets" => client.sockets(v1::SocketsRequest {}).await.map(drop),
        _ => return None,
    })
}

async fn call_maintenance(
    mut client: MaintenanceServiceClient<Channel>,
    method: &str,
) -> Option<Result<(), Status>> {
    Some(match method {
        "Version" => client.version(v1::VersionRequest {}).await.map(drop),
        "Pair" => client.pair(v1::PairRequest::default()).await.map(drop),
        "ApplyConfig" => client
            .apply_config(v1::ApplyConfigRequest::default())
            .await
            .map(drop),
        "Reset" => client.reset(v1::ResetRequest::default()).await.map(drop),
        "WipeDisk" => client
            .wipe_disk(v1::WipeDiskRequest::default())
            .await
            .map(drop),
        _ => return None,
    })
}

async fn call_cluster(
    mut client: ClusterServiceClient<Channel>,
    method: &str,
) -> Option<Result<(), Status>> {
    Some(match method {
        "Bootstrap" => client.bootstrap(v1::BootstrapRequest {}).await.map(drop),
        "Kubeconfig" => client
            .kubeconfig(v1::KubeconfigRequest::default())
            .await
            .map(drop),
        _ => return None,
    })
}

async fn call_join(
    mut client: JoinServiceClient<Channel>,
    method: &str,
) -> Option<Result<(), Status>> {
    Some(match method {
        "Challenge" => client.challenge(v1::ChallengeRequest {}).await.map(drop),
        "Issue" => client.issue(v1::IssueRequest::default()).await.map(drop),
        _ => return None,
    })
}

async fn call_storage(
    mut client: StorageServiceClient<Channel>,
    method: &str,
) -> Option<Result<(), Status>> {
    Some(match method {
        "Reset" => client.reset(v1::ResetRequest::default()).await.map(drop),
        "WipeDisk" => client
            .wipe_disk(v1::WipeDiskRequest::default())
            .await
            .map(drop),
        _ => return None,
    })
}

async fn call_state(client: StateClient<Channel>, method: &str) -> Option<Result<(), Status>> {
    match method {
        "Get" | "List" | "Watch" => read_state(client, method).await,
        _ => write_state(client, method).await,
    }
}

async fn read_state(mut client: StateClient<Channel>, method: &str) -> Option<Result<(), Status>> {
    let (namespace, r#type, id) = named("Lamps.test.garboard");
    Some(match method {
        "Get" => {
            let request = proto::GetRequest {
                namespace,
                r#type,
                id,
                options: None,
            };
            client.get(request).await.map(drop)
        }
        "List" => {
            let request = proto::ListRequest {
                namespace,
                r#type,
                options: None,
            };
            client.list(request).await.map(drop)
        }
        "Watch" => {
            let id = Some(id);
            let request = proto::WatchRequest {
                namespace,
                r#type,
                id,
                api_version: 1,
                options: None,
            };
            client.watch(request).await.map(drop)
        }
        _ => return None,
    })
}

async fn write_state(mut client: StateClient<Channel>, method: &str) -> Option<Result<(), Status>> {
    let (namespace, r#type, id) = named("Lamps.test.garboard");
    Some(match method {
        "Create" => client
            .create(proto::CreateRequest::default())
            .await
            .map(drop),
        "Update" => client
            .update(proto::UpdateRequest::default())
            .await
            .map(drop),
        "Destroy" => {
            let request = proto::DestroyRequest {
                namespace,
                r#type,
                id,
                options: None,
            };
            client.destroy(request).await.map(drop)
        }
        "Teardown" => {
            let request = proto::TeardownRequest {
                namespace,
                r#type,
                id,
                options: None,
            };
            client.teardown(request).await.map(drop)
        }
        "TeardownAndDestroy" => {
            let request = proto::TeardownAndDestroyRequest {
                namespace,
                r#type,
                id,
                options: None,
            };
            client.teardown_and_destroy(request).await.map(drop)
        }
        _ => return None,
    })
}

/// The one resource of a type that the fixture's store holds.
fn named(ty: &str) -> (String, String, String) {
    ("test".to_owned(), ty.to_owned(), "one".to_owned())
}

/// Every path that the port serves.
fn paths() -> Vec<String> {
    let sets = [::api::FILE_DESCRIPTOR_SET, proto::FILE_DESCRIPTOR_SET];
    let methods = sets
        .into_iter()
        .flat_map(|set| ::api::methods(set).unwrap());
    methods.chain([METRICS.to_owned()]).collect()
}

/// Every method the server serves; it fails when one is missing in `call`.
async fn all(served: &Served, client: &Arc<ClientConfig>) -> Vec<(String, Result<(), Status>)> {
    let channel = dial(served.address, Arc::clone(client)).await.unwrap();
    let mut results = Vec::new();
    for path in paths() {
        let result = call(channel.clone(), &path).await;
        let result = result.unwrap_or_else(|| panic!("the matrix does not call {path}"));
        results.push((path, result));
    }
    results
}

#[tokio::test]
async fn every_method_as_every_role() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    for role in Role::ALL {
        for (path, result) in all(&served, &cluster.client(role)).await {
            let expected = match rule(&path).unwrap().access {
                Access::Roles(roles) if roles.contains(&role) => None,
                Access::Roles(_) | Access::Nobody(_) => Some(Code::PermissionDenied),
                // Whoever calls, this node's config lets nobody join.
                Access::Maintenance | Access::Paired | Access::Token => {
                    Some(Code::FailedPrecondition)
                }
            };
            assert_eq!(
                result.err().map(|status| status.code()),
                expected,
                "{path} as {role}"
            );
        }
    }
}

#[tokio::test]
async fn a_certificate_without_a_role_may_nothing() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let nobody = tls::client(&cluster.trust, &cluster.person(pki::Roles::NONE)).unwrap();
    for (path, result) in all(&served, &nobody).await {
        assert!(result.is_err(), "{path}");
    }
}

/// TLS 1.3 lets a client believe it is connected before the server has judged it, so the refusal may come with the first call.
async fn is_refused(served: &Served, client: Arc<ClientConfig>) {
    let Ok(channel) = dial(served.address, client).await else {
        return;
    };
    for path in paths() {
        let result = call(channel.clone(), &path).await.unwrap();
        let code = result.unwrap_err().code();
        assert!(
            matches!(code, Code::Unavailable | Code::Unknown),
            "{path}: {code:?}"
        );
    }
    assert!(
        served.records.0.lock().unwrap().is_empty(),
        "no call got past the handshake"
    );
}

#[tokio::test]
async fn no_certificate_a_foreign_and_an_expired_one_do_not_get_in() {
    let then = Timestamp::now() - SignedDuration::from_hours(2);
    let cluster = Cluster::made_at(then);
    let served = serve(Some(cluster.endpoint()));
    is_refused(&served, tls::anonymous_client(&cluster.trust).unwrap()).await;
    let stranger = Cluster::new().person(Role::Admin.into());
    is_refused(&served, tls::client(&cluster.trust, &stranger).unwrap()).await;
    is_refused(&served, cluster.short_lived()).await;
    // The same server does answer who belongs here.
    let admin = dial(served.address, cluster.client(Role::Admin))
        .await
        .unwrap();
    MachineServiceClient::new(admin)
        .version(v1::VersionRequest {})
        .await
        .unwrap();
}

#[tokio::test]
async fn secrets_are_for_admins() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let ask = async |role| {
        let channel = dial(served.address, cluster.client(role)).await.unwrap();
        let request = v1::GetConfigRequest {
            reveal_secrets: true,
        };
        MachineServiceClient::new(channel).get_config(request).await
    };
    assert_eq!(
        ask(Role::Admin).await.unwrap().into_inner().documents,
        b"key: secret"
    );
    assert_eq!(
        ask(Role::Operator).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(
        ask(Role::Reader).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}

#[tokio::test]
async fn kinds_are_read_by_how_sensitive_they_are() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    for role in [Role::Admin, Role::Operator, Role::Reader] {
        let channel = dial(served.address, cluster.client(role)).await.unwrap();
        let mut client = StateClient::new(channel);
        let mut get = async |ty| {
            let (namespace, r#type, id) = named(ty);
            let request = proto::GetRequest {
                namespace,
                r#type,
                id,
                options: None,
            };
            client
                .get(request)
                .await
                .map(drop)
                .map_err(|status| status.code())
        };
        let safe = if role == Role::Admin {
            Ok(())
        } else {
            Err(Code::PermissionDenied)
        };
        assert_eq!(get("Lamps.test.garboard").await, Ok(()), "{role}");
        assert_eq!(get("Safes.test.garboard").await, safe, "{role}");
        assert_eq!(
            get("Ghosts.test.garboard").await,
            Err(Code::PermissionDenied),
            "{role}"
        );
    }
    let read = served
        .records
        .wait(|record| record.target == "test/Safes.test.garboard/one");
    assert_eq!(read.await.method, "/cosi.resource.State/Get");
}

#[tokio::test]
async fn a_replaced_authority_ends_the_rights_of_standing_connections() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let channel = dial(served.address, cluster.client(Role::Admin))
        .await
        .unwrap();
    let mut client = MachineServiceClient::new(channel);
    client.version(v1::VersionRequest {}).await.unwrap();
    // A renewed serving certificate changes nothing for them.
    served.endpoint.send_replace(Arc::new(cluster.endpoint()));
    client.version(v1::VersionRequest {}).await.unwrap();
    served
        .endpoint
        .send_replace(Arc::new(Cluster::new().endpoint()));
    let status = client.version(v1::VersionRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
}

#[tokio::test]
async fn each_call_leaves_one_record() {
    let cluster = Cluster::new();
    let served = serve(Some(cluster.endpoint()));
    let channel = dial(served.address, cluster.client(Role::Reader))
        .await
        .unwrap();
    let mut client = MachineServiceClient::new(channel);
    let logs = |service: &str| v1::LogsRequest {
        service: service.to_owned(),
        ..Default::default()
    };
    let mut lines = client.logs(logs("machined")).await.unwrap().into_inner();
    while lines.message().await.unwrap().is_some() {}
    client.logs(logs("nothing")).await.unwrap_err();
    client
        .reboot(v1::RebootRequest::default())
        .await
        .unwrap_err();
    let follow = v1::EventsRequest {
        follow: true,
        tail: None,
        ..Default::default()
    };
    drop(client.events(follow).await.unwrap());

    let find = async |method: &str, target: &str, result| {
        let wanted = format!("{MACHINE}{method}");
        let record = served.records.wait(|record| {
            record.method == wanted && record.target == target && record.result == result
        });
        record.await
    };
    let record = find("Logs", "machined", Code::Ok).await;
    assert_eq!(
        (record.subject.as_str(), record.roles),
        ("mina", Role::Reader.into())
    );
    assert!(!record.serial.is_empty());
    find("Logs", "nothing", Code::NotFound).await;
    find("Reboot", "", Code::PermissionDenied).await;
    find("Events", "", Code::Cancelled).await;
    assert_eq!(served.records.0.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_service_without_rows_keeps_the_server_from_starting() {
    use machined::api::{Pairing, ServeError, Server};
    let own = pki::maintenance_identity().unwrap();
    let pairing = Pairing::new(&own, pki::pairing::PairingSecret::random().unwrap());
    let endpoint = machined::api::Endpoint::maintenance(&own, None).unwrap();
    let (_sender, endpoint) = tokio::sync::watch::channel(Arc::new(endpoint));
    let node = Arc::new(super::fixture::FakeNode::default());
    let machine = super::limits::Stranger;
    let server = Server::new(node, Arc::new(pairing), endpoint)
        .mount(machine, super::limits::STRANGER_DESCRIPTORS);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let error = server
        .serve(listener, std::future::pending())
        .await
        .unwrap_err();
    let ServeError::WithoutRule(methods) = &error else {
        panic!("{error}")
    };
    assert_eq!(*methods, ["/x.Y/Z"]);
}
