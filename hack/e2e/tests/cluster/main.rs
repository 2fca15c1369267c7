//! One cluster, a control plane and a worker as `osctl cluster create` makes them, and all that happens to it in its life: what it
//! ends with, daemons and programs that are killed under a workload, wrong orders, nodes that restart, a snapshot, strangers that
//! want to join, its end, and its return from the snapshot.
//!
//! All of it is one test, since nothing takes as long as a cluster that begins. Its steps are in order; one that fails does not
//! keep those from being tried that can do without it.

mod joins;
mod keys;
mod kills;
mod machines;
mod orders;
mod recover;
mod workload;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use machines::Machines;
use workload::Workload;

#[test]
#[ignore = "long: a cluster begins twice, and every program of it ends"]
fn a_cluster_lives_through_its_faults_and_comes_back_from_a_snapshot() -> Result<()> {
    let lab = e2e::Lab::new(2)?;
    let mut steps = Steps::default();
    let other = recover::other_cluster(&lab)?;
    let mut machines = steps.needed("osctl cluster create", || Machines::create(&lab))?;
    let mut workload = steps.needed("two replicas on two nodes behind a service", || {
        Workload::start(&mut machines)
    })?;
    steps.tried("wrong orders", || orders::are_refused(&machines));
    for (node, names) in kills::KILLED {
        let mut agent = machines.agent(node)?;
        for name in names {
            steps.tried(&format!("{name} of {node} is killed"), || {
                kills::nobody_notices(&machines, &mut workload, &mut agent, node, name)
            });
        }
    }
    steps.tried("all is well after that", || {
        kills::all_is_as_before(&machines, &mut workload)
    });
    drop(workload);
    let kept = steps.needed("osctl etcd snapshot", || recover::snapshot(&machines))?;
    for node in [machines::WORKER, machines::PLANE] {
        steps.tried(&format!("{node} restarts"), || machines.restart(node));
    }
    steps.tried("keys are where they belong", || {
        keys::stay_where_they_belong(&machines)
    });
    steps.tried("strangers join", || joins::are_judged(&mut machines));
    steps.needed("osctl cluster destroy", || {
        recover::destroy(machines, &other)
    })?;
    steps.tried("osctl bootstrap --recover-from", || {
        recover::comes_back(&lab, &kept)
    });
    ensure!(steps.failed.is_empty(), "{:#?}", steps.failed);
    Ok(())
}

/// The steps, and what went wrong in those that failed.
#[derive(Default)]
struct Steps {
    failed: Vec<String>,
}

impl Steps {
    /// A step that those after it need.
    fn needed<T>(&self, what: &str, done: impl FnOnce() -> Result<T>) -> Result<T> {
        let outcome = timed(what, done);
        outcome.with_context(|| format!("step: {what}; before it: {:#?}", self.failed))
    }

    /// A step that may fail before the others are tried.
    fn tried(&mut self, what: &str, done: impl FnOnce() -> Result<()>) {
        if let Err(error) = timed(what, done) {
            // In one line, without where in the code it was.
            self.failed.push(format!("step: {what}: {error:#}"));
        }
    }
}

/// Does it, and tells how long it took.
#[expect(
    clippy::print_stderr,
    reason = "this is a test's report, and the test harness captures it"
)]
fn timed<T>(what: &str, done: impl FnOnce() -> Result<T>) -> Result<T> {
    let since = Instant::now();
    let outcome = done();
    let ended = match &outcome {
        Ok(_) => "",
        Err(error) => &format!(": {error:#}"),
    };
    eprintln!("{what}: {} s{ended}", since.elapsed().as_secs());
    outcome
}
