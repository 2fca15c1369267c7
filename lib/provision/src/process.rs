//! Our processes: starting them, telling them from others, ending them.
//!
//! A number alone says nothing, since numbers are used again: a process is its number *and* its start time. And because a
//! creator can die between starting a process and writing it down, ending a cluster does not rest on the notes: it ends
//! every process whose command line has `-pidfile` with a file of the cluster's folder. A child that has not yet become
//! QEMU still holds its parent's lock on that folder (see `folder`), so whoever holds the lock sees them all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::deadline::Deadline;

/// The kernel's name for the time since the host's last start.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// The host's start that processes are of: what was noted before the last one is gone, and its numbers and times may be
/// those of others by now. None where the kernel does not say.
pub(crate) fn boot() -> Option<String> {
    let id = fs::read_to_string(BOOT).ok()?;
    Some(id.trim().to_owned())
}

/// How long a process may be between two programs: far more than the kernel needs.
const BECOMING: Duration = Duration::from_millis(500);

/// One process, for good: its number is not mistaken for a later one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The number.
    pub pid: i32,
    /// When it was started, in clock ticks since the host's boot.
    pub started: u64,
}

/// What went wrong with a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The file for its messages cannot be made.
    #[error("cannot write {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be started.
    #[error("cannot start {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended before it could be looked at.
    #[error("{} ended at once", program.display())]
    Gone {
        /// The program.
        program: PathBuf,
    },
    /// The list of processes cannot be read.
    #[error("cannot read /proc")]
    List(#[source] io::Error),
    /// It cannot be ended.
    #[error("cannot end process {pid}")]
    Kill {
        /// Its number.
        pid: i32,
        /// Why.
        #[source]
        source: nix::Error,
    },
    /// It was told to end and did not.
    #[error("process {pid} is still there {}s after it was killed", limit.as_secs())]
    Stays {
        /// Its number.
        pid: i32,
        /// How long was waited.
        limit: Duration,
    },
}

impl Process {
    /// Starts a program in a folder, apart from the terminal's signals, with its messages in a file.
    pub(crate) fn start(
        program: &Path,
        argv: &[OsString],
        folder: &Path,
        log: &Path,
    ) -> Result<Self, ProcessError> {
        Self::start_between(program, argv, folder, log, None)
    }

    /// The same with two files of ours as its standard input and output.
    pub(crate) fn start_between(
        program: &Path,
        argv: &[OsString],
        folder: &Path,
        log: &Path,
        files: Option<(OwnedFd, OwnedFd)>,
    ) -> Result<Self, ProcessError> {
        let opened = File::options().create(true).append(true).open(log);
        let output = opened.and_then(|file| Ok((file.try_clone()?, file)));
        let (out, err) = output.map_err(|source| ProcessError::Log {
            path: log.to_owned(),
            source,
        })?;
        let (input, out) = match files {
            Some((input, output)) => (input.into(), output.into()),
            None => (Stdio::null(), out.into()),
        };
        let child = Command::new(program)
            .args(argv)
            .current_dir(folder)
            .stdin(input)
            .stdout::<Stdio>(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|source| ProcessError::Start {
                program: program.to_owned(),
                source,
            })?;
        i32::try_from(child.id())
            .ok()
            .and_then(Self::look)
            .ok_or_else(|| ProcessError::Gone {
                program: program.to_owned(),
            })
    }

    /// The process that has this number now, dead ones that nobody has collected included.
    fn look(pid: i32) -> Option<Self> {
        let stat = stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        Some(Self {
            pid,
            started: stat.started,
        })
    }

    /// Whether it still runs.
    pub fn alive(self) -> bool {
        // Collects it in case it was ours; anyone else's gives an error that does not matter.
        let _not_ours = waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG));
        fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .ok()
            .and_then(|text| stat(&text))
            .is_some_and(|stat| stat.started == self.started && stat.runs())
    }

    /// Tries something of it until that works; gives the last error when the deadline passes or it has ended, after
    /// which it never will.
    pub(crate) fn ask<T>(
        self,
        deadline: Deadline,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        let outcome = deadline.until(|| {
            // Looked at first: one that is gone after a failed attempt may have become ready, and ended, in between.
            let alive = self.alive();
            match attempt() {
                Err(error) if alive => {
                    last = error;
                    None
                }
                outcome => Some(outcome),
            }
        });
        outcome.unwrap_or(Err(last))
    }

    /// Ends it at once and waits until it is gone.
    pub(crate) fn kill(self, deadline: Deadline) -> Result<(), ProcessError> {
        if !self.alive() {
            return Ok(());
        }
        match kill(Pid::from_raw(self.pid), Signal::SIGKILL) {
            Ok(()) | Err(nix::Error::ESRCH) => {}
            Err(source) => {
                return Err(ProcessError::Kill {
                    pid: self.pid,
                    source,
                });
            }
        }
        deadline
            .until(|| (!self.alive()).then_some(()))
            .ok_or(ProcessError::Stays {
                pid: self.pid,
                limit: deadline.limit(),
            })
    }

    /// Every process that was started with its `-pidfile` in this folder.
    pub(crate) fn of_folder(folder: &Path) -> Result<Vec<Self>, ProcessError> {
        Self::with_pidfile(|file| file.parent() == Some(folder))
    }

    /// Every process that was started with this `-pidfile`.
    pub(crate) fn of_file(file: &Path) -> Result<Vec<Self>, ProcessError> {
        Self::with_pidfile(|found| found == file)
    }

    fn with_pidfile(wanted: impl Fn(&Path) -> bool) -> Result<Vec<Self>, ProcessError> {
        // One that is becoming another program has closed its lock already and has no command line yet, for some
        // microseconds; it is looked at again. One that hides its command line for good is not waited for.
        let deadline = Deadline::after(BECOMING);
        let mut found = Vec::new();
        deadline.try_until(|| {
            let (processes, unsettled) = scan(&wanted).map_err(ProcessError::List)?;
            found = processes;
            Ok((!unsettled).then_some(()))
        })?;
        Ok(found)
    }
}

