//! PID 1: finds and verifies the root, prepares the machine, keeps two daemons running, and ends the machine in order.
//!
//! Owns: everything that must happen before a daemon runs and after the last one ended. Never: a config, a network,
//! a second thread, a heap that grows. Whatever can go wrong in stage 2 is written to the kernel log and passed over;
//! a node that answers with a fault is better than one that does not boot.

pub mod cmdline;
pub mod log;
pub mod modprobe;
pub mod stage1;
pub mod stage2;
pub mod supervise;

mod clock;
mod mounts;

pub use clock::since_boot;
pub use mounts::root_is_in_memory;

/// The environment variable in which stage 1 tells stage 2, and init its daemons, when PID 1's first instruction ran:
/// nanoseconds of CLOCK_BOOTTIME.
pub const BEGAN_ENV: &str = "GARBOARD_INIT_NS";

/// The program that stage 1 hands over to, in the real root.
pub const INIT_PROGRAM: &str = "/usr/bin/init";
