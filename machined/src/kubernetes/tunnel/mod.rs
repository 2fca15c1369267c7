//! Passes bytes of a caller to the API port of another member of the cluster, on a node of the control plane.
//!
//! ```text
//! caller ==TLS==> tunnel (this node, which sees bytes alone) ==TLS==> API port of the member
//! ```
//!
//! It connects to members alone, on one port alone. What is on its way is bounded by the windows of the caller's connection and two
//! pieces here. A task for each caller writes to the member; it ends with the answer, which ends with the caller.

mod members;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::v1alpha1 as v1;
use api::v1alpha1::tunnel_service_server::{TunnelService, TunnelServiceServer};
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, unfold};
use resources::kubernetes::{KUBERNETES, KubernetesSpec, NodeStatus};
use store::{Spec as _, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

pub use self::members::Members;
use crate::api::{Failure, Target};

/// How long a caller may take to say where to: it knows when it calls.
const FIRST: Duration = Duration::from_secs(10);

/// How long one address of a member has to take the connection; callers wait for half a minute.
const DIAL: Duration = Duration::from_secs(8);

/// The most bytes of one message: four records of TLS.
const PIECE: usize = 64 << 10;

/// Room for the name of a member and what messages have around their bytes.
const AROUND: usize = 1 << 10;

/// Who is asked for the members.
type Known = dyn Fn() -> Result<Members, Failure> + Send + Sync;

/// The service.
#[derive(Clone)]
pub struct Tunnel {
    known: Arc<Known>,
    port: u16,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Tunnel {
    /// To the nodes that a node of a control plane knows.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self::to(::api::PORT, move || members(&store))
    }

    /// To this port of members.
    pub fn to(
        port: u16,
        known: impl Fn() -> Result<Members, Failure> + Send + Sync + 'static,
    ) -> Self {
        let known = Arc::new(known);
        Self { known, port }
    }

    /// As the API's port serves it.
    #[must_use]
    pub fn into_service(self) -> TunnelServiceServer<Self> {
        TunnelServiceServer::new(self).max_decoding_message_size(PIECE + AROUND)
    }

    /// A connection to a member.
    async fn dial(&self, member: &str) -> Result<TcpStream, Failure> {
        let known = (self.known)()?;
        let addresses = known.find(member).ok_or_else(|| {
            let names = known.names();
            Failure::not_found(format!(
                "no member of the cluster is {member:?}; this node knows {names}"
            ))
        })?;
        let mut last = "the cluster knows no address of it".to_owned();
        for address in addresses {
            let address = SocketAddr::new(address, self.port);
            match timeout(DIAL, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Err(_) => last = format!("{address}: no answer in {} s", DIAL.as_secs()),
            }
        }
        Err(Failure::unavailable(format!(
            "this node does not reach {member:?} either: {last}"
        )))
    }
}

/// The members, on a node of a control plane.
fn members(store: &Store) -> Result<Members, Failure> {
    let snapshot = store.snapshot();
    let cluster =
        snapshot.get_as::<KubernetesSpec>(KubernetesSpec::DEFINITION.namespace, KUBERNETES);
    if !cluster.is_some_and(|it| it.spec.control_plane) {
        return Err(Failure::precondition(
            "this node is of no control plane; nodes of one lead to other members",
        ));
    }
    let nodes = snapshot.list_as::<NodeStatus>(NodeStatus::DEFINITION.namespace);
    let nodes: Vec<_> = nodes.collect();
    Ok(Members::of(nodes.iter().map(|it| (it.id(), &*it.spec))))
}

type Bytes = BoxStream<'static, Result<v1::ConnectResponse, Status>>;

#[tonic::async_trait]
impl TunnelService for Tunnel {
    type ConnectStream = Bytes;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Bytes>, Status> {
        let record = request.extensions().get::<Target>().cloned();
        let mut sent = request.into_inner();
        let first = timeout(FIRST, sent.message()).await;
        let first =
            first.map_err(|_| Status::deadline_exceeded("no member was named in time"))??;
        let first = first.ok_or_else(|| Failure::invalid("no member was named"))?;
        if let Some(record) = record {
            record.set(format!("member {:?}", first.member));
        }
        let stream = self.dial(&first.member).await?;
        // It only makes things faster.
        stream.set_nodelay(true).unwrap_or_default();
        Ok(Response::new(pass(stream, first.data, sent)))
    }
}

/// Both directions: the bytes of the member are the answer.
fn pass(stream: TcpStream, first: Vec<u8>, sent: Streaming<v1::ConnectRequest>) -> Bytes {
    let (from, to) = stream.into_split();
    let forth = tokio::spawn(async move { drop(forth(first, sent, to).await) });
    let back = Back {
        from,
        buffer: vec![0; PIECE],
        _forth: Forth(forth.abort_handle()),
    };
    unfold(back, |mut back| async move {
        match back.from.read(&mut back.buffer).await {
            Ok(0) => None,
            Ok(length) => {
                let data = back.buffer.get(..length).unwrap_or_default().to_vec();
                Some((Ok(v1::ConnectResponse { data }), back))
            }
            Err(error) => {
                let lost = Status::unavailable(format!("the member's connection broke: {error}"));
                Some((Err(lost), back))
            }
        }
    })
    .boxed()
}

/// What comes back, and what has to end with it.
struct Back {
    from: OwnedReadHalf,
    buffer: Vec<u8>,
    _forth: Forth,
}

/// The task that writes to the member. It ends with whoever reads of it.
struct Forth(AbortHandle);

impl Drop for Forth {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Writes what the caller sends, to its end. A caller that goes away ends it, and so does a member.
async fn forth(
    first: Vec<u8>,
    mut sent: Streaming<v1::ConnectRequest>,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    to.write_all(&first).await?;
    while let Ok(Some(piece)) = sent.message().await {
        to.write_all(&piece.data).await?;
    }
    to.shutdown().await
}
