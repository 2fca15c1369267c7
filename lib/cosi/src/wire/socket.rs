//! A channel over a unix socket.

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// A channel to the socket, connected when first used and again whenever it broke.
pub fn unix(path: impl Into<PathBuf>) -> Channel {
    let path = path.into();
    // The address is never resolved; it becomes the authority, and `localhost` is what other clients send.
    Endpoint::from_static("http://localhost").connect_with_connector_lazy(service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    }))
}
