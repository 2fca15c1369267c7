//! A test's own place: its folders, its clusters, its nodes.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use provision::{ClusterSpec, Clusters, Deadline, Host, Image, Name, VmSpec};
use tempfile::TempDir;

use crate::node::Node;
use crate::osctl::{self, Running, Said};
use crate::places;
use crate::slots::{self, Slots};

/// From power on to an answering API on a processor that helps; a node boots in a few seconds there.
const BOOT: Duration = Duration::from_secs(20);

/// From one state of a running node to the next.
const CHANGE: Duration = Duration::from_secs(8);

/// One run of `osctl`: it gives up by itself long before.
const RUN: Duration = Duration::from_secs(180);

/// One run of `osctl cluster create`, which waits for one machine after the other, and for Kubernetes twice.
pub const CREATE: Duration = Duration::from_secs(1200);

/// Folders of one test, and everything it starts in them. Dropping it ends all of that and prints the end of every
/// console, which the test harness shows when the test fails.
#[derive(Debug)]
pub struct Lab {
    home: TempDir,
    clusters: Clusters,
    host: Host,
    quiet: bool,
    _slots: Slots,
}

impl Lab {
    /// A lab for so many machines at once.
    ///
    /// # Errors
    /// When this host lacks something.
    pub fn new(machines: usize) -> Result<Self> {
        let slots = slots::take(machines);
        let home = tempfile::tempdir().context("making a folder")?;
        let clusters = Clusters::at(&home.path().join("data/garboard/clusters"))?;
        Ok(Self {
            home,
            clusters,
            host: Host::detect()?.fenced_by(places::osctl()?),
            quiet: false,
            _slots: slots,
        })
    }

    /// The same, printing no consoles: for who is no test and says himself what went wrong.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The folder that is `osctl`'s home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The clusters of this lab, the same that its `osctl` sees.
    pub fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Runs `osctl` in this lab.
    ///
    /// # Errors
    /// When it cannot be started, or does not end.
    pub fn osctl(&self, line: &str) -> Result<Said> {
        self.osctl_with(line.split_whitespace())
    }

    /// The same for what may take longer than most: so long on a processor that helps.
    ///
    /// # Errors
    /// When it cannot be started, or does not end.
    pub fn osctl_for(&self, limit: Duration, line: &str) -> Result<Said> {
        osctl::run(self.home(), line.split_whitespace(), self.patience(limit))
    }

    /// The same as [`osctl`](Self::osctl) with words that may hold spaces.
    ///
    /// # Errors
    /// When it cannot be started, or does not end.
    pub fn osctl_with<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Result<Said> {
        osctl::run(self.home(), words, self.patience(RUN))
    }

    /// Starts an `osctl` that goes on until it is dropped; one that is not read stands still when nobody takes what it says.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_osctl(&self, line: &str, read: bool) -> Result<Running> {
        osctl::start(self.home(), line.split_whitespace(), read)
    }

    /// Runs `osctl` again and again until it goes well; what it said last when time is up.
    ///
    /// # Errors
    /// When it never went well.
    pub fn osctl_until_fine(&self, line: &str) -> Result<String> {
        self.osctl_until(line, |_| true)
    }

    /// Runs `osctl` again and again until it goes well and says what is wanted: a node has what it was told a little
    /// later than it was told.
    ///
    /// # Errors
    /// When it never did; the text has what it said last.
    pub fn osctl_until(&self, line: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.osctl_within(self.change_deadline(), line, wanted)
    }

    /// The same with another deadline, for what takes longer than a change.
    ///
    /// # Errors
    /// When it never did; the text has what it said last.
    pub fn osctl_within(
        &self,
        deadline: Deadline,
        line: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let mut last = Err(anyhow!("{line} was not run"));
        let done = deadline.until(|| {
            last = self.osctl(line).and_then(Said::fine);
            matches!(&last, Ok(said) if wanted(said)).then_some(())
        });
        match (done, last) {
            (Some(()), said) => said,
            (None, Err(error)) => Err(error),
            (None, Ok(said)) => bail!(
                "`osctl {line}` did not say within {:?} what was waited for, but\n{said}",
                deadline.limit()
            ),
        }
    }

    /// A time for a processor that helps, made fit for how machines run here.
    pub fn patience(&self, time: Duration) -> Duration {
        self.host.accel.accel.scale(time)
    }

    /// The deadline of a boot that begins now.
    pub fn boot_deadline(&self) -> Deadline {
        Deadline::after(self.patience(BOOT))
    }

    /// The deadline of a change that begins now.
    pub fn change_deadline(&self) -> Deadline {
        Deadline::after(self.patience(CHANGE))
    }

    /// A cluster of one machine, which reaches nobody: what a test shows must not hang on the world's name and time servers,
    /// and no test is to trouble those.
    ///
    /// # Errors
    /// When it does not start.
    pub fn node(&self, image: &Image, vm: VmSpec) -> Result<Node<'_>> {
        self.one(image, vm, true)
    }

    /// The same for a machine that is to ask a server on this host; it reaches the world as well.
    ///
    /// # Errors
    /// When it does not start.
    pub fn open_node(&self, image: &Image, vm: VmSpec) -> Result<Node<'_>> {
        self.one(image, vm, false)
    }

    fn one(&self, image: &Image, vm: VmSpec, closed: bool) -> Result<Node<'_>> {
        let name = vm.name.clone();
        let spec = ClusterSpec {
            name: name.clone(),
            tftp: image.tftp().ok(),
            closed,
            vms: vec![vm],
        };
        let cluster = self.clusters.create(&self.host, &spec)?;
        Ok(Node::new(self, cluster, name))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in self.clusters.list().unwrap_or_default() {
            // Always: whether the test fails is not known yet, and of one that passes nobody sees it.
            if !self.quiet {
                print_consoles(&self.clusters, &name);
            }
            if let Err(error) = self.clusters.destroy(&name) {
                complain(&format!("cluster {name} stays: {error}"));
            }
        }
    }
}

fn print_consoles(clusters: &Clusters, name: &Name) {
    let Ok(cluster) = clusters.open(name) else {
        return;
    };
    for vm in cluster.vms() {
        let name = &vm.spec.name;
        complain(&format!(
            "--- console of {name}\n{}\n---",
            cluster.console_tail(name)
        ));
    }
}

#[expect(
    clippy::print_stderr,
    reason = "this is a test's report, and the test harness captures it"
)]
fn complain(text: &str) {
    eprintln!("{text}");
}
