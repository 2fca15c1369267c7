//! The local cluster of `up` and `down`: what a newcomer meets first.

use std::process::Command;

use anyhow::Result;

use crate::artifacts::{self, Profile};
use crate::host;
use crate::run::{out, program, run, say};

/// The name of the cluster that `up` creates.
const NAME: &str = "garboard";

/// Builds, creates the cluster and waits until it is ready.
pub(crate) fn up(recreate: bool) -> Result<()> {
    host::prepare_cluster()?;
    let image = artifacts::build(Profile::Cloud)?;
    if recreate {
        down()?;
    }
    if exists() {
        say(
            "the cluster is there already; `cargo xtask up --recreate` makes it anew from this build",
        );
    } else {
        run(osctl()
            .args(["cluster", "create", "--name", NAME, "--image"])
            .arg(image))?;
    }
    run(osctl().arg("version"))?;
    say(
        "next: _out/osctl get links --watch, _out/osctl dmesg -f, _out/osctl --help; `cargo xtask down` ends it",
    );
    Ok(())
}

/// Destroys the cluster, if it is there.
pub(crate) fn down() -> Result<()> {
    run(osctl().args(["cluster", "destroy", "--name", NAME]))
}

fn exists() -> bool {
    let mut show = osctl();
    show.args(["cluster", "show", "--name", NAME, "-o", "json"]);
    show.stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    show.status().is_ok_and(|status| status.success())
}

fn osctl() -> Command {
    program(out().join("osctl"))
}
