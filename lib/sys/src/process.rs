//! Processes that outlive who started them: started by a daemon of many threads, watched by whoever finds them.
//!
//! Owns: the steps between fork and exec that give a process its group, its user and no more rights than it needs, and
//! descriptors of processes, which unlike numbers never come to mean another one. Never: policy, or what is started.
//!
//! A fork of a process with many threads may do nothing there that takes a lock, such as asking for memory. So the steps
//! are fixed, made of bare system calls, and all that they need is made before the fork.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::{c_int, c_long, c_ulong};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

/// What a process is and may do, before it is its program.
#[derive(Debug)]
pub struct Place {
    /// The `cgroup.procs` of the group it joins, open for writing; none: it stays in that of its parent.
    pub group: Option<File>,
    /// How gladly the kernel kills it for memory.
    pub oom_score_adj: i32,
    /// Its user; none: that of its parent.
    pub user: Option<User>,
    /// The capabilities it keeps, one bit each by its number; none: all that its parent has.
    pub capabilities: Option<u64>,
}

/// Who a process is, by numbers.
#[derive(Debug)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Starts `command` as the leader of a session of its own, in its place. Gives the process id; the caller reaps it.
///
/// # Errors
/// The fork, one of the steps or the exec failed; there is no process then.
pub fn start(command: &mut Command, place: Place) -> io::Result<u32> {
    let score = format!("{}", place.oom_score_adj);
    let steps = move || take(&place, score.as_bytes());
    // SAFETY: pre_exec wants a closure that is sound in a fresh fork of a process with other threads, whose locks stay
    // taken for ever there. `take` makes bare system calls on memory that exists already: it allocates nothing, frees
    // nothing and takes no lock. std offers no safe way to run steps there.
    let command = unsafe { command.pre_exec(steps) };
    command.spawn().map(|child| child.id())
}

/// The steps. Only what POSIX lets a signal handler do, and bare system calls.
fn take(place: &Place, score: &[u8]) -> io::Result<()> {
    // First of all: from here on whoever looks for the service's processes finds this one.
    if let Some(group) = &place.group {
        write(group.as_fd(), b"0")?;
    }
    nix::unistd::setsid()?;
    // SAFETY: open wants a text that ends with a zero, which a C literal is.
    let opened = unsafe {
        libc::open(
            c"/proc/self/oom_score_adj".as_ptr(),
            libc::O_WRONLY | libc::O_CLOEXEC,
        )
    };
    let opened = checked(opened.into())?;
    let opened = c_int::try_from(opened).unwrap_or(-1);
    // SAFETY: from_raw_fd wants an open descriptor that nobody else owns: open has just made it.
    let file = unsafe { OwnedFd::from_raw_fd(opened) };
    write(file.as_fd(), score)?;
    drop(file);
    confine(place)
}

/// Gives up rights, those of the user last but for the ones that are kept over it.
fn confine(place: &Place) -> io::Result<()> {
    if let Some(kept) = place.capabilities {
        bound(kept)?;
        nix::sys::prctl::set_keepcaps(true)?;
    }
    if let Some(user) = &place.user {
        become_user(user)?;
    }
    if let Some(kept) = place.capabilities {
        hold(kept)?;
        nix::sys::prctl::set_no_new_privs()?;
    }
    Ok(())
}

fn become_user(user: &User) -> io::Result<()> {
    let (count, groups) = (user.groups.len(), user.groups.as_ptr());
    // SAFETY: setgroups wants so many group ids at the pointer: both are the vector's own. The bare call, since libc's
    // takes locks that other threads may have held.
    checked(unsafe { libc::syscall(libc::SYS_setgroups, count, groups) })?;
    let gid = user.gid;
    // SAFETY: setresgid takes numbers only.
    checked(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })?;
    let uid = user.uid;
    // SAFETY: setresuid takes numbers only.
    checked(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })?;
    Ok(())
}

