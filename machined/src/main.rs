//! machined: the node daemon. This file is its whole life: take over from a former life, start, serve, go down.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use machined::start::{self, Machined, StartError};
use machined::tasks::{self, Fault};
use sys::link::{DaemonEnd, Greeting, LinkError};
use thiserror::Error;
use tracing::error;

/// init sends its greeting before anything else; if it does not come, something is badly wrong.
const GREETING: Duration = Duration::from_secs(10);

/// Threads for work that blocks: a driver that loads, a console that is drawn, a few configs that are read. What more
/// callers ask for waits its turn.
const BLOCKING_THREADS: usize = 4;

/// The stack of such a thread, in bytes: less than a huge page of x86-64, since a stack of one or more is backed by whole
/// huge pages on kernels that give them to everybody, each two megabytes for a few kilobytes of use.
const STACK: usize = 1 << 20;

/// Where everything lives that must survive a restart of this daemon, but not of the machine.
const RUN: &str = "/run/garboard";

#[derive(Debug, Error)]
enum Fatal {
    #[error("taking the link to init; machined is started by init, not by hand")]
    Link(#[source] LinkError),
    #[error("starting the async runtime")]
    Runtime(#[source] std::io::Error),
    #[error("starting")]
    Start(#[source] StartError),
    #[error("serving")]
    Serve(#[source] Fault),
}

fn main() -> ExitCode {
    start::log();
    match life() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => {
            error!("{}", cosi::report(&fatal));
            ExitCode::FAILURE
        }
    }
}

fn life() -> Result<(), Fatal> {
    let link = DaemonEnd::from_env().map_err(Fatal::Link)?;
    let greeting: Greeting = link.wait_start(GREETING).map_err(Fatal::Link)?;
    sys::allocator::keep_little();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .build()
        .map_err(Fatal::Runtime)?;
    let lived = runtime.block_on(async {
        let machined = Machined::start(Path::new(RUN), link, greeting).map_err(Fatal::Start)?;
        Box::pin(tasks::serve(machined)).await.map_err(Fatal::Serve)
    });
    // A console that somebody has stopped may hold its thread for ever.
    runtime.shutdown_background();
    lived
}
