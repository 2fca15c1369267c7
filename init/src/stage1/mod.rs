//! The initramfs: from the kernel's hand-over to the verified root.
//!
//! Owns: drivers for what may hold the root, finding it, verifying it, switching to it. Every wait is bounded: without
//! a root the machine says why and starts again, because nobody may be there to press a key.

mod drivers;
mod find;
mod open;
mod probe;
mod switch;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use nix::poll::{PollTimeout, poll};
use nix::sys::reboot::{RebootMode, reboot};

use crate::cmdline::{CommandLine, CommandLineError};
use crate::log::{Log, chain};
use crate::{clock, mounts};

/// Time to read the screen before the machine starts again.
const READING_TIME: Duration = Duration::from_secs(10);

/// Why there is no root to switch to.
#[derive(Debug, thiserror::Error)]
enum Stage1Error {
    #[error("read the kernel command line")]
    ReadCommandLine(#[source] std::io::Error),
    #[error("understand the kernel command line")]
    CommandLine(#[source] CommandLineError),
    #[error("find the root")]
    Find(#[source] find::FindError),
    #[error("switch to the root")]
    Switch(#[source] switch::SwitchError),
}

/// Runs stage 1. It returns only when there is no root: the machine then starts again.
pub fn run(began: Duration) -> ExitCode {
    let early = Log::open();
    mounts::early(&early);
    let log = Log::open();
    // Otherwise the kernel drops all but ten lines of five seconds. The command line may have settled it already, and
    // then refuses.
    fs::write("/proc/sys/kernel/printk_devkmsg", "on").ok();
    log.info(&format!("stage 1 at {}", began.as_nanos()));
    clock::clamp(&log);
    if let Err(error) = boot(began, &log) {
        log.write(sys::kmsg::Level::Critical, &chain(&error));
        let wait = READING_TIME.as_secs();
        log.write(
            sys::kmsg::Level::Critical,
            &format!("no root to boot; starting again in {wait} s"),
        );
        poll(
            &mut [],
            PollTimeout::try_from(READING_TIME).unwrap_or(PollTimeout::ZERO),
        )
        .ok();
        let Err(errno) = reboot(RebootMode::RB_AUTOBOOT);
        log.error(&format!("reboot: {errno}"));
    }
    ExitCode::FAILURE
}

fn boot(began: Duration, log: &Log) -> Result<(), Stage1Error> {
    let text = fs::read_to_string("/proc/cmdline").map_err(Stage1Error::ReadCommandLine)?;
    let command_line = CommandLine::parse(&text).map_err(Stage1Error::CommandLine)?;
    let drivers = drivers::Drivers::read(&text, log);
    find::find_root(command_line.root.as_ref(), &drivers, log).map_err(Stage1Error::Find)?;
    let Err(error) = switch::switch_root(began, log);
    Err(Stage1Error::Switch(error))
}
