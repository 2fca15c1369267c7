//! Says on standard error what is going on; the only module that prints besides `main`.
//!
//! A step shows a spinner on a terminal and leaves one line with its time; without a terminal only
//! the line is written. A closed pipe is nobody's problem.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Runs a step of the build under a name.
///
/// # Errors
/// Those of the step.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    let result = work();
    bar.finish_and_clear();
    if result.is_ok() {
        line(&format!("{:>6.1}s  {name}", start.elapsed().as_secs_f64()));
    }
    result
}

/// Writes one line.
pub fn line(text: &str) {
    // Nothing can be done about a standard error that is gone.
    drop(writeln!(std::io::stderr(), "{text}"));
}
