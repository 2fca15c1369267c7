//! Killing a process at a moment that is chosen by what it does, not by the time: at files, the kernel holds it there
//! (fanotify(7)) until it is dead.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyEvent, FanotifyResponse, InitFlags, MarkFlags, MaskFlags,
    Response,
};

use crate::{Port, processes};

/// Lays a trap for a process, once; `event TRAPPED pid` tells that it was caught and killed. The moment is
///
/// - `run`: the program at `path` has run `number` times, and is about to run again, whoever runs it; it does all the same;
/// - `open`: the process has opened a file in the folder at `path` and written to it `number` times, and is about to open
///   one again;
/// - `write`: something else than zero stands at byte `number` of the disk at `path`. The kernel tells nobody what happens
///   to devices, so it is looked for without a pause; who makes sure that what he wrote is kept is caught at that.
pub(crate) fn lay(
    port: &'static Port,
    process: String,
    moment: &str,
    path: &Path,
    number: u64,
) -> io::Result<()> {
    let told = move |killed: io::Result<i32>| match killed {
        Ok(pid) => port.say(&format!("event TRAPPED {pid}")),
        Err(error) => port.say(&format!("event TRAP {error}")),
    };
    if moment == "write" {
        let disk = File::open(path)?;
        thread::spawn(move || {
            told(written(&disk, number).and_then(|()| processes::kill(&process)))
        });
        return Ok(());
    }
    let mask = match moment {
        "run" => MaskFlags::FAN_OPEN_EXEC_PERM,
        "open" => MaskFlags::FAN_OPEN_PERM | MaskFlags::FAN_MODIFY | MaskFlags::FAN_EVENT_ON_CHILD,
        other => return Err(io::Error::other(format!("no moment {other:?}"))),
    };
    let flags = InitFlags::FAN_CLASS_CONTENT | InitFlags::FAN_CLOEXEC;
    let group = Fanotify::init(flags, EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC)?;
    group.mark(MarkFlags::FAN_MARK_ADD, mask, AT_FDCWD, Some(path))?;
    let trap = Trap {
        group,
        process,
        left: number,
        written: false,
    };
    // What the kernel holds goes on when the group is dropped.
    thread::spawn(move || told(trap.wait()));
    Ok(())
}

/// Returns when something stands there.
fn written(disk: &File, at: u64) -> io::Result<()> {
    let mut byte = [0];
    while byte == [0] {
        thread::yield_now();
        disk.read_exact_at(&mut byte, at)?;
    }
    Ok(())
}

struct Trap {
    group: Fanotify,
    process: String,
    /// How often it is let go before it is killed.
    left: u64,
    /// It was written to since the last open.
    written: bool,
}

impl Trap {
    /// Waits until the process is in it, and kills it; gives its number.
    fn wait(mut self) -> io::Result<i32> {
        loop {
            for event in self.group.read_events()? {
                let sprung = self.is_sprung(&event)?;
                let killed = sprung.then(|| processes::kill(&self.process));
                if let Some(file) = event.fd() {
                    self.let_go(&event, file)?;
                }
                if let Some(killed) = killed {
                    return killed;
                }
            }
        }
    }

    /// Whether this is the moment.
    fn is_sprung(&mut self, event: &FanotifyEvent) -> io::Result<bool> {
        let mask = event.mask();
        if mask.contains(MaskFlags::FAN_OPEN_EXEC_PERM) {
            let sprung = self.left == 0;
            self.left = self.left.saturating_sub(1);
            return Ok(sprung);
        }
        if event.pid() != processes::pid(&self.process)? {
            return Ok(false);
        }
        if mask.contains(MaskFlags::FAN_MODIFY) {
            self.written = true;
            return Ok(false);
        }
        if self.written {
            self.written = false;
            self.left = self.left.saturating_sub(1);
        }
        Ok(self.left == 0)
    }

    /// Answers, if the kernel waits for an answer. One who was killed waits no more.
    fn let_go(&self, event: &FanotifyEvent, file: BorrowedFd<'_>) -> io::Result<()> {
        let held = MaskFlags::FAN_OPEN_PERM | MaskFlags::FAN_OPEN_EXEC_PERM;
        if !event.mask().intersects(held) {
            return Ok(());
        }
        let response = FanotifyResponse::new(file, Response::FAN_ALLOW);
        match self.group.write_response(response) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}
