//! Device events from the kernel.
//!
//! Owns: the netlink socket and parsing one event. Never acts on one. Events from other processes are dropped: only
//! the kernel's own are believed.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt,
    socket, sockopt,
};

/// The multicast group of the kernel's own events.
const KERNEL_GROUP: u32 = 1;
/// The kernel builds an event in 2048 bytes plus its header; twice that is room enough.
const MAX_EVENT: usize = 4096;
/// A boot brings a few thousand events at once, each charged about 1 KiB.
const QUEUE: usize = 4 << 20;

/// One device event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uevent {
    /// `add`, `remove`, `change`, `bind`...
    pub action: String,
    /// The device's folder below `/sys`.
    pub devpath: String,
    fields: Vec<(String, String)>,
}

/// What one receive gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// An event of the kernel.
    Event(Uevent),
    /// Nothing is waiting.
    Nothing,
    /// Events were lost: look at `/sys` anew.
    Overflow,
}

impl Uevent {
    /// Parses `ACTION@DEVPATH` and the NUL-separated fields after it.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes
            .split(|byte| *byte == 0)
            .map(|part| std::str::from_utf8(part).ok());
        let (action, devpath) = parts.next()??.split_once('@')?;
        if action.is_empty() || !devpath.starts_with('/') {
            return None;
        }
        let fields = parts.flatten().filter_map(|part| part.split_once('='));
        let fields = fields
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Some(Self {
            action: action.to_owned(),
            devpath: devpath.to_owned(),
            fields,
        })
    }

    /// The value of a field such as `SUBSYSTEM`, `MODALIAS` or `DEVNAME`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// A subscription to the kernel's device events. Never blocks.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
}

impl Listener {
    /// Subscribes; events from now on are kept until they are received.
    pub fn open() -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        let fd = socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol)?;
        // Without CAP_NET_ADMIN the larger queue is refused; the default one only overflows sooner.
        let _ = setsockopt(&fd, sockopt::RcvBufForce, &QUEUE);
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self { fd })
    }

    /// Receives the next event of the kernel, if there is one.
    pub fn recv(&self) -> Result<Received, Errno> {
        loop {
            let mut buffer = [0_u8; MAX_EVENT];
            let (length, sender) = match recvfrom::<NetlinkAddr>(self.fd.as_raw_fd(), &mut buffer) {
                Ok(received) => received,
                Err(Errno::EAGAIN) => return Ok(Received::Nothing),
                Err(Errno::ENOBUFS) => return Ok(Received::Overflow),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            let from_kernel = sender.is_some_and(|sender| sender.pid() == 0);
            let bytes = buffer.get(..length).unwrap_or_default();
            if let Some(event) = from_kernel.then(|| Uevent::parse(bytes)).flatten() {
                return Ok(Received::Event(event));
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_an_event() {
        let bytes = b"add@/devices/pci0/usb1\0ACTION=add\0SUBSYSTEM=usb\0MODALIAS=usb:v1\0";
        let event = Uevent::parse(bytes).unwrap();
        assert_eq!(
            (event.action.as_str(), event.devpath.as_str()),
            ("add", "/devices/pci0/usb1")
        );
        assert_eq!(event.get("MODALIAS"), Some("usb:v1"));
        assert_eq!(event.get("DEVNAME"), None);
    }

    #[test]
    fn refuses_other_messages() {
        for bytes in [&b""[..], b"libudev\0\xfe\xed", b"@/x", b"add@x", b"add"] {
            assert_eq!(Uevent::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_listener_with_no_event_has_nothing() {
        let listener = Listener::open().unwrap();
        assert!(matches!(
            listener.recv(),
            Ok(Received::Nothing | Received::Event(_))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(bytes: Vec<u8>) {
            let _ = Uevent::parse(&bytes);
        }
    }
}
