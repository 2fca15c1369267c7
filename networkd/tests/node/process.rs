//! networkd as init starts it: a process with three capabilities and a link.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::{Child, Command};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use sys::link::{self, FromInit, InitEnd, Received, Start, ToInit};
use testkit::until;

/// What init leaves it with.
pub(crate) const THREE: &str = "-all,+net_admin,+net_raw,+net_bind_service";

/// The program under these capabilities.
pub(crate) fn command(capabilities: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--inh-caps={capabilities}"))
        .arg(format!("--ambient-caps={capabilities}"))
        .arg(format!("--bounding-set={capabilities}"))
        .arg(env!("CARGO_BIN_EXE_networkd"));
    command
}

/// A running networkd; ended with the test.
pub(crate) struct Networkd {
    child: Child,
    init: InitEnd,
}

impl Networkd {
    pub(crate) fn start() -> Self {
        let (init, daemon) = link::pair().unwrap();
        inherit(daemon.as_fd(), true);
        let number = daemon.as_fd().as_raw_fd().to_string();
        let child = command(THREE)
            .env(link::ENV, number)
            .spawn()
            .expect("setpriv (util-linux) is needed");
        drop(daemon);
        let start = Start {
            epoch: 1,
            safe: false,
            restarts: 0,
            reason: String::new(),
        };
        init.send(&FromInit::Start(start), None).unwrap();
        Self { child, init }
    }

    /// Waits for a frame.
    pub(crate) async fn says(&self, frame: ToInit) {
        let said = || match self.init.recv() {
            Ok(Received::Frame(heard, _)) => (heard == frame).then_some(()),
            Ok(Received::Nothing) => None,
            other => panic!("{other:?}"),
        };
        until("a frame on the link to init", said).await;
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Whether programs started from now on get the descriptor.
fn inherit(fd: BorrowedFd<'_>, yes: bool) {
    let flags = if yes {
        FdFlag::empty()
    } else {
        FdFlag::FD_CLOEXEC
    };
    fcntl(fd, FcntlArg::F_SETFD(flags)).unwrap();
}
