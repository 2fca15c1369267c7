//! A packet socket that carries IPv4 packets on one link, before that link has any address.
//!
//! Owns: opening, binding and sending. The kernel puts the link-layer header on and takes it off. A filter lets only UDP
//! packets for one port through, so that a busy link does not wake its reader. Never reads a packet's content.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// A link-layer address of Ethernet.
pub type Mac = [u8; 6];

/// Every station of a link.
pub const BROADCAST: Mac = [0xff; 6];

/// Opens a non-blocking socket on the link with this number that hears UDP packets for `port` only. Reading from it gives whole
/// IPv4 packets.
///
/// # Errors
/// When the kernel refuses: no `CAP_NET_RAW`, or no such link.
pub fn open(index: u32, port: u16) -> io::Result<OwnedFd> {
    // Protocol 0 hears nothing until bound: no packet of another link, none before the filter.
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket takes no pointers.
    let raw = Errno::result(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    // SAFETY: from_raw_fd wants an open descriptor that nobody else owns; the line above just made it.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    attach(&fd, port)?;
    let address = station(index, [0; 6])?;
    let length = socklen::<libc::sockaddr_ll>();
    // SAFETY: bind reads `length` bytes of an address; `address` is a sockaddr_ll of that size and outlives the call.
    let bound = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(bound)?;
    Ok(fd)
}

/// Sends an IPv4 packet to a station of the link, through a socket that `open` made.
///
/// # Errors
/// When the kernel refuses, for instance because the link is down.
pub fn send(socket: impl AsFd, index: u32, packet: &[u8], to: Mac) -> io::Result<()> {
    let address = station(index, to)?;
    // SAFETY: sendto reads `packet.len()` bytes of the packet and `length` bytes of the address; both are borrowed for
    // longer than the call, and the address is a sockaddr_ll of that size.
    let sent = unsafe {
        libc::sendto(
            socket.as_fd().as_raw_fd(),
            packet.as_ptr().cast(),
            packet.len(),
            0,
            (&raw const address).cast(),
            socklen::<libc::sockaddr_ll>(),
        )
    };
    Errno::result(sent)?;
    Ok(())
}

fn station(index: u32, mac: Mac) -> io::Result<libc::sockaddr_ll> {
    let index = i32::try_from(index).map_err(|_| Errno::ENODEV)?;
    let mut address = [0; 8];
    address[..6].copy_from_slice(&mac);
    Ok(libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_IP as u16).to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: address,
    })
}

/// The filter: an unfragmented IPv4 packet, UDP, to `port`.
fn attach(fd: &OwnedFd, port: u16) -> io::Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let (byte, half, indexed) = (libc::BPF_B, libc::BPF_H, libc::BPF_IND);
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    // Offsets are into the IPv4 header: the socket has no link-layer header.
    let mut steps = [
        step(libc::BPF_LD | byte | libc::BPF_ABS, 0, 0, 9),
        step(equal, 0, 6, libc::IPPROTO_UDP as u32),
        step(libc::BPF_LD | half | libc::BPF_ABS, 0, 0, 6),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 4, 0, 0x3fff),
        step(libc::BPF_LDX | byte | libc::BPF_MSH, 0, 0, 0),
        step(libc::BPF_LD | half | indexed, 0, 0, 2),
        step(equal, 0, 1, u32::from(port)),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: setsockopt reads a sock_fprog of the given size, and through it `len` instructions at `filter`; both live
    // in this frame until after the call, and the kernel copies them.
    let set = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            socklen::<libc::sock_fprog>(),
        )
    };
    Errno::result(set)?;
    Ok(())
}

fn socklen<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}
