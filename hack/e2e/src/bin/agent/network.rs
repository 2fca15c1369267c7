//! Watching the network of the machine, and being a peer in it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::thread;

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage as Route;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt,
    socket, sockopt,
};

use crate::Port;

/// The groups of links, addresses and routes (RTMGRP_* of linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// Room for what is told while the serial line is busy.
const ROOM: usize = 8 << 20;

/// Tells every change of links, addresses and routes from now on, until the machine ends.
pub(crate) fn monitor(port: &'static Port) -> io::Result<()> {
    let (flags, protocol) = (SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    setsockopt(&socket, sockopt::RcvBufForce, &ROOM)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
    thread::spawn(move || follow(&socket, port));
    Ok(())
}

fn follow(socket: &OwnedFd, port: &Port) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) => tell(buffer.get(..length).unwrap_or_default(), port),
            Err(Errno::EINTR) => {}
            // A gap must not pass for silence.
            Err(errno) => port.say(&format!("event LOST {errno}")),
        }
    }
}

fn tell(mut datagram: &[u8], port: &Port) {
    while let Ok(length) = NetlinkBuffer::new_checked(datagram).map(|buffer| buffer.length()) {
        match NetlinkMessage::<Route>::deserialize(datagram) {
            Ok(message) => describe(message.payload)
                .into_iter()
                .for_each(|text| port.say(&format!("event {text}"))),
            Err(error) => port.say(&format!("event UNREADABLE {error}")),
        }
        let whole = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .next_multiple_of(4);
        datagram = datagram.get(whole..).unwrap_or_default();
    }
}

fn describe(payload: NetlinkPayload<Route>) -> Option<String> {
    let NetlinkPayload::InnerMessage(message) = payload else {
        return None;
    };
    Some(match message {
        // All its attributes would be kilobytes.
        Route::NewLink(link) => format!("NEWLINK {:?}", link.header),
        Route::DelLink(link) => format!("DELLINK {:?}", link.header),
        Route::NewAddress(address) => format!("NEWADDR {address:?}"),
        Route::DelAddress(address) => format!("DELADDR {address:?}"),
        Route::NewRoute(route) => format!("NEWROUTE {route:?}"),
        Route::DelRoute(route) => format!("DELROUTE {route:?}"),
        _ => return None,
    })
}

/// Sends back whatever comes in on a port, until the machine ends.
pub(crate) fn echo(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || send_back(stream));
        }
    });
    Ok(())
}

fn send_back(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(buffer.get(..length).unwrap_or_default())?;
    }
}

/// Opens so many connections to a port of the machine itself and keeps them; says how many it has.
pub(crate) fn flood(held: &mut Vec<TcpStream>, port: u16, count: usize) -> io::Result<String> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = u64::try_from(held.len() + count)
        .unwrap_or(u64::MAX)
        .saturating_add(64);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, most.max(wanted))?;
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for _ in 0..count {
        held.push(TcpStream::connect(to)?);
    }
    Ok(held.len().to_string())
}
