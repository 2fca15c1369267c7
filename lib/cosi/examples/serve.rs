//! A development server: an empty, writable, unauthenticated state on a TCP address or a unix socket.
//!
//! `cargo run -p garboard-cosi --example serve -- 127.0.0.1:8080` or `-- /tmp/state.sock`. For trying out clients of
//! the wire; it knows no types but those that describe types, and forgets everything when it ends.

#![expect(
    clippy::print_stderr,
    reason = "a program for people, not a part of the system"
)]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use cosi::store::{Registry, Store};
use cosi::wire::{Open, Server};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1) else {
        eprintln!("usage: serve ADDRESS:PORT | SOCKET");
        return ExitCode::from(2);
    };
    match serve(&address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serve: {address}: {}", cosi::report(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    // Bookmarks of an earlier run must not be taken for ours.
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let state = Server::new(Store::new(epoch), Arc::new(Registry::new()), Open);
    let server = tonic::transport::Server::builder().add_service(state.into_service());
    let stop = async {
        tokio::signal::ctrl_c().await.ok();
    };
    if let Ok(address) = address.parse::<SocketAddr>() {
        let listener = TcpListener::bind(address).await?;
        eprintln!("serving on {}", listener.local_addr()?);
        let incoming = TcpListenerStream::new(listener);
        server.serve_with_incoming_shutdown(incoming, stop).await?;
    } else {
        let listener = UnixListener::bind(address)?;
        eprintln!("serving on {address}");
        let incoming = UnixListenerStream::new(listener);
        server.serve_with_incoming_shutdown(incoming, stop).await?;
        std::fs::remove_file(address)?;
    }
    Ok(())
}
