//! The suites: what `test`, `check`, `e2e`, `bench` and `gen` run, in order.

use std::process::Command;

use anyhow::Result;
use clap::ValueEnum as _;

use crate::artifacts::{self, Profile};
use crate::host;
use crate::needs::{self, Need};
use crate::report::{Report, Step};
use crate::run::{cargo, out, program, root, run};
use crate::twice;

/// How long each fuzz target is tried, in seconds: enough to notice a broken parser, and in a campaign to look around.
const FUZZING: &str = "10";
const LONG_FUZZING: &str = "300";

/// Everything CI runs.
pub(crate) fn test() -> Result<()> {
    host::prepare_tests()?;
    host::fetch_peers()?;
    // The same cases every time: what fails is what a change broke. The long run draws others.
    run(packages()?.env("PROPTEST_RNG_SEED", "1"))?;
    fuzz(false)?;
    e2e(None)
}

/// All of that and the campaigns, with a report; only some steps of it, if any are named.
pub(crate) fn test_long(only: &[Step]) -> Result<()> {
    host::prepare_campaigns()?;
    host::fetch_peers()?;
    let mut report = Report::begin()?;
    for step in Step::value_variants() {
        if !only.is_empty() && !only.contains(step) {
            continue;
        }
        let (variable, cuts) = report.place();
        let cuts = (variable, cuts.to_owned());
        report.step(*step, || match step {
            Step::Packages => run(&mut packages()?),
            Step::Fuzzing => fuzz(true),
            Step::Machines => e2e(None),
            Step::PowerCuts => run(ignored("garboard-e2e", &["--test", "power_cut"])
                .envs(places()?)
                .envs([cuts])),
            Step::Clusters => clusters(),
            Step::Upgrade => upgrade(),
            Step::Parts => run(&mut ignored("garboard-image", &[])),
            Step::Source => twice::build(),
        })?;
    }
    Ok(())
}

/// The tests of a package that take too long for every run: all, or those that cargo's arguments choose.
fn ignored(package: &str, chosen: &[&str]) -> Command {
    let mut tests = cargo();
    tests.args(["test", "--package", package]).args(chosen);
    tests.args(["--", "--ignored"]);
    tests
}

/// Clusters of Kubernetes and what they can lose.
fn clusters() -> Result<()> {
    let tests = ["--test", "cluster", "--test", "planes"];
    run(ignored("garboard-e2e", &tests)
        .envs(places()?)
        .env("GARBOARD_KUBECTL", artifacts::kubectl()?)
        .env("GARBOARD_KUBERNETES_BUNDLE", artifacts::whole_bundle()?))
}

/// A cluster that begins as the former minor of Kubernetes, whose programs nothing else needs.
fn upgrade() -> Result<()> {
    run(ignored("garboard-e2e", &["--test", "upgrade"])
        .envs(places()?)
        .env("GARBOARD_KUBECTL", artifacts::kubectl()?)
        .env("GARBOARD_UPGRADE_BUNDLE", artifacts::upgrade_bundle()?))
}

/// The tests that need no machines.
fn packages() -> Result<Command> {
    let mut tests = cargo();
    // Members of etcd are real ones, and so is who fetches images.
    tests.env("GARBOARD_ETCD", artifacts::go("etcd")?);
    tests.env("GARBOARD_CONTAINERD", artifacts::go("containerd")?);
    tests.args([
        "test",
        "--workspace",
        "--exclude",
        "garboard-e2e",
        "--no-fail-fast",
    ]);
    Ok(tests)
}

/// Every fuzz target for a while; a campaign is written down.
fn fuzz(long: bool) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "garboard-fuzz", "--"]);
    if long {
        command.args(["--seconds", LONG_FUZZING, "--report"]);
        command.arg(root().join("docs/reports/fuzz.md"));
    } else {
        command.args(["--seconds", FUZZING, "--seed", "1"]);
    }
    run(&mut command)
}

/// The VM suite, with the images it needs.
pub(crate) fn e2e(filter: Option<&str>) -> Result<()> {
    host::prepare_tests()?;
    let mut places = places()?;
    for need in needs::of(&root().join("hack/e2e"), filter)? {
        places.push(match need {
            Need::Crictl => ("GARBOARD_CRICTL", artifacts::crictl()?),
            Need::Kubectl => ("GARBOARD_KUBECTL", artifacts::kubectl()?),
            Need::Bundle => ("GARBOARD_BUNDLE", artifacts::small_bundle()?),
            Need::WholeBundle => ("GARBOARD_KUBERNETES_BUNDLE", artifacts::whole_bundle()?),
        });
    }
    // Each VM keeps a core busy while it boots: two at once is what the smallest machine bears.
    run(cargo()
        .args(["test", "--package", "garboard-e2e", "--no-fail-fast", "--"])
        .args(filter)
        .arg("--test-threads=2")
        .envs(places))
}

fn places() -> Result<Vec<(&'static str, std::path::PathBuf)>> {
    let [cloud, generic] = artifacts::build_each([Profile::Cloud, Profile::Generic])?;
    let agent = artifacts::agent()?;
    Ok(vec![
        ("GARBOARD_IMAGE_DIR", cloud),
        ("GARBOARD_IMAGE_DIR_GENERIC", generic),
        ("GARBOARD_OSCTL", out().join("osctl")),
        ("GARBOARD_AGENT", agent),
    ])
}

/// What a commit must pass before it is pushed.
pub(crate) fn check() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    run(cargo()
        .args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    // Advisories need a database from elsewhere; licences, bans and sources do not.
    run(program(host::cargo_deny()?).args(["--offline", "check", "bans", "licenses", "sources"]))
}

/// Measures against the budgets: these parts, or those that need no Kubernetes.
pub(crate) fn bench(parts: &[String], json: bool) -> Result<()> {
    host::prepare_tests()?;
    let mut places = places()?;
    if parts.iter().any(|it| it == "kubernetes") {
        places.push(("GARBOARD_KUBECTL", artifacts::kubectl()?));
        places.push(("GARBOARD_KUBERNETES_BUNDLE", artifacts::whole_bundle()?));
    }
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--package", "garboard-bench", "--"])
        .args(parts)
        .envs(places);
    run(command.args(json.then_some("--json")))
}

/// Writes the generated parts of docs/: the tests hold the files to what they generate, and this lets them write it.
pub(crate) fn generate() -> Result<()> {
    run(cargo()
        .args([
            "test",
            "--workspace",
            "--exclude",
            "garboard-e2e",
            "generated",
        ])
        .env("GARBOARD_BLESS", "1"))
}
