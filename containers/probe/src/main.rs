//! The `probe` program.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use probe::ProbeError;
use probe::arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(ProbeError::Runtime)
        .and_then(|runtime| runtime.block_on(probe::run(&arguments)));
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    let text = probe::explain(&error);
    // Nobody is left to tell if even this fails.
    writeln!(std::io::stderr(), "probe: {text}").ok();
    ExitCode::FAILURE
}
