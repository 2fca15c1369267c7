//! The program `nft`, and what of the rules in the kernel is known to be ours.

use std::io;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::table::{self, NAME};

/// Where it is in the root.
pub(super) const PROGRAM: &str = "/usr/sbin/nft";

/// How long it may take. It takes milliseconds; loading the kernel's modules for it the first time takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why rules are not what they should be.
#[derive(Debug, Error)]
pub(super) enum NftError {
    #[error("running {}", .0.display())]
    Run(PathBuf, #[source] io::Error),
    #[error("{} took longer than {} s", .0.display(), PATIENCE.as_secs())]
    Slow(PathBuf),
    #[error("the kernel refuses the rules: {0}")]
    Refused(String),
    #[error("the rules are gone as soon as they are there")]
    Gone,
}

/// The table, which nobody else has a business with.
#[derive(Debug)]
pub(super) struct Table {
    program: PathBuf,
    made: Option<Made>,
    /// How often somebody else changed it.
    pub(super) drifts: u32,
}

/// What was put there, and what the kernel shows of it.
#[derive(Debug)]
struct Made {
    text: String,
    shown: String,
}

impl Table {
    pub(super) fn new(program: PathBuf) -> Self {
        Self {
            program,
            made: None,
            drifts: 0,
        }
    }

    /// Makes it what a text says. After a restart of ours it is made anew, which no connection notices.
    pub(super) async fn keep(&mut self, text: &str) -> Result<(), NftError> {
        if let Some(made) = &self.made
            && made.text == text
        {
            if self.shown().await?.as_ref() == Some(&made.shown) {
                return Ok(());
            }
            self.drifts += 1;
            tracing::warn!("somebody changed the rules for pods; putting them back");
        }
        self.made = None;
        self.load(text).await?;
        tracing::info!("rules for pods are in place");
        let shown = self.shown().await?.ok_or(NftError::Gone)?;
        self.made = Some(Made {
            text: text.to_owned(),
            shown,
        });
        Ok(())
    }

    /// Takes it away, also one of a life before.
    pub(super) async fn clear(&mut self) -> Result<(), NftError> {
        self.made = None;
        self.load(&table::none()).await
    }

    /// Puts into the kernel what a text says, all or nothing.
    async fn load(&mut self, text: &str) -> Result<(), NftError> {
        let output = self.run(&["-f", "-"], text).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        // The lines after the first one point into the text, which nobody sees.
        let said = said.lines().next().unwrap_or("without a word");
        Err(NftError::Refused(said.to_owned()))
    }

    /// What the kernel has of it; `None`: nothing.
    async fn shown(&self) -> Result<Option<String>, NftError> {
        let [family, name] = NAME;
        let output = self.run(&["list", "table", family, name], "").await?;
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(output.status.success().then_some(shown))
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Result<Output, NftError> {
        let failed = |error| NftError::Run(self.program.clone(), error);
        let ran = async {
            let mut child = Command::new(&self.program)
                .args(arguments)
                .env_clear()
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                // One that ends before it has read all says by its end why.
                drop(stdin.write_all(input.as_bytes()).await);
            }
            child.wait_with_output().await
        };
        let ran = timeout(PATIENCE, ran).await;
        ran.map_err(|_| NftError::Slow(self.program.clone()))?
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::tests::machine;
    use super::*;

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[tokio::test]
    async fn what_stands_is_left_alone_and_what_somebody_changed_comes_back() {
        let (folder, program) = machine();
        let mut table = Table::new(program);
        for text in ["one", "one", "two"] {
            table.keep(text).await.unwrap();
        }
        assert_eq!(read(folder.path(), "rules"), "two\n");
        assert_eq!(read(folder.path(), "rules.log"), "loaded\nloaded\n");
        assert_eq!(table.drifts, 0);
        fs::write(folder.path().join("rules"), "changed").unwrap();
        table.keep("two").await.unwrap();
        assert_eq!(
            (read(folder.path(), "rules").as_str(), table.drifts),
            ("two\n", 1)
        );
        fs::remove_file(folder.path().join("rules")).unwrap();
        table.keep("two").await.unwrap();
        assert_eq!(
            (read(folder.path(), "rules").as_str(), table.drifts),
            ("two\n", 2)
        );
    }

    #[tokio::test]
    async fn what_is_refused_says_why_and_leaves_what_was_there() {
        let (folder, program) = machine();
        let mut table = Table::new(program);
        table.keep("one").await.unwrap();
        let refused = table.keep("bad").await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the kernel refuses the rules: Error: bad"
        );
        assert_eq!(read(folder.path(), "rules"), "one\n");
        // It is not taken for what stands there afterwards.
        assert!(table.keep("bad").await.is_err());
        let mut nowhere = Table::new(folder.path().join("none"));
        let missing = nowhere.keep("one").await.unwrap_err();
        assert!(matches!(missing, NftError::Run(..)), "{missing}");
    }
}
