//! The line between init and a daemon: one SEQPACKET socket pair, text frames, descriptors beside them.
//!
//! Owns: the socket, the passing of one descriptor per frame, and finding the inherited end in a daemon.
//! Never blocks: `send` and `recv` say so when the socket is full or empty, and the raw descriptor is there to poll
//! (or to wrap in an `AsyncFd`). [`End::wait_start`] is the one exception, for a daemon's first lines of life.
//!
//! SEQPACKET and not a stream: a frame is a message, so a half-written one cannot exist, and a daemon killed in the
//! middle leaves nothing to resynchronise.

mod frame;

pub use frame::{
    ChildState, ChildStatus, Frame, FrameError, FromInit, MAX_FRAME, Start, StoreName, ToInit,
};

use std::io::{IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, getsockopt,
    recvmsg, sendmsg, socketpair, sockopt,
};

/// The environment variable that holds the number of a daemon's inherited end.
pub const ENV: &str = "GARBOARD_INIT_FD";

/// Room for the 253 descriptors that the kernel allows in one message (SCM_MAX_FD). With less room a sender could
/// leave descriptors behind that nobody owns.
const MAX_FDS: usize = 253;

/// What can go wrong on the link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No socket pair could be made.
    #[error("make a socket pair")]
    Pair(#[source] Errno),
    /// The peer does not read: its queue is full. The frame was not sent.
    #[error("the peer's queue is full")]
    Full,
    /// The frame could not be sent.
    #[error("send a frame")]
    Send(#[source] Errno),
    /// Nothing could be received.
    #[error("receive a frame")]
    Receive(#[source] Errno),
    /// The peer sent something that is no frame. The link stays usable.
    #[error("understand a frame")]
    Frame(#[source] FrameError),
    /// The environment names no usable descriptor.
    #[error("{ENV} names no usable descriptor ({0})")]
    Environment(String),
    /// No START came in time.
    #[error("init sent no START in time")]
    NoStart,
    /// The peer is gone.
    #[error("the peer closed the link")]
    Closed,
}

/// What one receive gave.
#[derive(Debug)]
pub enum Received<R> {
    /// A frame, with the descriptor that came beside it.
    Frame(R, Option<OwnedFd>),
    /// Nothing is waiting.
    Nothing,
    /// The peer is gone; nothing will ever come again.
    Closed,
}

/// What a daemon gets before its work begins.
#[derive(Debug)]
pub struct Greeting {
    /// The descriptors that an earlier life of this daemon stored, by name.
    pub stored: Vec<(StoreName, OwnedFd)>,
    /// Which life this is, and why.
    pub start: Start,
}

/// One end of the link: sends `S`, receives `R`.
#[derive(Debug)]
pub struct End<S, R> {
    fd: OwnedFd,
    frames: PhantomData<fn(S) -> R>,
}

/// The end that init holds.
pub type InitEnd = End<FromInit, ToInit>;
/// The end that a daemon holds.
pub type DaemonEnd = End<ToInit, FromInit>;

/// Makes a link. Both ends are closed on exec; whoever starts the daemon clears that flag for the daemon's end alone.
pub fn pair() -> Result<(InitEnd, DaemonEnd), LinkError> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (init, daemon) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
        .map_err(LinkError::Pair)?;
    Ok((End::new(init), End::new(daemon)))
}

impl DaemonEnd {
    /// Takes the end that init left for this process, once per process.
    pub fn from_env() -> Result<Self, LinkError> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let text = std::env::var(ENV).map_err(|error| LinkError::Environment(error.to_string()))?;
        let number: RawFd = text
            .parse()
            .map_err(|_| LinkError::Environment(text.clone()))?;
        if number <= 2 || TAKEN.swap(true, Ordering::SeqCst) {
            return Err(LinkError::Environment(text));
        }
        // SAFETY: borrow_raw wants a descriptor that stays open meanwhile: init opened it for this process, nothing
        // else here knows its number, and it is only asked for its flags and type before it is owned.
        let inherited = unsafe { BorrowedFd::borrow_raw(number) };
        let usable = fcntl(inherited, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).is_ok()
            && getsockopt(&inherited, sockopt::SockType) == Ok(SockType::SeqPacket);
        if !usable {
            return Err(LinkError::Environment(text));
        }
        // SAFETY: from_raw_fd wants an open descriptor that nobody else owns: it is open (checked above), init
        // inherited it to this process for this purpose, and `TAKEN` lets this line run once per process.
        Ok(End::new(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// Waits for the stored descriptors and the START that init sends first. Blocks up to `limit`; meant for the
    /// first lines of `main`, before a runtime exists.
    pub fn wait_start(&self, limit: Duration) -> Result<Greeting, LinkError> {
        let deadline = Instant::now() + limit;
        let mut stored = Vec::new();
        loop {
            match self.recv()? {
                Received::Frame(FromInit::Fd { name }, Some(fd)) => stored.push((name, fd)),
                Received::Frame(FromInit::Start(start), _) => {
                    return Ok(Greeting { stored, start });
                }
                Received::Frame(..) => {}
                Received::Closed => return Err(LinkError::Closed),
                Received::Nothing => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(LinkError::NoStart);
                    }
                    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
                    let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
                    match poll(&mut fds, timeout) {
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(errno) => return Err(LinkError::Receive(errno)),
                    }
                }
            }
        }
    }
}

impl<S: Frame, R: Frame> End<S, R> {
    /// Takes over one end of a SEQPACKET pair.
    pub fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            frames: PhantomData,
        }
    }

    /// Sends one frame, with a descriptor beside it where the frame has one.
    pub fn send(&self, frame: &S, fd: Option<BorrowedFd<'_>>) -> Result<(), LinkError> {
        let text = frame.encode();
        let raw = fd.map(|fd| [fd.as_raw_fd()]);
        let rights = raw.as_ref().map(|raw| ControlMessage::ScmRights(raw));
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let slices = [IoSlice::new(text.as_bytes())];
        match sendmsg::<()>(self.fd.as_raw_fd(), &slices, rights.as_slice(), flags, None) {
            Ok(_) => Ok(()),
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Err(LinkError::Full),
            Err(Errno::EPIPE | Errno::ECONNRESET) => Err(LinkError::Closed),
            Err(errno) => Err(LinkError::Send(errno)),
        }
    }

    /// Receives one frame if there is one. A descriptor beyond the first of a message is closed.
    pub fn recv(&self) -> Result<Received<R>, LinkError> {
        let mut buffer = [0_u8; MAX_FRAME];
        let (length, truncated, fds) = match self.recv_raw(&mut buffer) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Received::Nothing),
            Err(Errno::ECONNRESET) => return Ok(Received::Closed),
            Err(errno) => return Err(LinkError::Receive(errno)),
        };
        if length == 0 {
            return Ok(Received::Closed);
        }
        if truncated {
            return Err(LinkError::Frame(FrameError::TooLong));
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| LinkError::Frame(FrameError::NotText))?;
        let frame = R::parse(text).map_err(LinkError::Frame)?;
        Ok(Received::Frame(frame, fds.into_iter().next()))
    }

    fn recv_raw(&self, buffer: &mut [u8]) -> Result<(usize, bool, Vec<OwnedFd>), Errno> {
        let mut space = nix::cmsg_space!([RawFd; MAX_FDS]);
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let mut slices = [IoSliceMut::new(buffer)];
        let message = recvmsg::<()>(self.fd.as_raw_fd(), &mut slices, Some(&mut space), flags)?;
        let mut fds = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = control {
                for number in numbers {
                    // SAFETY: from_raw_fd wants an open descriptor that nobody else owns: the kernel has just made
                    // this one for us, and the list of numbers is dropped right here. nix gives numbers only.
                    fds.push(unsafe { OwnedFd::from_raw_fd(number) });
                }
            }
        }
        Ok((
            message.bytes,
            message.flags.contains(MsgFlags::MSG_TRUNC),
            fds,
        ))
    }
}

impl<S, R> AsFd for End<S, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl<S, R> AsRawFd for End<S, R> {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
