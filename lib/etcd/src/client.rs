//! The calls.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status as Answer, Streaming};
use tower::service_fn;

use crate::types::{Alarm, Id, Member, Members, Status};
use crate::wire::alarm_request::AlarmAction;
use crate::wire::cluster_client::ClusterClient;
use crate::wire::kv_client::KvClient;
use crate::wire::maintenance_client::MaintenanceClient;
use crate::wire::{
    AlarmRequest, CompactionRequest, DefragmentRequest, MemberAddRequest, MemberListRequest,
    MemberPromoteRequest, MemberRemoveRequest, MoveLeaderRequest, SnapshotRequest, StatusRequest,
};

/// For a connection to a member that is there.
const CONNECT: Duration = Duration::from_secs(5);

/// For an answer. etcd itself gives up on what needs a majority after 5 s and two elections, which is 7 s as it comes, and is
/// given more where disks are slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// For defragmenting, during which a member answers nothing: it copies all its data, 8 GiB at most, at the pace of a disk.
const LONG: Duration = Duration::from_secs(600);

/// What went wrong.
#[derive(Debug, Error)]
#[error("{action} (etcd at {address}): {why}")]
pub struct Error {
    address: SocketAddr,
    action: &'static str,
    why: String,
    code: Code,
}

impl Error {
    /// Whether etcd has no such member.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code == Code::NotFound
    }

    /// Whether etcd understood, and does not do it as things are: the way to say it is the answer's own.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.code,
            Code::FailedPrecondition | Code::InvalidArgument | Code::NotFound
        )
    }
}

/// A client of one member. It connects with its first call, and again when the member was started again.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    channel: Channel,
}

/// Proves both sides to each other within a time.
async fn connect(
    address: SocketAddr,
    tls: TlsConnector,
) -> io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let connected = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(address.ip().into());
        tls.connect(name, stream).await
    };
    let connected = timeout(CONNECT, connected).await;
    connected
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        .map(TokioIo::new)
}

/// A request that is answered soon.
fn soon<T>(message: T) -> Request<T> {
    within(message, PATIENCE)
}

fn within<T>(message: T, patience: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(patience);
    request
}

impl Client {
    /// A client of the member that answers at an address, with what `tls` has for both sides. Has to be called within a tokio
    /// runtime.
    #[must_use]
    pub fn new(address: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        let tls = TlsConnector::from(tls);
        let dial = move |_| connect(address, tls.clone());
        // The name goes into a header that etcd does not look at.
        let endpoint = Endpoint::from_static("https://etcd");
        Self {
            address,
            channel: endpoint.connect_with_connector_lazy(service_fn(dial)),
        }
    }

