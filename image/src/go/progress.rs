//! Runs a program and shows how far it is by the lines it writes to standard error.
//!
//! On a terminal there is a bar. Elsewhere, in a log, a line now and then: a build of minutes must not look dead.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::report;

/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// How often a log gets a line.
const LINE: Duration = Duration::from_secs(15);

/// What is being waited for.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What is counted, in the plural; nothing is when it is empty.
    pub unit: &'a str,
    /// How many there are.
    pub total: usize,
}

/// Runs `command` to its end and returns its standard output. `counts` says which lines of its standard error are one
/// more; the others are shown only when it fails.
///
/// # Errors
/// When it cannot start or does not succeed.
pub fn run(mut command: Command, work: Work<'_>, counts: fn(&str) -> bool) -> Result<Vec<u8>> {
    let start = Instant::now();
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    let (output, rest) = watch(&mut child, work, counts)?;
    let status = child.wait().context("waiting for its end")?;
    ensure!(
        status.success(),
        "{} failed ({status}):\n{}{}",
        work.name,
        String::from_utf8_lossy(&output),
        rest.join("\n")
    );
    let seconds = start.elapsed().as_secs_f64();
    report::line(&format!("{seconds:>6.1}s  {}", work.name));
    Ok(output)
}

/// Standard output, and the lines of standard error that did not count.
fn watch(
    child: &mut Child,
    work: Work<'_>,
    counts: fn(&str) -> bool,
) -> Result<(Vec<u8>, Vec<String>)> {
    let mut stdout = child.stdout.take().context("its output")?;
    let stderr = BufReader::new(child.stderr.take().context("its messages")?);
    let (send, lines) = mpsc::channel();
    std::thread::scope(|scope| {
        let output = scope.spawn(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).map(|_| bytes)
        });
        scope.spawn(move || {
            for line in stderr.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let rest = follow(&lines, work, counts);
        let output = output
            .join()
            .ok()
            .context("reading its output")?
            .context("reading its output")?;
        Ok((output, rest))
    })
}

/// Shows how far it is until it ends.
fn follow(lines: &Receiver<String>, work: Work<'_>, counts: fn(&str) -> bool) -> Vec<String> {
    let bar = bar(work);
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut done, mut rest) = (0_usize, Vec::new());
    loop {
        match lines.recv_timeout(REDRAW) {
            Ok(line) if counts(&line) => done += 1,
            Ok(line) => rest.push(line),
            Err(RecvTimeoutError::Timeout) => bar.tick(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
        if bar.is_hidden() && told.elapsed() >= LINE {
            told = Instant::now();
            report::line(&sofar(work, done, start.elapsed()));
        }
    }
    bar.finish_and_clear();
    rest
}

/// A log's line.
fn sofar(work: Work<'_>, done: usize, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match work.unit {
        "" => format!("{seconds:>5}s.. {}", work.name),
        unit => format!(
            "{seconds:>5}s.. {}: {done} of {} {unit}",
            work.name, work.total
        ),
    }
}

fn bar(work: Work<'_>) -> ProgressBar {
    let (bar, template) = if work.unit.is_empty() {
        (
            ProgressBar::new_spinner(),
            "{spinner} {msg} {elapsed}".to_owned(),
        )
    } else {
        let total = u64::try_from(work.total).unwrap_or(u64::MAX);
        let unit = work.unit;
        let template = format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {unit} {{elapsed}}");
        (ProgressBar::new(total), template)
    };
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_message(work.name.to_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Work<'static> = Work {
        name: "a test",
        unit: "packages",
        total: 3,
    };

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_messages_are_kept_apart() {
        let script = "echo answer; echo a/b >&2; echo 'warning: x' >&2; exit 3";
        let counts = |line: &str| line.contains('/');
        let mut child = sh(script)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, rest) = watch(&mut child, WORK, counts).unwrap();
        child.wait().unwrap();
        assert_eq!(output, b"answer\n");
        assert_eq!(rest, ["warning: x"]);
        let error = run(sh(script), WORK, counts).unwrap_err().to_string();
        assert!(error.contains("a test failed (exit status: 3)"), "{error}");
        assert!(
            error.contains("warning: x") && !error.contains("a/b"),
            "{error}"
        );
    }

    #[test]
    fn more_than_a_pipe_holds_on_both_does_not_block() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo 0123456789 >&2; echo 0123456789; i=$((i+1)); done";
        let output = run(sh(script), WORK, |_| true).unwrap();
        assert_eq!(output.len(), 11 * 20_000);
    }

    #[test]
    fn a_log_says_how_far_it_is() {
        let elapsed = Duration::from_secs(75);
        assert_eq!(sofar(WORK, 2, elapsed), "   75s.. a test: 2 of 3 packages");
        let work = Work { unit: "", ..WORK };
        assert_eq!(sofar(work, 0, elapsed), "   75s.. a test");
    }
}
