//! What the long run did, written down step by step: a run that is cut short leaves what it had seen, and a step that is
//! run alone leaves what was seen of the others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::run::{program, read, root};

/// Where tests that cut the power add a line each, for the report.
const POWER_CUTS: &str = "GARBOARD_POWER_CUTS";

/// What stands above those lines.
const POWER_CUTS_HEAD: &str = "\nPower cuts, each a start of the node with what its disk could have held at that moment:\n\n\
     | seed | while the disk was made | at and after an apply | held |\n|---|---:|---:|---:|\n";

/// What stands above the steps.
const STEPS_HEAD: &str = "| step | commit | minutes | outcome |\n|---|---|---:|---|\n";

/// A step of the long run, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Step {
    /// The tests that need no machines
    Packages,
    /// Every fuzz target for minutes
    Fuzzing,
    /// The tests in virtual machines
    Machines,
    /// Hundreds of boots from disks that lost their power
    PowerCuts,
    /// Clusters of Kubernetes that lose programs, nodes and their power
    Clusters,
    /// A cluster that gets another minor of Kubernetes
    Upgrade,
    /// An image and the Go programs made twice from the same binaries and modules
    Parts,
    /// The commit built twice from source
    Source,
}

impl Step {
    /// What the report calls it.
    fn title(self) -> &'static str {
        match self {
            Self::Packages => "the tests of all packages",
            Self::Fuzzing => "fuzzing",
            Self::Machines => "the tests in virtual machines",
            Self::PowerCuts => "power cuts",
            Self::Clusters => "what clusters of Kubernetes can lose",
            Self::Upgrade => "an upgrade of Kubernetes",
            Self::Parts => "an image and the Go programs made twice",
            Self::Source => "the commit built twice from source",
        }
    }

    fn titled(title: &str) -> Option<Self> {
        let all = Self::value_variants().iter().copied();
        all.into_iter().find(|step| step.title() == title)
    }
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    commit: String,
    minutes: u64,
    outcome: String,
}

/// What is known of the steps.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    rows: BTreeMap<Step, Row>,
    /// A line of the table each.
    cuts: String,
}

impl Seen {
    /// What a report says. What is none is taken for an empty one: it is made anew by the next run.
    fn parse(text: &str) -> Self {
        let (steps, cuts) = text.split_once(POWER_CUTS_HEAD).unwrap_or((text, ""));
        let row = |line: &str| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, title, commit, minutes, outcome, _] = cells.as_slice() else {
                return None;
            };
            let row = Row {
                commit: (*commit).to_owned(),
                minutes: minutes.parse().ok()?,
                outcome: (*outcome).to_owned(),
            };
            Some((Step::titled(title)?, row))
        };
        Self {
            rows: steps.lines().filter_map(row).collect(),
            cuts: cuts.to_owned(),
        }
    }

    fn text(&self, processors: usize) -> String {
        let mut text = format!(
            "# The long run\n\n`cargo xtask test --long` on {processors} processors, each step at the commit it was last run at. What \
             the fuzz targets tried is in [fuzz.md](fuzz.md).\n\n{STEPS_HEAD}"
        );
        for (step, row) in &self.rows {
            let Row {
                commit,
                minutes,
                outcome,
            } = row;
            let title = step.title();
            text.push_str(&format!("| {title} | {commit} | {minutes} | {outcome} |\n"));
        }
        if !self.cuts.is_empty() {
            text.push_str(POWER_CUTS_HEAD);
            text.push_str(&self.cuts);
        }
        text
    }
}

/// The report, as it is being written.
pub(crate) struct Report {
    commit: String,
    processors: usize,
    seen: Seen,
    file: PathBuf,
    cuts: PathBuf,
}

impl Report {
    /// Of the commit that is checked out, with what was seen before.
    pub(crate) fn begin() -> Result<Self> {
        let folder = root().join("target/long");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let file = root().join("docs/reports/long.md");
        let before = fs::read_to_string(&file).unwrap_or_default();
        Ok(Self {
            commit: read(program("git").args(["rev-parse", "--short", "HEAD"]))?,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            seen: Seen::parse(&before),
            file,
            cuts: folder.join("power-cuts"),
        })
    }

    /// What tests that cut the power need to know to add to it.
    pub(crate) fn place(&self) -> (&'static str, &Path) {
        (POWER_CUTS, &self.cuts)
    }

    /// Does a step and writes down how it ended.
    pub(crate) fn step(&mut self, step: Step, run: impl FnOnce() -> Result<()>) -> Result<()> {
        fs::write(&self.cuts, "").with_context(|| format!("clearing {}", self.cuts.display()))?;
        let began = Instant::now();
        let done = run();
        let row = Row {
            commit: self.commit.clone(),
            minutes: minutes(began.elapsed()),
            outcome: if done.is_ok() { "passed" } else { "failed" }.to_owned(),
        };
        self.seen.rows.insert(step, row);
        if step == Step::PowerCuts {
            self.seen.cuts = fs::read_to_string(&self.cuts)
                .with_context(|| format!("reading {}", self.cuts.display()))?;
        }
        fs::write(&self.file, self.seen.text(self.processors))
            .with_context(|| format!("writing {}", self.file.display()))?;
        done
    }
}

/// Begun minutes.
fn minutes(took: Duration) -> u64 {
    took.as_secs().div_ceil(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_is_read_again() {
        let row = |commit: &str, minutes, outcome: &str| Row {
            commit: commit.to_owned(),
            minutes,
            outcome: outcome.to_owned(),
        };
        let mut seen = Seen {
            rows: BTreeMap::from([
                (Step::Packages, row("abc", 2, "passed")),
                (Step::Source, row("def", 40, "failed")),
            ]),
            cuts: String::new(),
        };
        assert_eq!(Seen::parse(&seen.text(2)), seen);
        seen.cuts = "| 7 | 1 | 2 | 3 |\n".to_owned();
        let text = seen.text(2);
        assert!(text.ends_with("|---|---:|---:|---:|\n| 7 | 1 | 2 | 3 |\n"));
        assert_eq!(Seen::parse(&text), seen);
        assert_eq!(Seen::parse("something else"), Seen::default());
    }

    #[test]
    fn the_report_of_the_last_run_can_be_read() {
        let text = include_str!("../../../docs/reports/long.md");
        let seen = Seen::parse(text);
        assert!(!seen.rows.is_empty());
        assert!(text.ends_with(&seen.cuts));
    }

    #[test]
    fn a_minute_that_was_begun_counts() {
        assert_eq!(minutes(Duration::from_secs(61)), 2);
        assert_eq!(minutes(Duration::from_secs(60)), 1);
    }
}
