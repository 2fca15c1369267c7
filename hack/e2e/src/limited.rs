//! Programs that come to an end, if need be before they want to.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use provision::Deadline;

/// What a program gave that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The command line, for messages.
    pub(crate) line: String,
    /// The exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

/// Runs a program, and ends it when it takes too long.
///
/// # Errors
/// When it cannot be started, or had to be ended.
pub(crate) fn run_limited(mut command: Command, limit: Duration) -> Result<Ended> {
    let line = line(&command);
    // Files, not pipes: nobody has to read them while it runs.
    let folder = tempfile::tempdir().context("making a folder")?;
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    command
        .stdout(fs::File::create(&out).context("making a file")?)
        .stderr(fs::File::create(&err).context("making a file")?);
    let mut child = command
        .spawn()
        .with_context(|| format!("starting {line}"))?;
    let ended = Deadline::after(limit).until(|| child.try_wait().transpose());
    if ended.is_none() {
        child.kill().and_then(|()| child.wait()).ok();
    }
    let text = |file| fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (out, err) = (text(&out)?, text(&err)?);
    let Some(status) = ended else {
        bail!("{line} did not end within {limit:?}\n{out}{err}");
    };
    let code = status
        .with_context(|| format!("waiting for {line}"))?
        .code();
    Ok(Ended {
        line,
        code,
        out,
        err,
    })
}

/// A command as somebody would write it, without the folder of its program.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let words = [program].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn what_a_program_says_is_kept_by_where_it_says_it() {
        let script = "echo one; echo two >&2; exit 3";
        let day = Duration::from_secs(86_400);
        let ended = run_limited(shell(script), day).expect("it ends");
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("one\n", "two\n"));
        assert_eq!(ended.code, Some(3));
        assert_eq!(ended.line, format!("sh -c {script}"));
    }

    #[test]
    fn one_that_hangs_is_ended() {
        let limit = Duration::from_millis(1);
        let error = run_limited(shell("exec sleep 86400"), limit).expect_err("it hangs");
        assert_eq!(
            error.to_string(),
            "sh -c exec sleep 86400 did not end within 1ms\n"
        );
    }
}
