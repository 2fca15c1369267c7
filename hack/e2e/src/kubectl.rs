//! `kubectl` against a cluster of a lab, with what `osctl kubeconfig` wrote.

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use provision::Deadline;
use serde_json::Value;

use crate::limited::{Ended, run_limited};
use crate::{Lab, places};

/// The workload of tests, in the bundle that is built with them.
pub const PROBE: &str = concat!("garboard.internal/probe:", env!("CARGO_PKG_VERSION"));

/// Where the API server listens.
const PORT: u16 = 6443;

/// One run of it: a command in a pod has no end of its own, and an API server under load takes its time.
const RUN: Duration = Duration::from_secs(120);

/// `kubectl`, for one cluster.
#[derive(Debug)]
pub struct Kubectl {
    program: PathBuf,
    home: PathBuf,
    config: PathBuf,
    patience: Duration,
    /// How long one run may take before it is ended.
    limit: Duration,
}

impl Kubectl {
    /// For the cluster of the lab with this name, by the forwarded port of a machine. `patience` is how long one thing may take
    /// on a machine that is not emulated.
    ///
    /// # Errors
    /// There is no such machine, or the node gives no kubeconfig.
    pub fn of(lab: &Lab, cluster: &str, node: &str, patience: Duration) -> Result<Self> {
        let machines = lab.clusters().open(&cluster.parse()?)?;
        let forwarded = machines.vm(&node.parse()?)?.endpoint(PORT);
        let forwarded = forwarded.context("the API server's port is not forwarded")?;
        let config = lab.home().join(format!("kubeconfig-{node}"));
        let written = lab.osctl(&format!(
            "kubeconfig {} --server https://{forwarded}",
            config.display()
        ))?;
        let written = written.fine()?;
        ensure!(written.contains(cluster), "{written}");
        Self::with(lab, config, patience)
    }

    /// With a kubeconfig that is there.
    ///
    /// # Errors
    /// Nobody said where kubectl is.
    pub fn with(lab: &Lab, config: PathBuf, patience: Duration) -> Result<Self> {
        Ok(Self {
            program: places::kubectl()?,
            home: lab.home().to_owned(),
            config,
            patience: lab.patience(patience),
            limit: lab.patience(RUN),
        })
    }

    /// It, with nothing of the home that tests run in.
    fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("HOME", &self.home)
            .env_remove("KUBECONFIG")
            .env_remove("KUBERC")
            .arg("--kubeconfig")
            .arg::<&Path>(&self.config)
            .arg("--request-timeout=30s")
            .args(words);
        command
    }

    /// What it prints, when it succeeds.
    ///
    /// # Errors
    /// It does not.
    pub fn run(&self, line: &str) -> Result<String> {
        self.ended(self.command(line.split(' ')), line)
    }

    /// Has the objects of a manifest made.
    ///
    /// # Errors
    /// The cluster refuses.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        let mut input = tempfile::tempfile().context("making a file")?;
        input.write_all(manifest.as_bytes())?;
        input.rewind()?;
        let mut command = self.command(["apply", "-f", "-"]);
        command.stdin(input);
        self.ended(command, "apply").map(drop)
    }

    /// What it prints, when it succeeds in time.
    fn ended(&self, command: Command, line: &str) -> Result<String> {
        let Ended { code, out, err, .. } = run_limited(command, self.limit)?;
        ensure!(code == Some(0), "kubectl {line}: {err}{out}");
        Ok(out)
    }

    /// Waits until a namespace takes pods: they need an account, which the controller manager makes when it comes to it.
    ///
    /// # Errors
    /// It does not.
    pub fn takes_pods(&self, namespace: &str) -> Result<()> {
        let line = format!("get serviceaccount -n {namespace} default");
        let account = self.until(&line, |_| true);
        account.map(drop)
    }

    /// What it says as JSON.
    ///
    /// # Errors
    /// It does not succeed.
    pub fn json(&self, line: &str) -> Result<Value> {
        let line = format!("{line} -o json");
        Ok(serde_json::from_str(&self.run(&line)?)?)
    }

    /// Asks until the answer is the one that is waited for; an API server that starts again gives none.
    ///
    /// # Errors
    /// It does not come.
    pub fn until(&self, line: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.again(line, || self.json(line), wanted)
    }

    /// The same for what it prints: until it succeeds and prints what is waited for.
    ///
    /// # Errors
    /// It does not come.
    pub fn prints(&self, line: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.again(line, || self.run(line), |it: &String| wanted(it))
    }

    fn again<T: std::fmt::Debug>(
        &self,
        line: &str,
        ask: impl Fn() -> Result<T>,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<T> {
        let mut last = None;
        let found = Deadline::after(self.patience).until(|| match ask() {
            Ok(answer) if wanted(&answer) => Some(answer),
            answer => {
                last = Some(answer);
                None
            }
        });
        found.with_context(|| format!("kubectl {line} last said {last:?}"))
    }
}

/// Whether a node or a pod says that it is ready.
#[must_use]
pub fn is_ready(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions");
    let conditions = conditions.and_then(Value::as_array).into_iter().flatten();
    let mut ready = conditions.filter(|it| text(it, "/type") == "Ready");
    ready.next().is_some_and(|it| text(it, "/status") == "True")
}

/// Whether as many replicas as are wanted, and at least one, are ready.
#[must_use]
pub fn is_rolled_out(object: &Value) -> bool {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    let first = |pointers: [&str; 2]| pointers.into_iter().find_map(number).unwrap_or_default();
    let wanted = first(["/status/desiredNumberScheduled", "/spec/replicas"]);
    let ready = first(["/status/numberReady", "/status/readyReplicas"]);
    wanted > 0 && ready >= wanted
}

/// A text in an object; empty where there is none.
#[must_use]
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
