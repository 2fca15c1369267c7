//! The TCP and UDP sockets of the node's own network.

use std::collections::HashMap;
use std::net::SocketAddr;

use ::api::v1alpha1::{Socket, SocketsResponse};
use procfs::net::{self, TcpState, UdpState};
use procfs::process::{self, FDTarget};
use procfs::{ProcError, ProcResult};

use super::InspectError;

/// Who has a socket open, by the socket's inode.
type Holders = HashMap<u64, (u32, String)>;

/// A line of one of the kernel's four tables.
struct Row {
    protocol: &'static str,
    local: SocketAddr,
    remote: SocketAddr,
    state: &'static str,
    uid: u32,
    inode: u64,
    receive: u32,
    send: u32,
}

pub(super) fn read() -> Result<SocketsResponse, InspectError> {
    let rows = rows().map_err(InspectError::of("/proc/net"))?;
    let holders = holders().map_err(InspectError::of("/proc"))?;
    Ok(SocketsResponse {
        sockets: rows.into_iter().map(|row| socket(row, &holders)).collect(),
    })
}

fn rows() -> ProcResult<Vec<Row>> {
    let mut rows = Vec::new();
    for (protocol, table) in [("tcp", there(net::tcp())?), ("tcp6", there(net::tcp6())?)] {
        rows.extend(table.into_iter().map(|it| Row {
            protocol,
            local: it.local_address,
            remote: it.remote_address,
            state: tcp(&it.state),
            uid: it.uid,
            inode: it.inode,
            receive: it.rx_queue,
            send: it.tx_queue,
        }));
    }
    for (protocol, table) in [("udp", there(net::udp())?), ("udp6", there(net::udp6())?)] {
        rows.extend(table.into_iter().map(|it| Row {
            protocol,
            local: it.local_address,
            remote: it.remote_address,
            state: udp(&it.state),
            uid: it.uid,
            inode: it.inode,
            receive: it.rx_queue,
            send: it.tx_queue,
        }));
    }
    Ok(rows)
}

/// A kernel without IPv6 has no table of it.
fn there<T>(table: ProcResult<Vec<T>>) -> ProcResult<Vec<T>> {
    match table {
        Err(ProcError::NotFound(_)) => Ok(Vec::new()),
        table => table,
    }
}

/// init has the sockets of others open only to keep them while these are started again.
const INIT: u32 = 1;

/// Which of two processes a socket is told to be of: the one with the lower number, which started the other, but init only
/// where nobody else has it.
fn rank(pid: u32) -> (bool, u32) {
    (pid == INIT, pid)
}

fn holders() -> ProcResult<Holders> {
    let mut holders = Holders::new();
    for process in process::all_processes()?.flatten() {
        let (Ok(stat), Ok(open)) = (process.stat(), process.fd()) else {
            continue;
        };
        let pid = stat.pid.unsigned_abs();
        for open in open.flatten() {
            if let FDTarget::Socket(inode) = open.target {
                let held = holders.entry(inode).or_insert((pid, stat.comm.clone()));
                if rank(pid) < rank(held.0) {
                    *held = (pid, stat.comm.clone());
                }
            }
        }
    }
    Ok(holders)
}

fn socket(row: Row, holders: &Holders) -> Socket {
    let holder = holders.get(&row.inode);
    let (pid, command) = holder.cloned().unwrap_or_default();
    Socket {
        protocol: row.protocol.to_owned(),
        local: row.local.to_string(),
        remote: row.remote.to_string(),
        state: row.state.to_owned(),
        uid: row.uid,
        receive_bytes: row.receive,
        send_bytes: row.send,
        pid,
        command,
    }
}

/// The usual names of RFC 9293's states.
fn tcp(state: &TcpState) -> &'static str {
    match state {
        TcpState::Established => "established",
        TcpState::SynSent => "syn-sent",
        TcpState::SynRecv | TcpState::NewSynRecv => "syn-received",
        TcpState::FinWait1 => "fin-wait-1",
        TcpState::FinWait2 => "fin-wait-2",
        TcpState::TimeWait => "time-wait",
        TcpState::Close => "closed",
        TcpState::CloseWait => "close-wait",
        TcpState::LastAck => "last-ack",
        TcpState::Listen => "listen",
        TcpState::Closing => "closing",
    }
}

fn udp(state: &UdpState) -> &'static str {
    match state {
        UdpState::Established => "established",
        UdpState::Close => "",
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn a_socket_that_init_keeps_is_of_whoever_uses_it() {
        let mut pids = [INIT, 90, 73];
        pids.sort_by_key(|pid| rank(*pid));
        assert_eq!(pids, [73, 90, INIT]);
    }

    #[test]
    fn a_listener_and_its_process_are_found() {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let all = read().unwrap().sockets;
        // What other tests leave behind may have the same port, in another protocol or state.
        let of = |protocol: &str, state: &str, address: String| {
            let mut all = all.iter().filter(|it| it.local == address);
            let found = all.find(|it| it.protocol == protocol && it.state == state);
            found.expect("a socket of this test")
        };
        let tcp = of("tcp6", "listen", listener.local_addr().unwrap().to_string());
        assert_eq!(tcp.pid, std::process::id());
        assert!(!tcp.command.is_empty());
        let udp = of("udp", "", datagrams.local_addr().unwrap().to_string());
        assert_eq!(udp.remote, "0.0.0.0:0");
    }
}
