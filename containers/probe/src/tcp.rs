//! A server that sends back what comes over TCP.

use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long to wait when nothing can be accepted, for want of descriptors for example.
pub(crate) const REST: Duration = Duration::from_millis(100);

/// Serves until `stop`; then it ends what is open, for a stream has no end of its own.
pub async fn serve(listener: &TcpListener, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    // One task per connection; dropping the set ends them, at any point, with nothing half done but an echo.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(echo(stream))),
                Err(_) => tokio::time::sleep(REST).await,
            },
        }
    }
}

async fn echo(mut stream: TcpStream) {
    // A peer that is gone is nothing to tell; who sends little waits for every byte.
    stream.set_nodelay(true).ok();
    let (mut read, mut write) = stream.split();
    tokio::io::copy(&mut read, &mut write).await.ok();
}
