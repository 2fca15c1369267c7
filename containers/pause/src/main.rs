//! The first process of a pod: it does nothing, and a pod's namespaces live as long as it does.
//!
//! Where the containers of a pod share their processes it is PID 1 among them and gets every process whose parent has
//! ended; so it reaps. It reads and writes nothing, and is told what to do by signals alone: SIGTERM and SIGINT end it.

use std::io::Write as _;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

fn main() -> ExitCode {
    match pause() {
        Ok(()) => ExitCode::SUCCESS,
        Err(errno) => {
            // Nobody is left to tell if even this fails.
            writeln!(std::io::stderr(), "pause: cannot wait for signals: {errno}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Returns when it is asked to.
fn pause() -> nix::Result<()> {
    let awaited = SigSet::from_iter([Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM]);
    // The kernel drops signals that PID 1 neither handles nor blocks, and a blocked one waits until it is asked for.
    awaited.thread_block()?;
    loop {
        // Before the first wait too: a child of whoever became this program may have ended already.
        reap();
        if awaited.wait()? != Signal::SIGCHLD {
            return Ok(());
        }
    }
}

/// Takes leave of every child that has ended: several may share one signal.
fn reap() {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
            // One is gone; it is an error too if it was ended by a signal that has no name.
            Ok(_) | Err(_) => {}
        }
    }
}
