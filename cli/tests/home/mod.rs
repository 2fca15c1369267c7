//! A place to run the program in.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A home folder of its own, so that no test sees another's contexts.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_osctl"));
        command
            .args(line.split_whitespace())
            .current_dir(self.path())
            .env_clear();
        command.env("HOME", self.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("osctl runs")
    }

    /// Runs and expects success; what it printed.
    pub(crate) fn fine(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{line}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Runs and expects this exit code; what it complained.
    pub(crate) fn fails(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{line}: {}",
            text(&output.stdout)
        );
        text(&output.stderr)
    }
}

/// What a program wrote.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}
