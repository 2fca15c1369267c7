//! A workload for tests of a cluster: servers that tell what reached them, and clients that tell what did not.
//!
//! Static, of one thread, and PID 1 of its container: so it handles the signals that end it. What it prints is for
//! programs: addresses, bodies, JSON lines; its exit code is 0 when all was well, 1 when not, 2 for a wrong call.

pub mod arguments;
pub mod echo;
pub mod get;
pub mod names;
pub mod stream;
pub mod tcp;

use std::error::Error;
use std::io::{self, Write as _};

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, Command, Listen};
use crate::names::Names;

/// Why it ends with 1.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The runtime did not start.
    #[error("start the runtime")]
    Runtime(#[source] io::Error),
    /// Signals cannot be waited for.
    #[error("wait for signals")]
    Signals(#[source] io::Error),
    /// An address cannot be listened on.
    #[error("listen on {0}")]
    Listen(Listen, #[source] io::Error),
    /// The name of the host cannot be read.
    #[error("read the host's name")]
    Host(#[source] io::Error),
    /// A name cannot be looked up.
    #[error(transparent)]
    Names(#[from] names::NamesError),
    /// A page cannot be had.
    #[error(transparent)]
    Get(#[from] get::GetError),
    /// A stream was not whole.
    #[error("the stream broke {breaks} times and lost {lost} of {sent} messages")]
    Stream {
        /// Messages that were sent.
        sent: u64,
        /// Those of which no echo came.
        lost: u64,
        /// How often the connection broke.
        breaks: u64,
    },
    /// No message of a stream was answered.
    #[error("the stream got nothing back")]
    Silence,
    /// What was found cannot be told.
    #[error("write to standard output")]
    Output(#[source] io::Error),
}

/// Does what is asked for.
///
/// # Errors
/// When all is not well; see [`ProbeError`].
pub async fn run(arguments: &Arguments) -> Result<(), ProbeError> {
    match &arguments.command {
        Command::Http { listen } => {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
            let host = host.map_err(ProbeError::Host)?.trim().to_owned();
            let stop = stopped()?;
            echo::serve(&bound(listen).await?, &host, stop).await;
            Ok(())
        }
        Command::Tcp { listen } => {
            let stop = stopped()?;
            tcp::serve(&bound(listen).await?, stop).await;
            Ok(())
        }
        Command::Stream { target, pace } => {
            let names = Names::system(None)?;
            let summary = stream::run(&names, target, pace, stopped()?, &mut tell).await?;
            verdict(&summary)
        }
        Command::Lookup { name, server } => {
            for address in Names::system(*server)?.lookup(name).await? {
                print(&address.to_string())?;
            }
            Ok(())
        }
        Command::Get { url, patience } => {
            let names = Names::system(None)?;
            print(&get::get(&names, url, patience).await?)
        }
    }
}

/// An error with its causes, in one line.
#[must_use]
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors say what their cause says already.
        if !text.ends_with(&more) {
            text.push_str(&format!(": {more}"));
        }
        cause = error.source();
    }
    text
}

fn verdict(summary: &stream::Summary) -> Result<(), ProbeError> {
    let stream::Summary {
        sent,
        received,
        lost,
        breaks,
        ..
    } = *summary;
    if lost > 0 || breaks > 0 {
        return Err(ProbeError::Stream { sent, lost, breaks });
    }
    if received == 0 {
        return Err(ProbeError::Silence);
    }
    Ok(())
}

/// Resolves when the program is asked to end.
fn stopped() -> Result<impl Future<Output = ()>, ProbeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ProbeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ProbeError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn bound(listen: &Listen) -> Result<TcpListener, ProbeError> {
    let failed = |error| ProbeError::Listen(listen.clone(), error);
    let listener = listen.bind().await.map_err(failed)?;
    print(&format!(
        "listening on {}",
        listener.local_addr().map_err(failed)?
    ))?;
    Ok(listener)
}

fn tell(event: &impl Serialize) -> Result<(), ProbeError> {
    let text = serde_json::to_string(event)
        .map_err(io::Error::other)
        .map_err(ProbeError::Output)?;
    print(&text)
}

fn print(line: &str) -> Result<(), ProbeError> {
    writeln!(io::stdout(), "{line}").map_err(ProbeError::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let cause = io::Error::other("the cause");
        let error = ProbeError::Host(cause);
        assert_eq!(explain(&error), "read the host's name: the cause");
        /// As other houses write them.
        #[derive(Debug, thiserror::Error)]
        #[error("told here: {0}")]
        struct Foreign(#[source] io::Error);
        let error = Foreign(io::Error::other("the cause"));
        assert_eq!(explain(&error), "told here: the cause");
    }
}
