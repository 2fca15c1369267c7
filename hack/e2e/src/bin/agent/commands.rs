//! The commands, one function each at most a few lines long; what is longer has a module of its own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

use crate::{ASIDE, PROC, Port, network, processes, programs, room, services, traps};

/// What commands keep between them.
#[derive(Debug, Default)]
pub(crate) struct Held {
    connections: Vec<TcpStream>,
}

/// Does what a line says; gives the lines of the answer.
pub(crate) fn run<'a>(
    words: &mut impl Iterator<Item = &'a str>,
    port: &'static Port,
    held: &mut Held,
) -> io::Result<String> {
    let mut next = || words.next().ok_or_else(|| wrong("a word is missing"));
    match next()? {
        "ping" => Ok(String::new()),
        "pid" => processes::pid(next()?).map(|pid| pid.to_string()),
        "kill" => processes::kill(next()?).map(|pid| pid.to_string()),
        "trap" => {
            let (process, moment) = (next()?.to_owned(), next()?);
            let (path, count) = (within(next()?), number(next()?)?);
            traps::lay(port, process, moment, &path, count).map(|()| String::new())
        }
        "rss" => processes::memory(),
        "freeze" => processes::freeze(next()?).map(|pid| pid.to_string()),
        "service" => {
            let (name, does) = (next()?, next()?);
            services::describe(name, does, words).map(|()| String::new())
        }
        "read" => read(next()?),
        "write" => write(next()?, next()?),
        "create" => create(next()?, next()?),
        "fill" => room::fill(&within(next()?)).map(|bytes| bytes.to_string()),
        "crowd" => room::crowd(&within(next()?)).map(|count| count.to_string()),
        "remove" => room::remove(&within(next()?)).map(|()| String::new()),
        "clock" => turn_clock(number(next()?)?),
        "socket" => open_socket(next()?),
        "mount" => try_mount(next()?),
        "run" => programs::run(words),
        "monitor" => network::monitor(port).map(|()| String::new()),
        "echo" => network::echo(number(next()?)?).map(|()| String::new()),
        "flood" => {
            let (to, count) = (number(next()?)?, number(next()?)?);
            network::flood(&mut held.connections, to, count)
        }
        "ebb" => {
            held.connections.clear();
            Ok(String::new())
        }
        other => Err(wrong(&format!("no command {other:?}"))),
    }
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.to_owned())
}

fn number<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse()
        .map_err(|_| wrong(&format!("{word:?} is no number that fits")))
}

/// The path to what PID 1 sees at a path.
fn within(path: &str) -> PathBuf {
    format!("{PROC}/1/root/{}", path.trim_start_matches('/')).into()
}

/// A file as PID 1 sees it.
fn read(path: &str) -> io::Result<String> {
    fs::read(within(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a line to a file that is there, as to the switches of `/sys`, or the kernel's log: there a line without its end
/// is seen by nobody before the next.
fn write(path: &str, text: &str) -> io::Result<String> {
    let mut file = OpenOptions::new().write(true).open(within(path))?;
    let line = format!("{text}\n");
    file.write_all(line.as_bytes()).map(|()| String::new())
}

/// Makes a file with a line, such as a config for a program.
fn create(path: &str, text: &str) -> io::Result<String> {
    fs::write(within(path), format!("{text}\n")).map(|()| String::new())
}

/// Sets the clock forward or, if negative, back by so many seconds; gives what it is then, in seconds since 1970.
fn turn_clock(by: i64) -> io::Result<String> {
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    let then = TimeSpec::new(now.tv_sec() + by, now.tv_nsec());
    clock_settime(ClockId::CLOCK_REALTIME, then)?;
    Ok(then.tv_sec().to_string())
}

/// Opens a socket of a family that the kernel may have to ask a module for.
fn open_socket(family: &str) -> io::Result<String> {
    let opened = match family {
        "vsock" => socket(
            AddressFamily::Vsock,
            SockType::Stream,
            SockFlag::empty(),
            None,
        ),
        "sctp" => {
            let sctp = SockProtocol::Sctp;
            socket(
                AddressFamily::Inet,
                SockType::Stream,
                SockFlag::empty(),
                sctp,
            )
        }
        other => return Err(wrong(&format!("no family {other:?}"))),
    };
    Ok(opened.map(|_| String::new())?)
}

/// Mounts a file system that needs no device, which the kernel may have to ask a module for.
fn try_mount(kind: &str) -> io::Result<String> {
    let target = format!("{ASIDE}/mount");
    fs::create_dir_all(&target)?;
    mount(
        Some(kind),
        target.as_str(),
        Some(kind),
        MsFlags::empty(),
        None::<&str>,
    )?;
    match umount2(target.as_str(), MntFlags::MNT_DETACH) {
        Ok(()) | Err(Errno::EINVAL) => Ok(String::new()),
        Err(errno) => Err(errno.into()),
    }
}
