//! Starting a process with steps of one's own between fork and exec.
//!
//! Owns: the one unsafe step, and the check that makes it sound. Never waits for the process: reaping is its caller's.
//! Only a process with a single thread may use this; a daemon with a runtime starts processes without such steps.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The number of threads could not be read.
    #[error("count the threads in /proc/self/task")]
    Threads(#[source] io::Error),
    /// Another thread may hold a lock that the child would wait for, for ever.
    #[error("only a process with one thread may do this")]
    NotAlone,
    /// fork, one of the steps, or exec failed.
    #[error("start the process")]
    Start(#[source] io::Error),
}

/// Starts `command`; `setup` runs in the child just before exec. Gives the process id; the caller reaps it.
pub fn spawn<F>(command: &mut Command, setup: F) -> Result<u32, SpawnError>
where
    F: FnMut() -> io::Result<()> + Send + Sync + 'static,
{
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(SpawnError::Threads)?
        .count();
    if threads != 1 {
        return Err(SpawnError::NotAlone);
    }
    // SAFETY: pre_exec wants a closure that is sound in a fresh fork, where locks of other threads stay taken for
    // ever. There are no other threads: counted above, and none can appear before the fork below, since this is the
    // only one. std offers no safe way to run steps there.
    let command = unsafe { command.pre_exec(setup) };
    command
        .spawn()
        .map(|child| child.id())
        .map_err(SpawnError::Start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_when_it_is_not_alone() {
        // The test harness runs each test in a thread of its own, so this process always has two.
        let error = spawn(&mut Command::new("/nonexistent"), || Ok(())).expect_err("must refuse");
        assert!(matches!(error, SpawnError::NotAlone));
    }
}
