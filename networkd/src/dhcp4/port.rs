//! The sockets of one client: a packet socket that hears servers from the first moment, and UDP for talking to one of them.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, bind, sendto, setsockopt, socket,
    sockopt,
};
use resources::net::LinkName;
use thiserror::Error;
use tokio::net::UdpSocket;

use super::client::{Send, To};
use super::message::{Reply, parse_reply};
use super::udp;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Room for the largest Ethernet payload, jumbo frames included.
const LARGEST: usize = 9216;

/// Why a port could not do its work.
#[derive(Debug, Error)]
pub(super) enum PortError {
    /// No packet socket.
    #[error("cannot listen for DHCP on link {link}")]
    Open {
        /// The link.
        link: LinkName,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A message did not leave.
    #[error("cannot send a DHCP message on link {link}")]
    Send {
        /// The link.
        link: LinkName,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// The sockets of one link.
#[derive(Debug)]
pub(super) struct Port {
    link: LinkName,
    index: u32,
    /// The packet socket in the dress of a UDP socket: the runtime waits for both the same way, and its own type for any descriptor
    /// cannot be made without unsafe code.
    packets: UdpSocket,
    /// The last socket a server was spoken to through: while it is open, the kernel does not turn the answer away.
    conversation: Option<OwnedFd>,
}

impl Port {
    /// Opens the packet socket.
    ///
    /// # Errors
    /// When the kernel gives none.
    pub(super) fn open(link: &LinkName, index: u32) -> Result<Self, PortError> {
        let failed = |source| PortError::Open {
            link: link.clone(),
            source,
        };
        let socket = sys::packet::open(index, CLIENT_PORT).map_err(failed)?;
        Ok(Self {
            link: link.clone(),
            index,
            packets: UdpSocket::from_std(socket.into()).map_err(failed)?,
            conversation: None,
        })
    }

    /// Waits for the next message of a server; what is none is dropped with a word about why.
    ///
    /// Cancel-safe: a packet is taken off the socket and returned in one step.
    pub(super) async fn receive(&self) -> io::Result<Reply> {
        let mut buffer = [0; LARGEST];
        loop {
            let length = self.packets.recv(&mut buffer).await?;
            match parse(buffer.get(..length).unwrap_or_default()) {
                Ok(reply) => return Ok(reply),
                Err(reason) => tracing::debug!(link = %self.link, reason, "packet dropped"),
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the kernel refuses: a link that is down, an address that is not there yet. The client asks again anyway.
    pub(super) fn send(&mut self, send: &Send) -> Result<(), PortError> {
        let payload = send.request.encode();
        let sent = match send.to {
            To::Everyone => self.broadcast(&payload),
            To::Server { server, from } => self.talk(&payload, server, from),
        };
        sent.map_err(|source| PortError::Send {
            link: self.link.clone(),
            source,
        })
    }

    fn broadcast(&self, payload: &[u8]) -> io::Result<()> {
        let from = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT);
        let to = SocketAddrV4::new(Ipv4Addr::BROADCAST, SERVER_PORT);
        let packet = udp::build(from, to, payload).ok_or(io::ErrorKind::InvalidInput)?;
        sys::packet::send(&self.packets, self.index, &packet, sys::packet::BROADCAST)
    }

    fn talk(&mut self, payload: &[u8], server: Ipv4Addr, from: Ipv4Addr) -> io::Result<()> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        setsockopt(&socket, sockopt::BindToDevice, &self.link.as_str().into())?;
        bind(
            socket.as_raw_fd(),
            &SockaddrIn::from(SocketAddrV4::new(from, CLIENT_PORT)),
        )?;
        let to = SockaddrIn::from(SocketAddrV4::new(server, SERVER_PORT));
        sendto(socket.as_raw_fd(), payload, &to, MsgFlags::MSG_DONTWAIT)?;
        self.conversation = Some(socket);
        Ok(())
    }
}

/// The pure half of receiving, for the fuzzer too.
fn parse(packet: &[u8]) -> Result<Reply, String> {
    let (from, payload) = udp::parse_frame(packet, CLIENT_PORT).map_err(|e| e.to_string())?;
    if from.port() != SERVER_PORT {
        return Err(format!("it comes from port {}", from.port()));
    }
    parse_reply(payload).map_err(|e| e.to_string())
}
