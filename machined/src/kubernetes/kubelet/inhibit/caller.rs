//! One caller, from its first line until it hangs up.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd as _, OwnedFd};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::watch;

use super::message::{self, Call, HEAD, Said};
use super::{Inhibitors, LIMIT, auth};

/// The object that tells of the machine's end.
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";

/// What a caller is called.
const NAME: &str = ":1.1";

/// Descriptors that one caller holds at once: the kubelet gives one back when it has another.
const DESCRIPTORS: usize = 8;

/// Serves until the caller hangs up, or is none that we know what to do with.
pub(super) async fn serve(inhibitors: Inhibitors, stream: UnixStream) {
    let mut reader = BufReader::new(stream);
    let served = async {
        begin(&mut reader).await?;
        Caller::new(inhibitors).follow(&mut reader).await
    };
    if let Err(error) = served.await {
        tracing::info!(%error, "a caller of D-Bus is gone");
    }
}

/// The lines before the first message.
async fn begin(reader: &mut BufReader<UnixStream>) -> io::Result<()> {
    // A zero comes before all, which once carried who it is.
    reader.read_u8().await?;
    loop {
        let mut line = String::new();
        let limit = auth::LONGEST.try_into().unwrap_or(u64::MAX);
        let read = (&mut *reader).take(limit).read_line(&mut line).await?;
        if read == 0 || !line.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match auth::answer(line.trim_end()) {
            auth::Answer::Line(line) => send(reader.get_ref(), line.as_bytes(), None).await?,
            auth::Answer::Begin => return Ok(()),
        }
    }
}

/// Sends bytes, and a descriptor along with the first of them.
async fn send(stream: &UnixStream, bytes: &[u8], descriptor: Option<OwnedFd>) -> io::Result<()> {
    let (mut left, mut descriptor) = (bytes, descriptor);
    while !left.is_empty() {
        let rights = descriptor.as_ref().map(|it| [it.as_raw_fd()]);
        let control = rights.as_ref().map(|it| ControlMessage::ScmRights(it));
        let sent = stream.async_io(Interest::WRITABLE, || {
            let slices = [IoSlice::new(left)];
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            let sent = sendmsg::<()>(stream.as_raw_fd(), &slices, control.as_slice(), flags, None);
            Ok(sent?)
        });
        let sent = sent.await?;
        left = left.get(sent..).unwrap_or_default();
        descriptor = None;
    }
    Ok(())
}

/// A descriptor that is held, and counted as long as it is.
struct Held(watch::Sender<usize>);

impl Held {
    fn new(inhibitors: &Inhibitors) -> Self {
        let held = inhibitors.0.held.clone();
        held.send_modify(|it| *it += 1);
        Self(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|it| *it -= 1);
    }
}

struct Caller {
    inhibitors: Inhibitors,
    /// Whether it wants to be told of the end.
    listens: bool,
    /// Whether it was.
    told: bool,
    /// What it holds; each is ready when it does no longer.
    held: FuturesUnordered<BoxFuture<'static, ()>>,
    serial: u32,
}

/// What is done about a call.
enum Deed {
    Say(Said<'static>),
    Listen,
    Hold,
    Unknown,
}

fn deed(call: &Call) -> Deed {
    let texts: Vec<_> = call.texts.iter().map(String::as_str).collect();
    match (call.interface.as_str(), call.member.as_str(), &*texts) {
        ("org.freedesktop.DBus", "Hello", _) => Deed::Say(Said::Text(NAME)),
        ("org.freedesktop.DBus", "AddMatch", _) => Deed::Listen,
        ("org.freedesktop.DBus.Properties", "Get", [MANAGER, "InhibitDelayMaxUSec"]) => {
            let limit = LIMIT.as_micros().try_into().unwrap_or(u64::MAX);
            Deed::Say(Said::Property(limit))
        }
        (MANAGER, "Inhibit", ["shutdown", _, _, "delay"]) => Deed::Hold,
        _ => Deed::Unknown,
    }
}

impl Caller {
    fn new(inhibitors: Inhibitors) -> Self {
        Self {
            inhibitors,
            listens: false,
            told: false,
            held: FuturesUnordered::new(),
            serial: 0,
        }
    }

    async fn follow(&mut self, reader: &mut BufReader<UnixStream>) -> io::Result<()> {
        let mut near = self.inhibitors.0.near.subscribe();
        let mut bytes = Vec::new();
        loop {
            let is_near = *near.borrow_and_update();
            if self.listens && is_near && !self.told {
                let signal = message::signal(self.next(), PATH, MANAGER, "PrepareForShutdown");
                send(reader.get_ref(), &signal, None).await?;
                self.told = true;
            }
            tokio::select! {
                // What has come of a message is kept when something else is first.
                read = reader.fill_buf() => {
                    let read = read?;
                    if read.is_empty() {
                        return Ok(());
                    }
                    let count = read.len();
                    bytes.extend_from_slice(read);
                    reader.consume(count);
                }
                changed = near.changed() => if changed.is_err() {
                    return Ok(());
                },
                Some(()) = self.held.next() => {}
            }
            while let Some(whole) = whole(&bytes)? {
                let call = message::call(bytes.get(..whole).unwrap_or_default());
                bytes.drain(..whole);
                if let Some(call) = call.map_err(io::Error::other)? {
                    self.answer(reader.get_ref(), &call).await?;
                }
            }
        }
    }

    async fn answer(&mut self, stream: &UnixStream, call: &Call) -> io::Result<()> {
        let deed = deed(call);
        let Some(to) = call.serial else {
            self.listens |= matches!(deed, Deed::Listen);
            return Ok(());
        };
        let serial = self.next();
        match deed {
            Deed::Say(said) => send(stream, &message::answer(serial, to, said), None).await,
            Deed::Listen => {
                self.listens = true;
                send(stream, &message::answer(serial, to, Said::Done), None).await
            }
            Deed::Hold if self.held.len() < DESCRIPTORS => {
                let descriptor = self.hold()?;
                let answer = message::answer(serial, to, Said::Descriptor);
                send(stream, &answer, Some(descriptor)).await
            }
            Deed::Hold | Deed::Unknown => {
                let answer = message::unknown(serial, to, &call.member);
                send(stream, &answer, None).await
            }
        }
    }

    /// A descriptor, counted until all copies of it are closed.
    fn hold(&self) -> io::Result<OwnedFd> {
        let (sender, mut receiver) = pipe::pipe()?;
        let held = Held::new(&self.inhibitors);
        self.held.push(Box::pin(async move {
            let mut nothing = [0; 1];
            // Whatever is written into it, it is its end that counts.
            while matches!(receiver.read(&mut nothing).await, Ok(1)) {}
            drop(held);
        }));
        sender.into_blocking_fd()
    }

    fn next(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1).max(1);
        self.serial
    }
}

/// How long the first message is, once all of it is there.
fn whole(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = bytes.first_chunk::<HEAD>() else {
        return Ok(None);
    };
    let length = message::length(head).map_err(io::Error::other)?;
    Ok((bytes.len() >= length).then_some(length))
}
