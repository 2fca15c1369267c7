//! The fence between the machines of a cluster and the way out.
//!
//! QEMU's user network looks at no hardware address: on a hub it takes what one machine sends to another for its own, connects to this
//! host in its place, and answers the sender that nobody is there. So it has a hub of its own, and a process of ours between
//! the two passes on what is for everybody or for the network itself, and nothing that is for a machine.
//!
//! The process is the program that makes the cluster, started again with [`ARGUMENT`]; the two sockets that QEMU connects to are its
//! standard input and output, which are there before QEMU is started. It ends when QEMU does.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use crate::state::CARDS;

/// The word that makes a program the fence; what follows tells its process from others.
pub const ARGUMENT: &str = "fence";

/// Its name in the folder of a cluster.
pub(crate) const FENCE: &str = "fence";

/// The sockets of its two sides.
pub(crate) const INNER: &str = "inner.net";
pub(crate) const OUTER: &str = "outer.net";

/// The longest frame that QEMU sends, with all that offloading puts into one.
const LONGEST: usize = 1 << 17;

/// The two sides, before anybody is connected.
pub(crate) struct Sides {
    pub(crate) inner: UnixListener,
    pub(crate) outer: UnixListener,
}

impl Sides {
    /// Makes the sockets in a folder, whose path may be of any length.
    pub(crate) fn listen(folder: &Path) -> io::Result<Self> {
        let open = File::open(folder)?;
        let listen = |name: &str| {
            // One of an earlier life.
            drop(std::fs::remove_file(folder.join(name)));
            let path = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(name);
            UnixListener::bind(path)
        };
        Ok(Self {
            inner: listen(INNER)?,
            outer: listen(OUTER)?,
        })
    }
}

/// Is the fence, with its sides as standard input and output, until one of them closes.
///
/// # Errors
/// They are no sockets that listen, or nobody connects.
pub fn serve() -> io::Result<()> {
    let side = |fd: OwnedFd| Ok::<_, io::Error>(UnixListener::from(fd).accept()?.0);
    let inner = side(io::stdin().as_fd().try_clone_to_owned()?)?;
    let outer = side(io::stdout().as_fd().try_clone_to_owned()?)?;
    join(inner, outer)
}

fn join(inner: UnixStream, outer: UnixStream) -> io::Result<()> {
    let (from_inner, from_outer) = (inner.try_clone()?, outer.try_clone()?);
    let ends = [inner.try_clone()?, outer.try_clone()?];
    let back = thread::spawn(move || copy(from_outer, inner, |_| true));
    let done = copy(from_inner, outer, passes);
    // Whoever waits on the other side waits for nothing.
    for end in ends {
        end.shutdown(std::net::Shutdown::Both).ok();
    }
    back.join()
        .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
    done
}

/// Copies frames, each with its length before it, until the end of them.
fn copy(mut from: impl Read, mut to: impl Write, passes: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let mut message = Vec::new();
    loop {
        let mut length = [0; 4];
        match from.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let count = u32::from_be_bytes(length);
        let count = usize::try_from(count).ok().filter(|it| *it <= LONGEST);
        let count = count.ok_or(io::ErrorKind::InvalidData)?;
        message.clear();
        message.extend(length);
        message.resize(length.len() + count, 0);
        let (_, frame) = message.split_at_mut(length.len());
        from.read_exact(frame)?;
        if passes(frame) {
            to.write_all(&message)?;
        }
    }
}

/// Whether a frame is for anybody else than a machine: its first bytes are whom it is for.
fn passes(frame: &[u8]) -> bool {
    !frame.starts_with(&CARDS)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn message(frame: &[u8]) -> Vec<u8> {
        let length = u32::try_from(frame.len()).unwrap();
        [&length.to_be_bytes(), frame].concat()
    }

    fn to(address: [u8; 6]) -> Vec<u8> {
        [&address[..], &[7; 60]].concat()
    }

    #[test]
    fn only_what_is_for_a_machine_stays_among_machines() {
        let machine = to([0x52, 0x54, 0x00, 0x67, 0x62, 0x02]);
        let router = to([0x52, 0x55, 0x0a, 0x00, 0x02, 0x02]);
        let everybody = to([0xff; 6]);
        let neighbours = to([0x33, 0x33, 0x00, 0x00, 0x00, 0x01]);
        let sent: Vec<u8> = [&machine, &router, &everybody, &machine, &neighbours]
            .iter()
            .flat_map(|it| message(it))
            .collect();
        let mut got = Vec::new();
        copy(Cursor::new(sent), &mut got, passes).unwrap();
        let wanted = [router, everybody, neighbours];
        assert_eq!(got, wanted.map(|it| message(&it)).concat());
    }

    #[test]
    fn what_is_no_frame_ends_it() {
        let mut got = Vec::new();
        let long = u32::MAX.to_be_bytes();
        assert!(copy(Cursor::new(long), &mut got, passes).is_err());
        assert!(copy(Cursor::new(&message(&[1; 60])[..30]), &mut got, passes).is_err());
        assert!(got.is_empty());
    }

    #[test]
    fn it_ends_when_one_side_does() {
        let folder = tempfile::tempdir().unwrap();
        let sides = Sides::listen(folder.path()).unwrap();
        let connect = |name: &str| UnixStream::connect(folder.path().join(name)).unwrap();
        let (mut machines, mut network) = (connect(INNER), connect(OUTER));
        let inner = sides.inner.accept().unwrap().0;
        let outer = sides.outer.accept().unwrap().0;
        let fence = thread::spawn(move || join(inner, outer));
        let back = message(&to([0x52, 0x54, 0x00, 0x67, 0x62, 0x01]));
        network.write_all(&back).unwrap();
        let mut read = vec![0; back.len()];
        machines.read_exact(&mut read).unwrap();
        assert_eq!(read, back);
        drop(machines);
        fence.join().unwrap().unwrap();
        assert_eq!(network.read(&mut read).unwrap(), 0);
    }
}
