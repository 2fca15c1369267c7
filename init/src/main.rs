//! PID 1, and `modprobe` under its other name.

use std::env;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let began = init::since_boot();
    let mut arguments = env::args();
    let name = arguments.next().unwrap_or_default();
    if name.rsplit('/').next() == Some("modprobe") {
        return init::modprobe::run(arguments);
    }
    if std::process::id() != 1 {
        // Nobody is left to tell if even this fails.
        writeln!(
            std::io::stderr(),
            "init: only the kernel starts this program"
        )
        .ok();
        return ExitCode::from(2);
    }
    // The initramfs is the only root that lies in memory.
    if init::root_is_in_memory() {
        init::stage1::run(began)
    } else {
        init::stage2::run(began)
    }
}