    /// Where the member answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(Answer) -> Error {
        let address = self.address;
        move |answer| {
            let mut why = answer.message().to_owned();
            let mut source = answer.source();
            while let Some(error) = source {
                let text = error.to_string();
                if !why.contains(&text) {
                    why = format!("{why}: {text}");
                }
                source = error.source();
            }
            Error {
                address,
                action,
                why,
                code: answer.code(),
            }
        }
    }

    fn cluster(&self) -> ClusterClient<Channel> {
        ClusterClient::new(self.channel.clone())
    }

    fn maintenance(&self) -> MaintenanceClient<Channel> {
        MaintenanceClient::new(self.channel.clone())
    }

    /// All members, as a majority of them knows. Cancel-safe: it changes nothing.
    ///
    /// # Errors
    /// The member does not answer, only listens, or there is no majority.
    pub async fn members(&self) -> Result<Members, Error> {
        let request = soon(MemberListRequest { linearizable: true });
        let answer = self.cluster().member_list(request).await;
        let answer = answer
            .map_err(self.failed("listing the members"))?
            .into_inner();
        Ok(Members {
            cluster: Id(answer.header.unwrap_or_default().cluster_id),
            members: answer.members.into_iter().map(Member::from).collect(),
        })
    }

    /// Adds a member that only listens, which the others reach at `peer_url`; gives it.
    ///
    /// # Errors
    /// One more cannot be added now: another one only listens yet, or too few are up.
    pub async fn add_learner(&self, peer_url: &str) -> Result<Member, Error> {
        let request = soon(MemberAddRequest {
            peer_ur_ls: vec![peer_url.to_owned()],
            is_learner: true,
        });
        let answer = self.cluster().member_add(request).await;
        let answer = answer.map_err(self.failed("adding a member"))?.into_inner();
        Ok(answer.member.unwrap_or_default().into())
    }

    /// Gives a member that only listens a vote.
    ///
    /// # Errors
    /// It does not know all that the others know yet, or has a vote.
    pub async fn promote(&self, member: Id) -> Result<(), Error> {
        let request = soon(MemberPromoteRequest { id: member.0 });
        let answer = self.cluster().member_promote(request).await;
        answer.map(drop).map_err(self.failed("promoting a member"))
    }

    /// Removes a member for good.
    ///
    /// # Errors
    /// There is none, or the others would be too few without it.
    pub async fn remove(&self, member: Id) -> Result<(), Error> {
        let request = soon(MemberRemoveRequest { id: member.0 });
        let answer = self.cluster().member_remove(request).await;
        answer.map(drop).map_err(self.failed("removing a member"))
    }

    /// How this member is. Cancel-safe: it changes nothing.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self) -> Result<Status, Error> {
        let answer = self.maintenance().status(soon(StatusRequest {})).await;
        let answer = answer.map_err(self.failed("asking how it is"))?;
        Ok(answer.into_inner().into())
    }

    /// The alarms of all members. Cancel-safe: it changes nothing.
    ///
    /// # Errors
    /// There is no majority to ask.
    pub async fn alarms(&self) -> Result<Vec<Alarm>, Error> {
        let mut request = AlarmRequest::default();
        request.set_action(AlarmAction::Get);
        let answer = self.maintenance().alarm(soon(request)).await;
        let answer = answer.map_err(self.failed("asking for alarms"))?;
        let alarms = answer.into_inner().alarms;
        Ok(alarms.into_iter().map(Alarm::from).collect())
    }

    /// Tells an alarm that it is over.
    ///
    /// # Errors
    /// There is no majority to tell.
    pub async fn disarm(&self, alarm: Alarm) -> Result<(), Error> {
        let mut request = AlarmRequest {
            member_id: alarm.member.0,
            ..AlarmRequest::default()
        };
        request.set_action(AlarmAction::Deactivate);
        request.set_alarm(match alarm.kind {
            crate::AlarmKind::NoSpace => crate::wire::AlarmType::Nospace,
            crate::AlarmKind::Corrupt => crate::wire::AlarmType::Corrupt,
            crate::AlarmKind::Other => crate::wire::AlarmType::None,
        });
        let answer = self.maintenance().alarm(soon(request)).await;
        answer.map(drop).map_err(self.failed("disarming an alarm"))
    }

    /// Has all members forget what was before a revision, but for what still holds. What their files of data do not use then,
    /// [`defragment`](Self::defragment) gives back.
    ///
    /// # Errors
    /// There is no majority to tell, or nothing has that revision yet.
    pub async fn compact(&self, revision: u64) -> Result<(), Error> {
        let request = CompactionRequest {
            revision: i64::try_from(revision).unwrap_or(i64::MAX),
            // Answered when it is forgotten, not when that is decided.
            physical: true,
        };
        let mut client = KvClient::new(self.channel.clone());
        match client.compact(within(request, LONG)).await {
            // Somebody was faster, or an answer was lost.
            Err(error)
                if error.code() == Code::OutOfRange && error.message().contains("compacted") =>
            {
                Ok(())
            }
            answer => answer
                .map(drop)
                .map_err(self.failed("forgetting the history")),
        }
    }

    /// Has this member give back what its file of data does not use. It answers nobody else meanwhile.
    ///
    /// # Errors
    /// It cannot, or takes longer than ten minutes: it goes on then.
    pub async fn defragment(&self) -> Result<(), Error> {
        let request = within(DefragmentRequest {}, LONG);
        let answer = self.maintenance().defragment(request).await;
        answer.map(drop).map_err(self.failed("defragmenting"))
    }

    /// Has this member, which leads, give the lead to another one.
    ///
    /// # Errors
    /// It does not lead, or the other one does not take it.
    pub async fn move_leader(&self, to: Id) -> Result<(), Error> {
        let request = soon(MoveLeaderRequest { target_id: to.0 });
        let answer = self.maintenance().move_leader(request).await;
        answer
            .map(drop)
            .map_err(self.failed("giving away the lead"))
    }

    /// A copy of all data as of now, with its checksum. Nobody has looked whether that is right: [`Check`](crate::Check) does.
    /// It takes as long as it takes; dropping it ends it.
    ///
    /// # Errors
    /// The member does not answer, or only listens.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let answer = self
            .maintenance()
            .snapshot(Request::new(SnapshotRequest {}))
            .await;
        let answer = answer.map_err(self.failed("taking a snapshot"))?;
        Ok(Snapshot {
            client: self.clone(),
            parts: answer.into_inner(),
        })
    }
}

/// A snapshot that comes in.
#[derive(Debug)]
pub struct Snapshot {
    client: Client,
    parts: Streaming<crate::wire::SnapshotResponse>,
}

/// A part of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many of the data come after it; the checksum comes behind them.
    pub remaining: u64,
}

impl Snapshot {
    /// The next part; `None` after the last one. Cancel-safe.
    ///
    /// # Errors
    /// The connection broke, or the member did.
    pub async fn next(&mut self) -> Result<Option<Part>, Error> {
        let part = self.parts.message().await;
        let part = part.map_err(self.client.failed("taking a snapshot"))?;
        Ok(part.map(|part| Part {
            bytes: part.blob,
            remaining: part.remaining_bytes,
        }))
    }
}