/// One look at all processes: those with a wanted file, and whether one is there that does not say yet what it is.
fn scan(wanted: impl Fn(&Path) -> bool) -> io::Result<(Vec<Process>, bool)> {
    let mut found = Vec::new();
    let mut unsettled = false;
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // One that ends meanwhile, or belongs to somebody else, is none of ours.
        let Ok(line) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        if pidfile(&line).is_some_and(&wanted) {
            found.extend(Process::look(pid));
        } else if line.is_empty() {
            // Kernel threads and dead processes have no command line either, but no program too.
            unsettled |= fs::read_link(entry.path().join("exe")).is_ok();
        }
    }
    Ok((found, unsettled))
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    threads: u32,
    started: u64,
}

impl Stat {
    /// Whether any of it still runs. Of one that is killed the first thread can be dead before the others, and as long as
    /// one of them is there, so are its files and the locks on them.
    fn runs(self) -> bool {
        match self.state {
            'X' => false,
            'Z' => self.threads > 1,
            _ => true,
        }
    }
}

/// Reads the text of `/proc/PID/stat`, whose second field may hold anything, parentheses included.
fn stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    // Fields 3, 20 and 22 of proc_pid_stat(5).
    let state = fields.next()?.chars().next()?;
    let threads = fields.nth(16)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    Some(Stat {
        state,
        threads,
        started,
    })
}

/// The file of a command line, as `/proc/PID/cmdline` shows it, that has a `-pidfile`.
fn pidfile(line: &[u8]) -> Option<&Path> {
    let mut words = line.split(|byte| *byte == 0);
    words.find(|word| *word == b"-pidfile")?;
    Some(Path::new(OsStr::from_bytes(words.next()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    #[test]
    fn stat_survives_hostile_names() {
        let tail = "S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 777 23";
        let expected = Stat {
            state: 'S',
            threads: 20,
            started: 777,
        };
        assert_eq!(stat(&format!("42 (a) b) c) {tail}")), Some(expected));
        assert_eq!(stat("42 (x) S 1"), None);
        assert_eq!(stat(""), None);
    }

    #[test]
    fn a_process_runs_until_its_last_thread_is_dead() {
        let runs = |state, threads| {
            Stat {
                state,
                threads,
                started: 0,
            }
            .runs()
        };
        assert!(runs('S', 1) && runs('R', 3) && runs('Z', 2));
        assert!(!runs('Z', 1) && !runs('X', 0));
    }

    #[test]
    fn only_what_follows_the_option_is_its_file() {
        let file = |line: &'static [u8]| pidfile(line).and_then(Path::to_str);
        let qemu = b"qemu\0-name\0x\0-pidfile\0/c/demo/switch.pid\0";
        assert_eq!(file(qemu), Some("/c/demo/switch.pid"));
        assert_eq!(file(b"less\0/c/demo/console.log\0"), None);
        assert_eq!(file(b"qemu\0-pidfile"), None);
        assert_eq!(file(b""), None);
    }

    #[test]
    fn a_process_is_found_and_ended_and_its_number_alone_is_not_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let argv: Vec<OsString> = vec![
            "-c".into(),
            "kill -STOP $$".into(),
            "-pidfile".into(),
            path.join("x.pid").into(),
        ];
        let process = Process::start(Path::new("/bin/sh"), &argv, path, &path.join("log")).unwrap();
        let found = soon().until(|| {
            let found = Process::of_folder(path).unwrap();
            (!found.is_empty()).then_some(found)
        });
        assert_eq!(found, Some(vec![process]));
        let by_file = |name: &str| Process::of_file(&path.join(name)).unwrap();
        assert_eq!(by_file("x.pid"), [process]);
        assert_eq!(by_file("y.pid"), []);
        let parent = path.parent().unwrap();
        assert!(!Process::of_folder(parent).unwrap().contains(&process));

        let earlier = Process {
            started: process.started - 1,
            ..process
        };
        assert!(!earlier.alive());
        earlier.kill(soon()).unwrap();
        assert!(process.alive(), "another process of that number was killed");

        let mut attempts = 0;
        let answer = process.ask(soon(), || {
            attempts += 1;
            (attempts == 3)
                .then_some("ready")
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        });
        assert_eq!(answer.unwrap(), "ready");

        process.kill(soon()).unwrap();
        assert!(!process.alive());
        assert_eq!(Process::of_folder(path).unwrap(), vec![]);

        // Even with all the time in the world, the dead are asked once.
        attempts = 0;
        let answer = process.ask(Deadline::after(Duration::from_secs(3600)), || {
            attempts += 1;
            Err::<(), _>(io::ErrorKind::ConnectionRefused.into())
        });
        assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(attempts, 1);
    }
}
