//! `osctl` on a terminal of its own, as somebody sees it who sits there. `script` makes the terminal.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use provision::Deadline;
use tempfile::TempDir;

use crate::{osctl, places};

/// A program on a terminal; it ends with this value.
#[derive(Debug)]
pub struct Terminal {
    script: Child,
    folder: TempDir,
}

/// What was written to the terminal, control sequences and all.
const TYPESCRIPT: &str = "typescript";

impl Terminal {
    /// Starts `osctl` on a terminal of 80 columns and 24 lines.
    ///
    /// # Errors
    /// When there is no `script`, or it cannot be started.
    pub fn start(home: &Path, line: &str) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a folder")?;
        let program = places::osctl()?;
        let program = program.to_str().context("a path of UTF-8")?;
        let shell = format!("stty cols 80 rows 24 && exec '{program}' {line}");
        let mut script = Command::new("script");
        script
            .args(["--quiet", "--return", "--flush", "--command", &shell])
            .arg(folder.path().join(TYPESCRIPT))
            .current_dir(home)
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        for (name, value) in osctl::surroundings(home) {
            script.env(name, value);
        }
        let script = script.spawn().context("running script")?;
        Ok(Self { script, folder })
    }

    /// Waits until all these words have been written; without spaces, since what is blank already is not written.
    ///
    /// # Errors
    /// When they are not in time; with what was written.
    pub fn shows(&self, words: &[&str], deadline: Deadline) -> Result<()> {
        let written = || fs::read(self.folder.path().join(TYPESCRIPT)).unwrap_or_default();
        let shown = deadline.until(|| {
            let text = written();
            let text = String::from_utf8_lossy(&text);
            words.iter().all(|word| text.contains(word)).then_some(())
        });
        shown.with_context(|| {
            let text = written();
            format!("{words:?} in {:?}", String::from_utf8_lossy(&text))
        })
    }

    /// Types, and waits until the program has ended well.
    ///
    /// # Errors
    /// When it does not.
    pub fn ends_by(mut self, keys: &str, deadline: Deadline) -> Result<()> {
        let mut keyboard = self.script.stdin.take().context("a keyboard")?;
        keyboard.write_all(keys.as_bytes()).context("typing")?;
        match deadline.until(|| self.script.try_wait().transpose()) {
            Some(ended) => {
                let status = ended.context("waiting for script")?;
                ensure!(status.success(), "it ended with {status}");
                Ok(())
            }
            None => bail!("it goes on after {keys:?} was typed"),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Gone already, or not wanted any more; with its terminal the program goes too.
        self.script.kill().and_then(|()| self.script.wait()).ok();
    }
}
