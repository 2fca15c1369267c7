//! One client's life between its socket and its deadline.
//!
//! The task belongs to the controller that started it and ends when that controller drops it, which loses nothing but a question.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use resources::net::TimeServerStatus;
use sys::clock::Moment;
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::client::{Client, Event, Heard};
use super::packet::{parse, request};
use crate::chance::Dice;

/// More than an answer has; what is longer is cut off and not read anyway.
const LARGEST: usize = 512;

/// Runs a client for as long as somebody can wake it. What it shows goes to `reports`.
pub(super) async fn run(
    server: SocketAddr,
    mut client: Client,
    mut wakes: watch::Receiver<u64>,
    reports: watch::Sender<TimeServerStatus>,
) {
    let mut dice = Dice::new();
    let mut question: Option<Question> = None;
    loop {
        let event = tokio::select! {
            biased;
            woken = wakes.changed() => match woken {
                Ok(()) => Event::Wake,
                Err(_) => return,
            },
            // Before listening, so that a flood of packets cannot hold up the next question.
            () = until(client.deadline()) => Event::Tick,
            event = hear(question.as_ref()) => event,
        };
        if client.step(Moment::now(), event, dice.roll()) {
            let nonce = nonce();
            let asked = Question::ask(server, nonce).await;
            match asked {
                Ok(asked) => question = Some(asked),
                Err(error) => {
                    let lost = Event::Lost(error.to_string());
                    // It asks for nothing now: what it asked for has just failed.
                    let _again = client.step(Moment::now(), lost, dice.roll());
                }
            }
        }
        if !client.is_waiting() {
            question = None;
        }
        announce(server, &client, &reports);
    }
}

/// A question on its way. Each has a socket of its own, and so a port that only chance knows.
#[derive(Debug)]
struct Question {
    socket: UdpSocket,
    nonce: u64,
}

impl Question {
    async fn ask(server: SocketAddr, nonce: u64) -> io::Result<Self> {
        let any = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any).await?;
        // Connected, it hears nobody else, and is told when nobody is there.
        socket.connect(server).await?;
        socket.send(&request(nonce)).await?;
        Ok(Self { socket, nonce })
    }
}

async fn hear(question: Option<&Question>) -> Event {
    let Some(Question { socket, nonce }) = question else {
        return std::future::pending().await;
    };
    let mut buffer = [0; LARGEST];
    match socket.recv(&mut buffer).await {
        Ok(length) => {
            let at = Moment::now();
            let bytes = buffer.get(..length).unwrap_or_default();
            Event::Heard(Heard {
                reply: parse(bytes, *nonce),
                at,
                // Only a kernel without the call does not say; then no speed is known.
                frequency: sys::clock::discipline().map_or(0, |it| it.frequency),
            })
        }
        Err(error) => Event::Lost(error.to_string()),
    }
}

async fn until(deadline: Option<Duration>) {
    match deadline {
        Some(at) => tokio::time::sleep(at.saturating_sub(Moment::now().boot)).await,
        None => std::future::pending().await,
    }
}

/// A number that only who sees the question can know: the standard library's hashes are keyed from the system's generator.
fn nonce() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Passes on what changed, and says in the log what a person would want to know.
fn announce(server: SocketAddr, client: &Client, reports: &watch::Sender<TimeServerStatus>) {
    let new = client.status();
    reports.send_if_modified(|old| {
        if *old == new {
            return false;
        }
        if old.phase != new.phase {
            let server = server.ip();
            let (phase, reason) = (new.phase, &new.error);
            tracing::info!(%server, ?phase, reason, "time server");
        }
        *old = new;
        true
    });
}

#[cfg(test)]
mod tests {
    use resources::net::TimeServerPhase;

    use super::*;

    /// An answer of a server of stratum 1.
    fn answer(question: &[u8], origin: u8) -> Vec<u8> {
        let mut packet = vec![0; 48];
        packet[..4].copy_from_slice(&[0b00_100_100, 1, 6, 0xe9]);
        packet[12..16].copy_from_slice(b"GPS\0");
        packet[24..32].copy_from_slice(&question[40..48]);
        packet[31] ^= origin;
        for at in [32, 40] {
            packet[at..at + 8].copy_from_slice(&(0xee00_0000_u64 << 32).to_be_bytes());
        }
        packet
    }

    /// The same, but a word of farewell.
    fn denial(question: &[u8], origin: u8) -> Vec<u8> {
        let mut packet = answer(question, origin);
        packet[1] = 0;
        packet[12..16].copy_from_slice(b"DENY");
        packet
    }

    /// A client of a server that does `with` what it is asked, and of another who knows when it is asked, until it shows a phase.
    async fn phase_with(
        phase: TimeServerPhase,
        with: impl AsyncFn(&UdpSocket, &UdpSocket, SocketAddr, &[u8]),
    ) -> TimeServerStatus {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (server, other) = (bind().await.unwrap(), bind().await.unwrap());
        let client = Client::new(Moment::now().boot);
        let (reporter, mut reports) = watch::channel(client.status());
        let (_wakes, woken) = watch::channel(0);
        let serving = async {
            loop {
                let mut question = [0; 64];
                let (length, from) = server.recv_from(&mut question).await.unwrap();
                assert_eq!(length, 48);
                with(&server, &other, from, &question).await;
            }
        };
        tokio::select! {
            () = run(server.local_addr().unwrap(), client, woken, reporter) => unreachable!("it can be woken"),
            () = serving => unreachable!("it has no end"),
            found = reports.wait_for(|it| it.phase == phase) => found.unwrap().clone(),
        }
    }

    #[tokio::test]
    async fn only_who_was_asked_is_heard_and_only_once() {
        let status = phase_with(
            TimeServerPhase::Answering,
            async |server, other, from, question| {
                // Guesses of the number, a stranger who knows it, and a farewell that is none.
                server.send_to(&answer(question, 1), from).await.unwrap();
                server.send_to(&denial(question, 1), from).await.unwrap();
                other.send_to(&denial(question, 0), from).await.unwrap();
                server.send_to(b"short", from).await.unwrap();
                server.send_to(&answer(question, 0), from).await.unwrap();
            },
        )
        .await;
        assert_eq!((status.samples.len(), &*status.reference), (1, "GPS"));
    }

    #[tokio::test]
    async fn a_farewell_of_who_was_asked_is_one() {
        let status = phase_with(
            TimeServerPhase::Denied,
            async |server, _, from, question| {
                server.send_to(&denial(question, 0), from).await.unwrap();
            },
        )
        .await;
        assert!(status.samples.is_empty());
    }
}
