//! Somebody on this host to whom the open nodes of a lab send their logs, who can be away for a while.

use std::io::{self, BufRead as _, BufReader};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use provision::Deadline;
use serde_json::Value;

use crate::places::HOST;

/// Ports that no system gives to whoever asks for any (Linux begins at 32768), so that nobody takes one meanwhile.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The longest packet.
const PACKET: usize = 1 << 16;

/// How often somebody who waits for a packet looks whether it is over.
const LOOK: Duration = Duration::from_millis(200);

/// How lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One after the other, each with a line break at its end.
    Tcp,
    /// One a packet, with a line break at its end too.
    Udp,
}

/// The collector.
#[derive(Debug)]
pub struct Collector {
    protocol: Protocol,
    port: u16,
    lines: Receiver<String>,
    sender: Sender<String>,
    open: Option<Open>,
}

/// While it is there.
#[derive(Debug)]
struct Open {
    protocol: Protocol,
    port: u16,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// One that is there, at a port that stays its own.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new(protocol: Protocol) -> Result<Self> {
        let (sender, lines) = mpsc::channel();
        // Others who look for one at the same time begin elsewhere.
        let own = usize::try_from(std::process::id())? % PORTS.len();
        let mut ports = PORTS.cycle().skip(own).take(PORTS.len());
        let found = ports.find_map(|port| {
            let open = Open::new(protocol, port, &sender).ok()?;
            Some((port, open))
        });
        let (port, open) = found.context("a port for a collector of logs")?;
        Ok(Self {
            protocol,
            port,
            lines,
            sender,
            open: Some(open),
        })
    }

    /// Its URL as machines say it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        format!("{scheme}://{HOST}:{}", self.port)
    }

    /// Closes everything, and forgets what has come.
    pub fn leave(&mut self) {
        self.open = None;
        while self.lines.try_recv().is_ok() {}
    }

    /// Is there again.
    ///
    /// # Errors
    /// When its port cannot be had again.
    pub fn come_back(&mut self) -> Result<()> {
        let open = Open::new(self.protocol, self.port, &self.sender);
        self.open = Some(open.with_context(|| format!("port {} again", self.port))?);
        Ok(())
    }

    /// Waits for a line of each of these sources with these words, in any order; gives them, and forgets the rest of what
    /// came until then.
    ///
    /// # Errors
    /// When one does not come in time, or one comes that is no JSON.
    pub fn hears<const N: usize>(
        &self,
        deadline: Deadline,
        wanted: [(&str, &str); N],
    ) -> Result<[Value; N]> {
        let mut heard = wanted.map(|_| None);
        let mut last = String::new();
        while heard.iter().any(Option::is_none) {
            let left = deadline.left().unwrap_or_default();
            let Ok(line) = self.lines.recv_timeout(left) else {
                bail!("of {wanted:?} only {heard:?} came; the last line was {last}");
            };
            let value: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
            for ((source, words), heard) in wanted.iter().zip(&mut heard) {
                if heard.is_none() && says(&value, source, words) {
                    *heard = Some(value.clone());
                }
            }
            last = line;
        }
        Ok(heard.map(Option::unwrap_or_default))
    }
}

/// Whether a line is of that source, and says that.
fn says(line: &Value, source: &str, words: &str) -> bool {
    let field = |name| line.get(name).and_then(Value::as_str).unwrap_or_default();
    field("source") == source && field("message").contains(words)
}

impl Open {
    fn new(protocol: Protocol, port: u16, sender: &Sender<String>) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (at, sender, ends) = ((Ipv4Addr::LOCALHOST, port), sender.clone(), over.clone());
        let thread = match protocol {
            Protocol::Tcp => {
                let listener = TcpListener::bind(at)?;
                thread::spawn(move || listen(&listener, &sender, &ends))
            }
            Protocol::Udp => {
                let socket = UdpSocket::bind(at)?;
                socket.set_read_timeout(Some(LOOK))?;
                thread::spawn(move || receive(&socket, &sender, &ends))
            }
        };
        Ok(Self {
            protocol,
            port,
            over,
            thread: Some(thread),
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if self.protocol == Protocol::Tcp {
            // It waits for somebody: for us, then. When that fails it has ended already.
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Takes connections until it is over, then ends all of them.
fn listen(listener: &TcpListener, sender: &Sender<String>, over: &AtomicBool) {
    let mut readers = Vec::new();
    for stream in listener.incoming().flatten() {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let sender = sender.clone();
        if let Ok(other) = stream.try_clone() {
            readers.push((other, thread::spawn(move || read(stream, &sender))));
        }
    }
    for (stream, reader) in readers {
        // One that the machine has ended is ended.
        stream.shutdown(Shutdown::Both).ok();
        reader.join().ok();
    }
}

/// Takes whole lines: the last of a connection that broke may be none.
fn read(stream: TcpStream, sender: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok() && line.ends_with('\n') {
        if sender.send(std::mem::take(&mut line)).is_err() {
            return;
        }
    }
}

/// Takes packets until it is over, which is looked at with each and now and then: one that would say so could be lost.
fn receive(socket: &UdpSocket, sender: &Sender<String>, over: &AtomicBool) {
    let mut packet = vec![0; PACKET];
    while !over.load(Ordering::SeqCst) {
        let Ok(length) = socket.recv(&mut packet) else {
            continue;
        };
        let bytes = packet.get(..length).unwrap_or_default();
        sender
            .send(String::from_utf8_lossy(bytes).into_owned())
            .ok();
    }
}
