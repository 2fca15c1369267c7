//! Running the node's own programs, as PID 1 would: with its root and its devices. And so programs that the agent carries,
//! which are nowhere in that root.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::unistd::{chdir, chroot};

use crate::{ASIDE, PROC};

/// The word that makes the agent one of the node's programs. A program of its own, since only it may change its root.
pub(crate) const WITHIN: &str = "within";

/// The word before the name of a program that the agent carries.
const CARRIED: &str = "carried";

/// Runs a program to its end; gives what it says.
pub(crate) fn run<'a>(words: &mut impl Iterator<Item = &'a str>) -> io::Result<String> {
    let mut command = Command::new(format!("{PROC}/self/exe"));
    command.arg(WITHIN).args(words);
    // Where the agent is, there is no /dev/null. This pipe is closed at once.
    command.stdin(Stdio::piped());
    let output = command.output()?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    // An answer that is an error has one line.
    let complaint = said(&output.stderr).replace('\n', "; ");
    Err(io::Error::other(format!("{}: {complaint}", output.status)))
}

/// Becomes the program that the arguments name.
pub(crate) fn become_program() -> io::Result<Infallible> {
    let mut words = std::env::args_os().skip(2);
    let mut next = || words.next().ok_or(io::ErrorKind::InvalidInput);
    let mut program = next()?;
    let carried = if program == CARRIED {
        Some(File::open(format!("{ASIDE}/{}", next()?.display()))?)
    } else {
        None
    };
    chroot(format!("{PROC}/1/root").as_str())?;
    chdir("/")?;
    if let Some(file) = &carried {
        program = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    }
    Err(Command::new(program).args(words).exec())
}
