//! A connection that must not notice anything.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// How many lines show that it goes on.
const LINES: usize = 100;

/// A connection to somebody who sends everything back. It carries numbered lines there and back.
#[derive(Debug)]
pub struct Numbered {
    stream: TcpStream,
    number: u64,
}

impl Numbered {
    /// Connects; a line that is not back after `limit` is lost.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(address: SocketAddr, limit: Duration) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(limit))?;
        Ok(Self { stream, number: 0 })
    }

    /// Sends some lines, one after the other.
    ///
    /// # Errors
    /// When the connection broke, or something else came back.
    pub fn goes_on(&mut self) -> Result<()> {
        (0..LINES).try_for_each(|_| self.round_trip().map(drop))
    }

    /// How long one line takes there and back.
    ///
    /// # Errors
    /// When the connection broke, or something else came back.
    pub fn round_trip(&mut self) -> Result<Duration> {
        self.number += 1;
        let line = format!("line {}\n", self.number);
        let since = Instant::now();
        self.stream
            .write_all(line.as_bytes())
            .context("the connection broke")?;
        let mut back = vec![0; line.len()];
        self.stream
            .read_exact(&mut back)
            .with_context(|| format!("{line:?} did not come back"))?;
        let took = since.elapsed();
        ensure!(
            back == line.as_bytes(),
            "another line came back for {line:?}"
        );
        Ok(took)
    }
}
