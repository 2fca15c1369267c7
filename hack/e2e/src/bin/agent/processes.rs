//! The processes of the machine, as the agent's own `/proc` shows them.

use std::fs;
use std::io;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::PROC;

/// Every process with its name.
fn all() -> io::Result<Vec<(i32, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(PROC)? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // One that has just ended has no name any more.
        if let Ok(comm) = fs::read_to_string(format!("{PROC}/{pid}/comm")) {
            found.push((pid, comm.trim_end().to_owned()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The one process of a name.
pub(crate) fn pid(name: &str) -> io::Result<i32> {
    let found: Vec<_> = all()?
        .into_iter()
        .filter(|(_, comm)| comm == name)
        .collect();
    match found.as_slice() {
        [(pid, _)] => Ok(*pid),
        several => Err(io::Error::other(format!(
            "{} processes are called {name}",
            several.len()
        ))),
    }
}

/// Ends the one process of a name at once; gives its number.
pub(crate) fn kill(name: &str) -> io::Result<i32> {
    let pid = pid(name)?;
    signal::kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    Ok(pid)
}

/// Stops the one process of a name where it is, so that it hangs; gives its number.
pub(crate) fn freeze(name: &str) -> io::Result<i32> {
    let pid = pid(name)?;
    signal::kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
    Ok(pid)
}

/// Name, number, resident and proportional memory in KiB of every process that has some.
pub(crate) fn memory() -> io::Result<String> {
    let line = |(pid, name): (i32, String)| {
        let rollup = fs::read_to_string(format!("{PROC}/{pid}/smaps_rollup")).ok()?;
        let of = |field: &str| rollup.lines().find_map(|line| kibibytes(line, field));
        Some(format!(
            "{name} {pid} rss={} pss={}",
            of("Rss:")?,
            of("Pss:")?
        ))
    };
    let lines: Vec<_> = all()?.into_iter().filter_map(line).collect();
    Ok(lines.join("\n"))
}

fn kibibytes(line: &str, field: &str) -> Option<u64> {
    line.strip_prefix(field)?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}
