//! The processes that run.

use std::fs;

use ::api::v1alpha1::{Process, ProcessesResponse};
use jiff::Timestamp;
use procfs::process::{self, Stat};

use super::InspectError;
use crate::runtime::clock::{since_boot, ticks};

/// What the machine counts in.
#[derive(Clone, Copy, Debug)]
struct Units {
    page_bytes: u64,
    booted: Timestamp,
}

pub(super) fn read(now: Timestamp) -> Result<ProcessesResponse, InspectError> {
    let all = process::all_processes().map_err(InspectError::of("/proc"))?;
    let units = Units {
        page_bytes: procfs::page_size(),
        booted: now.saturating_sub(since_boot()).unwrap_or(now),
    };
    let mut processes: Vec<Process> = all
        .filter_map(|one| {
            let stat = one.ok()?.stat().ok()?;
            let line = fs::read(format!("/proc/{}/cmdline", stat.pid)).unwrap_or_default();
            Some(described(&stat, &line, units))
        })
        .collect();
    processes.sort_by_key(|process| process.pid);
    Ok(ProcessesResponse { processes })
}

fn described(stat: &Stat, line: &[u8], units: Units) -> Process {
    let cpu = ticks(stat.utime.saturating_add(stat.stime));
    let started = units.booted.saturating_add(ticks(stat.starttime));
    Process {
        pid: stat.pid.unsigned_abs(),
        parent: stat.ppid.unsigned_abs(),
        state: stat.state.to_string(),
        threads: u32::try_from(stat.num_threads).unwrap_or_default(),
        cpu_microseconds: u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX),
        virtual_bytes: stat.vsize,
        resident_bytes: stat.rss.saturating_mul(units.page_bytes),
        command: stat.comm.clone(),
        arguments: arguments(line),
        started: Some(crate::node::wire_time(started.unwrap_or(units.booted))),
    }
}

/// The words of a command line, each ended by NUL. A process may have written anything there.
fn arguments(line: &[u8]) -> Vec<String> {
    let line = line.strip_suffix(b"\0").unwrap_or(line);
    if line.is_empty() {
        return Vec::new();
    }
    let words = line.split(|byte| *byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use procfs::FromRead as _;

    use super::*;

    #[test]
    fn a_process_in_the_units_of_the_api() {
        let rest = "0 0 0 -1 4194304 0 0 0 0 150 50 0 0 20 0 7 0 1000 8192 3 \
                    18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
        let stat = Stat::from_read(format!("42 (a) b) S 1 {rest}").as_bytes()).unwrap();
        let units = Units {
            page_bytes: 4096,
            booted: Timestamp::from_second(1000).unwrap(),
        };
        let process = described(&stat, b"/bin/x\0--name\0\xff\0", units);
        let expected = Process {
            pid: 42,
            parent: 1,
            state: "S".to_owned(),
            threads: 7,
            cpu_microseconds: 2_000_000,
            virtual_bytes: 8192,
            resident_bytes: 3 * 4096,
            command: "a) b".to_owned(),
            arguments: ["/bin/x", "--name", "\u{fffd}"].map(str::to_owned).to_vec(),
            started: Some(prost_types::Timestamp {
                seconds: 1010,
                nanos: 0,
            }),
        };
        assert_eq!(process, expected);
    }

    #[test]
    fn a_thread_of_the_kernel_has_no_arguments_and_an_empty_one_is_kept() {
        assert_eq!(arguments(b""), Vec::<String>::new());
        assert_eq!(arguments(b"a\0\0b\0"), ["a", "", "b"]);
    }

    #[test]
    fn this_process_is_among_them() {
        let all = read(Timestamp::now()).unwrap();
        let this = all.processes.iter().find(|it| it.pid == std::process::id());
        assert!(this.is_some_and(|it| it.resident_bytes > 0 && !it.arguments.is_empty()));
    }
}
