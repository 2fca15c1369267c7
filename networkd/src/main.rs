//! networkd: the network daemon. This file is its whole life: check its own rights, greet init, serve, leave all as it is.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use networkd::{daemon, life, rights};
use sys::link::{DaemonEnd, LinkError};
use thiserror::Error;

/// init sends its greeting before anything else; if it does not come, something is badly wrong.
const GREETING: Duration = Duration::from_secs(10);

/// machined's state.
const STATE: &str = "/run/garboard/machined.sock";

#[derive(Debug, Error)]
enum Fatal {
    #[error("wrong rights")]
    Rights(#[source] rights::RightsError),
    #[error("taking the link to init; networkd is started by init, not by hand")]
    Link(#[source] LinkError),
    #[error("starting the async runtime")]
    Runtime(#[source] io::Error),
    #[error("serving")]
    Serve(#[source] daemon::ServeError),
}

fn main() -> ExitCode {
    log();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            tracing::error!("{}", cosi::report(&fatal));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Fatal> {
    rights::check().map_err(Fatal::Rights)?;
    let link = DaemonEnd::from_env().map_err(Fatal::Link)?;
    let greeting = link.wait_start(GREETING).map_err(Fatal::Link)?;
    tracing::info!(
        epoch = greeting.start.epoch,
        reason = greeting.start.reason,
        "start"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fatal::Runtime)?;
    let serving = daemon::serve(Path::new(STATE), || life::ready(&link), life::lived(&link));
    runtime.block_on(serving).map_err(Fatal::Serve)
}

/// One line per event on standard output, which init has opened as our log.
fn log() {
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .with_writer(io::stdout)
        .finish();
    // Only a second call fails, and the first one's subscriber is as good.
    drop(tracing::subscriber::set_global_default(subscriber));
}
