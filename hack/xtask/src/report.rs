//! What a long run did, written down step by step: a run that is cut short leaves what it had seen.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::run::{program, read, root};

/// Where tests that cut the power add a line each, for the report.
const POWER_CUTS: &str = "GARBOARD_POWER_CUTS";

/// A step that ended.
struct Step {
    name: &'static str,
    took: Duration,
    failed: bool,
}

/// The report of one run.
pub(crate) struct Report {
    commit: String,
    processors: usize,
    steps: Vec<Step>,
    cuts: PathBuf,
}

impl Report {
    /// Of the commit that is checked out, with nothing seen yet.
    pub(crate) fn begin() -> Result<Self> {
        let folder = root().join("target/long");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let cuts = folder.join("power-cuts");
        fs::write(&cuts, "").with_context(|| format!("clearing {}", cuts.display()))?;
        Ok(Self {
            commit: read(program("git").args(["rev-parse", "--short", "HEAD"]))?,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            steps: Vec::new(),
            cuts,
        })
    }

    /// What tests need to know to add to it.
    pub(crate) fn place(&self) -> (&'static str, &Path) {
        (POWER_CUTS, &self.cuts)
    }

    /// Does a step and writes down how it ended.
    pub(crate) fn step(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let began = Instant::now();
        let done = step();
        self.steps.push(Step {
            name,
            took: began.elapsed(),
            failed: done.is_err(),
        });
        self.write()?;
        done
    }

    fn write(&self) -> Result<()> {
        let cuts = fs::read_to_string(&self.cuts)
            .with_context(|| format!("reading {}", self.cuts.display()))?;
        let file = root().join("docs/reports/long.md");
        fs::write(&file, self.text(&cuts)).with_context(|| format!("writing {}", file.display()))
    }

    fn text(&self, cuts: &str) -> String {
        let Self {
            commit,
            processors,
            steps,
            ..
        } = self;
        let mut text = format!(
            "# The long run\n\n`cargo xtask test --long` at {commit}, on {processors} processors. What the fuzz targets \
             tried is in [fuzz.md](fuzz.md).\n\n| step | minutes | outcome |\n|---|---:|---|\n"
        );
        for Step { name, took, failed } in steps {
            let minutes = took.as_secs().div_ceil(60);
            let outcome = if *failed { "failed" } else { "passed" };
            text.push_str(&format!("| {name} | {minutes} | {outcome} |\n"));
        }
        if !cuts.is_empty() {
            text.push_str(
                "\nPower cuts, each a start of the node with what its disk could have held at that moment:\n\n\
                 | seed | while the disk was made | at and after an apply | held |\n|---|---:|---:|---:|\n",
            );
            text.push_str(cuts);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_was_seen() {
        let step = |name, seconds, failed| Step {
            name,
            took: Duration::from_secs(seconds),
            failed,
        };
        let report = Report {
            commit: "abc".into(),
            processors: 2,
            steps: vec![step("tests", 61, false), step("machines", 1, true)],
            cuts: PathBuf::new(),
        };
        let text = report.text("");
        assert!(text.contains("at abc, on 2 processors"), "{text}");
        assert!(
            text.ends_with("| tests | 2 | passed |\n| machines | 1 | failed |\n"),
            "{text}"
        );
        let text = report.text("| 7 | 1 | 2 | 3 |\n");
        assert!(
            text.ends_with("|---|---:|---:|---:|\n| 7 | 1 | 2 | 3 |\n"),
            "{text}"
        );
    }
}
