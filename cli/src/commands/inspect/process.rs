//! Processes, and their order.

use std::cmp::Reverse;
use std::time::Duration;

use api::v1alpha1 as v1;
use clap::ValueEnum;
use serde::Serialize;

use super::Row;
use crate::commands::stream::time;
use crate::output::size;

/// The order of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// By number
    Pid,
    /// The busiest since their start first
    Cpu,
    /// The largest in memory first
    Memory,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process {
    pid: u32,
    parent: u32,
    state: String,
    threads: u32,
    cpu_seconds: f64,
    virtual_bytes: u64,
    resident_bytes: u64,
    command: String,
    arguments: Vec<String>,
    started: String,
}

impl From<v1::Process> for Process {
    fn from(said: v1::Process) -> Self {
        let cpu = Duration::from_micros(said.cpu_microseconds);
        let started = said.started.as_ref().map(time);
        Self {
            pid: said.pid,
            parent: said.parent,
            state: said.state,
            threads: said.threads,
            cpu_seconds: cpu.as_secs_f64(),
            virtual_bytes: said.virtual_bytes,
            resident_bytes: said.resident_bytes,
            command: said.command,
            arguments: said.arguments,
            started: started.unwrap_or_default(),
        }
    }
}

impl Process {
    /// Threads of the kernel have no command line; neither have the dead, which somebody forgot to collect.
    pub(super) fn is_of_kernel(&self) -> bool {
        self.arguments.is_empty() && self.state != "Z"
    }

    fn line(&self) -> String {
        if self.arguments.is_empty() {
            format!("[{}]", self.command)
        } else {
            self.arguments.join(" ")
        }
    }
}

/// Puts processes in order.
pub(super) fn arrange(processes: &mut [Process], order: Order) {
    match order {
        Order::Pid => processes.sort_by_key(|process| process.pid),
        Order::Cpu => processes.sort_by(|a, b| b.cpu_seconds.total_cmp(&a.cpu_seconds)),
        Order::Memory => processes.sort_by_key(|process| Reverse(process.resident_bytes)),
    }
}

impl Row for Process {
    const HEADINGS: &'static [&'static str] =
        &["PID", "STATE", "THREADS", "CPU TIME", "MEMORY", "COMMAND"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.pid.to_string(),
            self.state.clone(),
            self.threads.to_string(),
            format!("{:.2} s", self.cpu_seconds),
            size(self.resident_bytes),
            self.line(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawn;
    use super::*;

    fn process(pid: u32, cpu: u64, resident: u64, arguments: &[&str]) -> Process {
        Process::from(v1::Process {
            pid,
            state: "S".into(),
            threads: 1,
            cpu_microseconds: cpu,
            resident_bytes: resident,
            command: "name".into(),
            arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
            ..v1::Process::default()
        })
    }

    #[test]
    fn processes_come_in_the_order_asked_for() {
        let mut all = [
            process(3, 10, 1024, &[]),
            process(1, 2_500_000, 512, &["/sbin/init"]),
            process(2, 20, 2048, &["machined"]),
        ];
        let mut pids = |order| {
            arrange(&mut all, order);
            all.iter().map(|it| it.pid).collect::<Vec<_>>()
        };
        assert_eq!(pids(Order::Pid), [1, 2, 3]);
        assert_eq!(pids(Order::Cpu), [1, 2, 3]);
        assert_eq!(pids(Order::Memory), [2, 3, 1]);
    }

    #[test]
    fn threads_of_the_kernel_are_told_from_processes_and_the_dead() {
        let thread = process(2, 0, 0, &[]);
        assert!(thread.is_of_kernel());
        assert_eq!(thread.line(), "[name]");
        let mut dead = process(9, 0, 0, &[]);
        dead.state = "Z".into();
        assert!(!dead.is_of_kernel());
        assert!(!process(1, 0, 0, &["/sbin/init"]).is_of_kernel());
    }

    #[test]
    fn the_node_is_named_where_there_are_several() {
        let row = process(1, 2_500_000, 1 << 20, &["/sbin/init", "--x"]);
        let rows = [("cp-1".to_owned(), &row)];
        assert_eq!(
            drawn(&rows, true),
            [
                "PID  STATE  THREADS  CPU TIME  MEMORY  COMMAND",
                "1    S      1        2.50 s    1 MiB   /sbin/init --x",
            ]
        );
        let several = drawn(&rows, false);
        assert!(several.iter().all(|line| line.len() <= 80), "{several:?}");
        assert!(several.last().is_some_and(|line| line.starts_with("cp-1")));
    }
}
