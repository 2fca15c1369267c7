//! The commands, one function each at most a few lines long; what is longer has a module of its own.

use std::fs;
use std::io;
use std::net::TcpStream;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::{ASIDE, PROC, Port, network, processes, programs, services};

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
        "rss" => processes::memory(),
        "freeze" => processes::freeze(next()?).map(|pid| pid.to_string()),
        "service" => services::describe(next()?, next()?).map(|()| String::new()),
        "read" => read(next()?),
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

/// A file as PID 1 sees it.
fn read(path: &str) -> io::Result<String> {
    let path = format!("{PROC}/1/root/{}", path.trim_start_matches('/'));
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
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
