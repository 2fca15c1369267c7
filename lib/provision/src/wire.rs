//! Unix sockets in a cluster's folder, reached through an open folder so that its path may be of any length.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::deadline::Deadline;
use crate::process::Process;

/// Connects to a process, waiting until its socket is there and answers; gives the last error when the deadline passes or
/// the process has ended: its socket's file stays, and refuses.
pub(crate) fn connect(
    folder: &Path,
    socket: &str,
    process: Process,
    deadline: Deadline,
) -> io::Result<UnixStream> {
    let open = File::open(folder)?;
    let path = format!("/proc/self/fd/{}/{socket}", open.as_raw_fd());
    process.ask(deadline, || UnixStream::connect(&path))
}

/// Sets what is left of the deadline as the limit of the next read or write.
pub(crate) fn bound(stream: &UnixStream, deadline: Deadline) -> io::Result<()> {
    let left = deadline.left().ok_or(io::ErrorKind::TimedOut)?;
    stream.set_read_timeout(Some(left))?;
    stream.set_write_timeout(Some(left))
}
