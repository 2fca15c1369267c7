//! The connection to a destination.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ::config::{LogProtocol, LogUrl};
use tokio::io::Interest;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::network::lookup::Lookup;

/// How long one address has to answer a call: three of TCP's own attempts (RFC 6298: after 1, 3 and 7 seconds).
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket that is connected.
#[derive(Debug)]
pub(super) enum Link {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{0}")]
    Lookup(String),
    #[error("`{0}` has no address")]
    Nowhere(String),
    #[error("calling {0}")]
    Call(SocketAddr, #[source] io::Error),
    #[error("no answer from {0} in {patience} s", patience = PATIENCE.as_secs())]
    Silent(SocketAddr),
}

/// Why a connection is one no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum BreakError {
    #[error("it closed the connection")]
    Closed,
    #[error("sending")]
    Send(#[source] io::Error),
}

impl Link {
    /// Connects to the first of the host's addresses that answers.
    pub(super) async fn open(url: LogUrl, lookup: Lookup) -> Result<Self, LinkError> {
        let found = lookup.addresses(&url.host).await;
        let addresses = found.map_err(LinkError::Lookup)?;
        let mut last = LinkError::Nowhere(url.host.to_string());
        for address in addresses {
            let to = SocketAddr::new(address, url.port);
            last = match timeout(PATIENCE, Self::call(url.protocol, to)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error)) => LinkError::Call(to, error),
                Err(_) => LinkError::Silent(to),
            };
        }
        Err(last)
    }

    async fn call(protocol: LogProtocol, to: SocketAddr) -> io::Result<Self> {
        if protocol == LogProtocol::Tcp {
            return Ok(Self::Tcp(TcpStream::connect(to).await?));
        }
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(to).await?;
        Ok(Self::Udp(socket))
    }

    /// Sends as much as there is room for, without waiting; how much that was. A packet goes whole or not at all.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Udp(socket) => socket.try_send(bytes),
        }
    }

    /// Waits until there is room. Cancel-safe.
    pub(super) async fn room(&self) -> Result<(), BreakError> {
        let ready = match self {
            Self::Tcp(stream) => stream.ready(Interest::WRITABLE).await,
            Self::Udp(socket) => socket.ready(Interest::WRITABLE).await,
        };
        ready.map(drop).map_err(BreakError::Send)
    }

    /// Waits until the other end is gone, which is not heard while nothing is sent; what it says is not for us. Cancel-safe.
    pub(super) async fn gone(&self) -> BreakError {
        let mut said = [0; 512];
        loop {
            let heard = match self {
                Self::Tcp(stream) => match stream.readable().await {
                    Ok(()) => stream.try_read(&mut said),
                    Err(error) => Err(error),
                },
                Self::Udp(socket) => match socket.readable().await {
                    // An empty packet is no end.
                    Ok(()) => socket.try_recv(&mut said).map(|it| it + 1),
                    Err(error) => Err(error),
                },
            };
            match heard {
                Ok(0) => return BreakError::Closed,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return BreakError::Send(error),
            }
            // Whoever talks without end must not keep others from their turn.
            tokio::task::yield_now().await;
        }
    }
}
