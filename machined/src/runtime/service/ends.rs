//! Hears of the ends of processes, any number of them through one descriptor.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;

use cosi::Source;
use futures_util::stream;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::unix::AsyncFd;

use crate::runtime::readable;

/// Ends taken from the kernel at once.
const BATCH: usize = 32;

/// The descriptor. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Ends(Arc<Epoll>);

impl Ends {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?)))
    }

    /// Hears of a process's end, once; until its descriptor is closed.
    pub(super) fn watch(&self, process: impl AsFd) -> io::Result<()> {
        let once = EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT;
        Ok(self.0.add(process, EpollEvent::new(once, 0))?)
    }

    /// Takes what is told, until nothing is.
    fn take(&self) -> io::Result<bool> {
        let mut events = [EpollEvent::empty(); BATCH];
        let mut any = false;
        while self.0.wait(&mut events, EpollTimeout::ZERO)? > 0 {
            any = true;
        }
        Ok(any)
    }
}

impl AsRawFd for Ends {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

/// Wakes when a process has ended.
pub(super) fn source(ends: Ends) -> Source {
    match readable(ends) {
        Ok(ends) => Box::pin(stream::unfold(ends, |ends| async {
            match next(&ends).await {
                Ok(()) => Some(((), ends)),
                Err(error) => {
                    tracing::error!(%error, "the ends of services are noticed late from now on");
                    None
                }
            }
        })),
        Err(error) => {
            tracing::error!(%error, "the ends of services are noticed late");
            Box::pin(stream::empty())
        }
    }
}

async fn next(ends: &AsyncFd<Ends>) -> io::Result<()> {
    loop {
        let mut ready = ends.readable().await?;
        // Before the look, so that an end that is told after it makes it ready again.
        ready.clear_ready();
        if ends.get_ref().take()? {
            return Ok(());
        }
    }
}
