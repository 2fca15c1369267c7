//! Running `osctl` as a person would, in folders that belong to one test.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use provision::Deadline;

use crate::limited::{Ended, line, run_limited};
use crate::places;

/// What a run of `osctl` gave.
#[derive(Clone, Debug)]
pub struct Said {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// The output of a run that must have gone well.
    ///
    /// # Errors
    /// When it did not.
    pub fn fine(self) -> Result<String> {
        ensure!(
            self.code == Some(0),
            "{} ended with {:?}\n{}{}",
            self.line,
            self.code,
            self.out,
            self.err
        );
        Ok(self.out)
    }

    /// The complaint of a run that must have failed, for what it met or for how it was asked.
    ///
    /// # Errors
    /// When it went well, or ended in another way than by saying so.
    pub fn refused(self) -> Result<String> {
        ensure!(
            matches!(self.code, Some(1 | 2)),
            "{} ended with {:?}, not with 1 or 2\n{}{}",
            self.line,
            self.code,
            self.out,
            self.err
        );
        Ok(self.err)
    }
}

/// Runs `osctl` with its home in a folder, and ends it when it takes too long.
///
/// # Errors
/// When it cannot be started, or had to be ended.
pub fn run<S: AsRef<OsStr>>(
    home: &Path,
    args: impl IntoIterator<Item = S>,
    limit: Duration,
) -> Result<Said> {
    let Ended {
        line,
        code,
        out,
        err,
    } = run_limited(command(home, args)?, limit)?;
    Ok(Said {
        line,
        code,
        out,
        err,
    })
}

fn command<S: AsRef<OsStr>>(home: &Path, args: impl IntoIterator<Item = S>) -> Result<Command> {
    let mut command = Command::new(places::osctl()?);
    command
        .args(args)
        .current_dir(home)
        .envs(surroundings(home))
        .env_remove("GARBOARD_CONTEXTS")
        .env_remove("KUBECONFIG");
    Ok(command)
}

/// What tells `osctl` that its home is this folder.
pub(crate) fn surroundings(home: &Path) -> [(&'static str, PathBuf); 4] {
    [
        ("HOME", home.to_owned()),
        // Build machines often run without one.
        ("USER", "tester".into()),
        ("XDG_DATA_HOME", home.join("data")),
        ("XDG_CONFIG_HOME", home.join("config")),
    ]
}

/// An `osctl` that goes on until it is dropped.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    lines: Receiver<String>,
}

/// Starts `osctl`. One whose output is not read stands still as soon as the pipe to us is full.
///
/// # Errors
/// When it cannot be started.
pub fn start<S: AsRef<OsStr>>(
    home: &Path,
    args: impl IntoIterator<Item = S>,
    read: bool,
) -> Result<Running> {
    let mut command = command(home, args)?;
    command.stdout(Stdio::piped());
    let mut child = command.spawn().context("starting osctl")?;
    let (sender, lines) = mpsc::channel();
    if read && let Some(output) = child.stdout.take() {
        // It ends with the process, or when nobody listens any more.
        thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
    }
    let line = line(&command);
    Ok(Running { line, child, lines })
}

impl Running {
    /// Waits for a line with a text in it; gives it. What came before is forgotten.
    ///
    /// # Errors
    /// When none comes in time, or the program ends.
    pub fn says(&self, wanted: &str, deadline: Deadline) -> Result<String> {
        loop {
            let left = deadline.left().unwrap_or_default();
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(wanted) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    let limit = deadline.limit();
                    bail!("{} did not say {wanted:?} within {limit:?}", self.line)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended before it said {wanted:?}", self.line)
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
