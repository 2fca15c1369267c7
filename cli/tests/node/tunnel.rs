//! A way to whomever the test says.

use api::v1alpha1 as v1;
use api::v1alpha1::tunnel_service_server::TunnelService;
use futures_util::stream::unfold;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Node, Stream};

#[tonic::async_trait]
impl TunnelService for Node {
    type ConnectStream = Stream<v1::ConnectResponse>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let mut sent = request.into_inner();
        let first = sent.message().await?.expect("a member is named");
        let address = self.kept().members.get(&first.member).copied();
        let address =
            address.ok_or_else(|| Status::not_found(format!("nobody is {:?}", first.member)))?;
        let (from, mut to) = TcpStream::connect(address).await?.into_split();
        tokio::spawn(async move {
            while let Ok(Some(piece)) = sent.message().await {
                // A member that has gone is for the reader to notice.
                to.write_all(&piece.data).await.unwrap_or_default();
            }
        });
        Ok(Response::new(Box::pin(unfold(from, |mut from| async {
            let mut data = vec![0; 1 << 14];
            let length = from.read(&mut data).await.ok().filter(|it| *it > 0)?;
            data.truncate(length);
            Some((Ok(v1::ConnectResponse { data }), from))
        }))))
    }
}
