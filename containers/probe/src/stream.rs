//! A client that must not notice anything: numbered messages to an echo, and an account of what came back.
//!
//! One connection as long as it holds. TCP hides what is lost on the way and shows it as time, so a pause is a gap and
//! only what was under way when a connection broke is a loss.

use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::arguments::{Pace, Target};
use crate::get::{TryError, connect};
use crate::names::Names;
use crate::{ProbeError, explain};

/// How long to wait before a connection is made again.
const REST: Duration = Duration::from_millis(100);

/// What is told, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// A connection stands.
    Connected {
        /// To whom.
        peer: String,
    },
    /// None can be made; told once until one can.
    Unreachable {
        /// Why.
        error: String,
    },
    /// It broke.
    Broken {
        /// Why.
        error: String,
        /// Messages that were under way.
        lost: u64,
    },
    /// No echo came for a while, and now one did.
    Gap {
        /// How long.
        seconds: f64,
    },
    /// The account at the end.
    End(Summary),
}

/// The account.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Messages that were sent.
    pub sent: u64,
    /// Those whose echo came.
    pub received: u64,
    /// Those whose echo will never come.
    pub lost: u64,
    /// How often a connection broke.
    pub breaks: u64,
    /// The longest time without an echo, in seconds.
    pub longest_gap: f64,
}

/// Sends until `stop`, or until all of a count are answered or lost; tells what happens meanwhile.
///
/// # Errors
/// When it cannot be told.
pub async fn run(
    names: &Names,
    target: &Target,
    pace: &Pace,
    stop: impl Future<Output = ()>,
    tell: &mut impl FnMut(&Event) -> Result<(), ProbeError>,
) -> Result<Summary, ProbeError> {
    // Apart from the account: one half of a connection counts here while the other half keeps the account.
    let sent = Cell::new(0);
    let mut account = Account::new(&sent, Instant::now());
    {
        let work = send(names, target, pace, &mut account, tell);
        tokio::select! {
            () = stop => {}
            done = work => done?,
        }
    }
    let summary = account.summary(Instant::now());
    tell(&Event::End(summary.clone()))?;
    Ok(summary)
}

async fn send(
    names: &Names,
    target: &Target,
    pace: &Pace,
    account: &mut Account<'_>,
    tell: &mut impl FnMut(&Event) -> Result<(), ProbeError>,
) -> Result<(), ProbeError> {
    let mut told = false;
    while !account.is_done(pace.count) {
        match open(names, target).await {
            Ok(stream) => {
                told = false;
                let peer = stream
                    .peer_addr()
                    .map_or_else(|_| String::new(), |it| it.to_string());
                tell(&Event::Connected { peer })?;
                if let Err(error) = converse(stream, pace, account, tell).await? {
                    let (error, lost) = (error.to_string(), account.broke());
                    tell(&Event::Broken { error, lost })?;
                }
            }
            Err(error) if !told => {
                told = true;
                let error = explain(&error);
                tell(&Event::Unreachable { error })?;
            }
            Err(_) => {}
        }
        if !account.is_done(pace.count) {
            sleep(REST).await;
        }
    }
    Ok(())
}

async fn open(names: &Names, target: &Target) -> Result<TcpStream, TryError> {
    let addresses = names.lookup(&target.host).await?;
    connect(&addresses, target.port).await
}

/// Uses a connection until it breaks, which is the inner error, or all is done.
async fn converse(
    mut stream: TcpStream,
    pace: &Pace,
    account: &mut Account<'_>,
    tell: &mut impl FnMut(&Event) -> Result<(), ProbeError>,
) -> Result<io::Result<()>, ProbeError> {
    let sent = account.sent;
    let (mut read, mut write) = stream.split();
    let writer = async {
        let mut ticks = interval(pace.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while pace.count.is_none_or(|count| sent.get() < count) {
            ticks.tick().await;
            // Counted before: a part of it may be on its way when the connection breaks.
            let number = sent.replace(sent.get() + 1);
            write.write_all(&number.to_be_bytes()).await?;
        }
        // Only the reader knows when all is done.
        std::future::pending().await
    };
    let reader = async {
        while !account.is_done(pace.count) {
            let mut number = [0; 8];
            if let Err(error) = read.read_exact(&mut number).await {
                return Ok(Err(error));
            }
            match account.echo(u64::from_be_bytes(number), Instant::now()) {
                Ok(gap) if gap >= pace.gap => {
                    let seconds = gap.as_secs_f64();
                    tell(&Event::Gap { seconds })?;
                }
                Ok(_) => {}
                Err(wrong) => return Ok(Err(wrong)),
            }
        }
        Ok(Ok(()))
    };
    let (mut writer, mut reader) = (pin!(writer), pin!(reader));
    tokio::select! {
        failed = &mut writer => Ok(failed),
        done = &mut reader => done,
    }
}

/// What was sent, and what came back.
#[derive(Debug)]
struct Account<'a> {
    sent: &'a Cell<u64>,
    received: u64,
    lost: u64,
    breaks: u64,
    longest_gap: Duration,
    /// When the last echo came, or all began.
    last: Instant,
}

impl<'a> Account<'a> {
    fn new(sent: &'a Cell<u64>, now: Instant) -> Self {
        Self {
            sent,
            received: 0,
            lost: 0,
            breaks: 0,
            longest_gap: Duration::ZERO,
            last: now,
        }
    }

    fn is_done(&self, count: Option<u64>) -> bool {
        count.is_some_and(|count| self.received + self.lost >= count)
    }

    /// Takes an echo; gives the time since the one before.
    fn echo(&mut self, number: u64, now: Instant) -> io::Result<Duration> {
        let next = self.received + self.lost;
        if number != next {
            let text = format!("the echo of message {number} came instead of that of {next}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.received += 1;
        let gap = now.duration_since(self.last);
        self.longest_gap = self.longest_gap.max(gap);
        self.last = now;
        Ok(gap)
    }

    /// Gives up what is under way; gives how much that is.
    fn broke(&mut self) -> u64 {
        let lost = self.sent.get() - self.received - self.lost;
        self.lost += lost;
        self.breaks += 1;
        lost
    }

    fn summary(&self, now: Instant) -> Summary {
        Summary {
            sent: self.sent.get(),
            received: self.received,
            lost: self.lost,
            breaks: self.breaks,
            longest_gap: self
                .longest_gap
                .max(now.duration_since(self.last))
                .as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_right_over_breaks_and_gaps() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let sent = Cell::new(4);
        let mut account = Account::new(&sent, start);
        assert_eq!(account.echo(0, at(1)).unwrap(), Duration::from_secs(1));
        assert_eq!(account.echo(1, at(8)).unwrap(), Duration::from_secs(7));
        account.echo(3, at(9)).unwrap_err();
        assert_eq!(account.broke(), 2);
        assert!(account.is_done(Some(4)) && !account.is_done(Some(5)) && !account.is_done(None));
        sent.set(5);
        account.echo(4, at(10)).unwrap();
        assert_eq!(account.broke(), 0);
        let wanted = Summary {
            sent: 5,
            received: 3,
            lost: 2,
            breaks: 2,
            longest_gap: 7.0,
        };
        assert_eq!(account.summary(at(11)), wanted);
        assert!((account.summary(at(60)).longest_gap - 50.0).abs() < 0.001);
    }
}