/// Takes everything out of the bounding set that is not kept.
fn bound(kept: u64) -> io::Result<()> {
    for number in (0..64).filter(|number| kept & (1 << number) == 0) {
        match prctl(libc::PR_CAPBSET_DROP, number, 0) {
            Ok(()) => {}
            // The first number that this kernel has no capability for.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: two words of 32 each.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: c_int,
}

#[repr(C)]
struct Words {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Has exactly these capabilities, over exec too.
fn hold(kept: u64) -> io::Result<()> {
    let header = Header {
        version: CAPABILITY_VERSION,
        pid: 0,
    };
    let words = [kept & 0xffff_ffff, kept >> 32].map(|half| {
        // Both halves fit: one is masked, the other shifted.
        let half = u32::try_from(half).unwrap_or(0);
        Words {
            effective: half,
            permitted: half,
            inheritable: half,
        }
    });
    // SAFETY: capset wants a header and, for this version, two words of three sets, in the kernel's layout: both are
    // `repr(C)` as linux/capability.h has them, and live until it returns.
    checked(unsafe {
        libc::syscall(
            libc::SYS_capset,
            std::ptr::from_ref(&header),
            words.as_ptr(),
        )
    })?;
    for number in (0..64).filter(|number| kept & (1 << number) != 0) {
        let raise = libc::PR_CAP_AMBIENT_RAISE;
        prctl(
            libc::PR_CAP_AMBIENT,
            c_ulong::try_from(raise).unwrap_or(0),
            number,
        )?;
    }
    Ok(())
}

fn prctl(option: c_int, first: c_ulong, second: c_ulong) -> io::Result<()> {
    let zero: c_ulong = 0;
    // SAFETY: the options used here take numbers only.
    let done = unsafe { libc::prctl(option, first, second, zero, zero) };
    checked(done.into()).map(drop)
}

/// Writes in one call; what a kernel file does not take whole it does not take at all.
fn write(file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    nix::unistd::write(file, bytes)?;
    Ok(())
}

/// What a call gave, or why it failed. Makes no memory.
fn checked(given: c_long) -> io::Result<c_long> {
    if given == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(given)
}

/// A descriptor of a process: as long as it is held it means that process and no other.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// Opens the process that has this number now.
    ///
    /// # Errors
    /// There is none, or no room for a descriptor.
    pub fn open(pid: u32) -> io::Result<Self> {
        let zero: c_ulong = 0;
        // SAFETY: pidfd_open takes numbers only.
        let opened = checked(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, zero) })?;
        let number = c_int::try_from(opened).map_err(io::Error::other)?;
        // SAFETY: from_raw_fd wants an open descriptor that nobody else owns: the kernel has just made it, to be closed
        // on exec as all of this kind are.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// Signals it. One that has ended takes none, which is no error.
    ///
    /// # Errors
    /// It is not ours to signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let (fd, zero) = (self.0.as_raw_fd(), 0_usize);
        let call = libc::SYS_pidfd_send_signal;
        // SAFETY: pidfd_send_signal wants an open descriptor, which this type owns, a number, and for the details of the
        // signal a null pointer, which is what the first zero is.
        match checked(unsafe { libc::syscall(call, fd, signal as c_int, zero, zero) }) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// The kernel cannot say.
    pub fn has_ended(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes leave of a child that has ended; `None` for the child of another, whose end only its parent learns.
    ///
    /// # Errors
    /// The kernel cannot say.
    pub fn reap(&self) -> io::Result<Option<Exit>> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        match waitid(Id::PIDFd(self.0.as_fd()), flags) {
            Ok(WaitStatus::Exited(_, code)) => Ok(Some(Exit::Code(code))),
            Ok(WaitStatus::Signaled(_, signal, _)) => Ok(Some(Exit::Signal(signal as c_int))),
            Ok(_) | Err(Errno::ECHILD) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::Stdio;

    use super::*;

    fn place() -> Place {
        Place {
            group: None,
            oom_score_adj: 1000,
            user: None,
            capabilities: None,
        }
    }

    fn wait(process: &Process) -> Exit {
        let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE).expect("an end");
        assert!(process.has_ended().expect("asked"));
        process.reap().expect("reaped").expect("our child")
    }

    /// What a program says that is started from a process of many threads, as this one is.
    fn run(program: &str, args: &[&str], place: Place) -> io::Result<(Exit, String)> {
        let (mut reader, writer) = io::pipe()?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(writer);
        let pid = start(&mut command, place)?;
        drop(command);
        let process = Process::open(pid)?;
        let mut said = String::new();
        reader.read_to_string(&mut said)?;
        Ok((wait(&process), said))
    }

    #[test]
    fn a_process_leads_its_session_in_its_place() {
        let (exit, said) = run("/bin/cat", &["/proc/self/stat"], place()).expect("run");
        assert_eq!(exit, Exit::Code(0));
        let fields: Vec<_> = said.split(' ').collect();
        assert_eq!(fields[0], fields[5], "process and session: {said}");
        let (_, said) = run("/bin/cat", &["/proc/self/oom_score_adj"], place()).expect("run");
        assert_eq!(said, "1000\n");
    }

    #[test]
    fn only_the_capabilities_that_are_kept_are_left() {
        let chosen = Place {
            user: Some(User {
                uid: 4711,
                gid: 4712,
                groups: Vec::new(),
            }),
            capabilities: Some(1 << 10),
            ..place()
        };
        let ran = run("/bin/cat", &["/proc/self/status"], chosen);
        if !nix::unistd::getuid().is_root() {
            // Who has no rights cannot say which to keep; the process must not run with others than were asked for.
            assert_eq!(
                ran.expect_err("refused").kind(),
                io::ErrorKind::PermissionDenied
            );
            return;
        }
        let (exit, said) = ran.expect("run");
        assert_eq!(exit, Exit::Code(0));
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let line = format!("{set}:\t0000000000000400");
            assert!(said.lines().any(|it| it == line), "{set}: {said}");
        }
        for line in [
            "NoNewPrivs:\t1",
            "Uid:\t4711\t4711\t4711\t4711",
            "Groups:\t ",
        ] {
            assert!(said.lines().any(|it| it == line), "{line}: {said}");
        }
    }

    #[test]
    fn ends_are_told_and_the_dead_take_no_signal() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut command = Command::new("/bin/cat");
        command.stdin(reader).stdout(Stdio::null());
        let pid = start(&mut command, place()).expect("started");
        let process = Process::open(pid).expect("a child is there until it is reaped");
        assert!(!process.has_ended().expect("asked"));
        process.signal(Signal::SIGKILL).expect("signalled");
        assert_eq!(wait(&process), Exit::Signal(9));
        process.signal(Signal::SIGKILL).expect("nobody is left");
        drop(writer);
        let first = Process::open(1).expect("the first process");
        assert_eq!(first.reap().expect("asked"), None);
    }
}
