//! The real root: from the verified root to two running daemons, and from there to the end of the machine.
//!
//! Owns: the order of the steps. Nothing here is fatal: a step that fails is written down, and the next one runs.

mod cgroup;
mod driver;
mod nodes;
mod spawn;
mod store;
mod sysctl;
mod teardown;
mod watchdog;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::reboot::set_cad_enabled;
use nix::sys::stat::{Mode, umask};

use crate::log::Log;
use crate::{BEGAN_ENV, clock, mounts};

/// Folders in `/run`, with their modes.
const FOLDERS: [(&str, u32); 3] = [
    ("/run/garboard", 0o755),
    (spawn::LOGS, 0o755),
    // Configs hold keys.
    ("/run/garboard/config", 0o700),
];

/// Runs stage 2. It returns only when even the end of the machine failed; the kernel then panics.
pub fn run(began: Duration) -> ExitCode {
    mounts::early(&Log::open());
    let log = Log::open();
    log.info(&format!("stage 2 at {}", clock::since_boot().as_nanos()));
    let mut watchdog = watchdog::Feeder::default();
    watchdog.feed(clock::now(), &log);
    prepare(&log);
    let began = env::var(BEGAN_ENV).unwrap_or_else(|_| began.as_nanos().to_string());
    match driver::Driver::new(&log, watchdog, began) {
        Ok(driver) => {
            let (end, watchdog) = driver.run();
            teardown::finish(end, watchdog, &log);
        }
        Err(error) => log.failed(&error),
    }
    ExitCode::FAILURE
}

fn prepare(log: &Log) {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    mounts::late(log);
    clock::clamp(log);
    sysctl::apply(log);
    nodes::make(log);
    cgroup::make(log);
    if let Err(errno) = set_cad_enabled(false) {
        log.warn(&format!("take over ctrl-alt-del: {errno}"));
    }
    for (folder, mode) in FOLDERS {
        let made = fs::create_dir_all(folder)
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(mode)));
        if let Err(error) = made {
            log.error(&format!("make {folder}: {error}"));
        }
    }
}
