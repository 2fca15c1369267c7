//! The local cluster of `up` and `down`: what a newcomer meets first.

use std::process::Command;

use anyhow::Result;

use crate::artifacts::{self, Profile};
use crate::run::{out, program, run, say};
use crate::{echo, host};

/// The name of the cluster that `up` creates.
const NAME: &str = "garboard";

/// The context that it gives kubectl.
const CONTEXT: &str = "admin-garboard@garboard";

/// What to look at next.
const NEXT: &str = "_out/osctl get links --watch, _out/osctl dmesg -f -n garboard-cp-1, _out/osctl --help; `cargo xtask down` ends it";

/// Builds, creates the cluster and waits until it is ready.
pub(crate) fn up(recreate: bool) -> Result<()> {
    host::prepare_cluster()?;
    let image = artifacts::build(Profile::Cloud)?;
    artifacts::bundle(&[])?;
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
    let kubectl = artifacts::kubectl()?;
    echo::show(&kubectl, CONTEXT)?;
    say(&format!("next: {} get pods -A, {NEXT}", kubectl.display()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_that_of_the_cluster() {
        assert_eq!(CONTEXT, format!("admin-{NAME}@{NAME}"));
    }
}
