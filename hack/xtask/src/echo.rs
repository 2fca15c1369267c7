//! What `up` ends with: the nodes, and a pod that answered through a service.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{out, program, run};

/// What the VM suite runs, too: two replicas behind a service, and a pod to ask them from.
const MANIFEST: &str = include_str!("../../e2e/manifests/echo.yaml");

/// The workload, of the bundle that is built with it.
const PROBE: &str = concat!("garboard.internal/probe:", env!("CARGO_PKG_VERSION"));

/// The service, by its name.
const URL: &str = "http://echo.default.svc.cluster.local/";

/// How long kubectl waits for one thing: a machine whose processor is emulated starts one pod after the other.
const PATIENCE: &str = "--timeout=15m";

/// Shows the nodes of a cluster, starts pods there and asks them, by a context of kubectl.
pub(crate) fn show(program: &Path, context: &str) -> Result<()> {
    let words = |words: &[&str]| run(kubectl(program, context).args(words));
    words(&["get", "nodes", "-o", "wide"]).context(
        "kubectl does not reach the cluster; `cargo xtask up --recreate` makes it anew from this build",
    )?;
    let file = out().join("echo.yaml");
    fs::write(&file, manifest()).with_context(|| format!("writing {}", file.display()))?;
    // Without it no pod may be made, and the cluster makes it in its first moments.
    words(&["wait", "--for=create", "serviceaccount/default", PATIENCE])?;
    run(kubectl(program, context)
        .args(["apply", "--filename"])
        .arg(&file))?;
    words(&["rollout", "status", "deployment/echo", PATIENCE])?;
    words(&["wait", "--for=condition=Ready", "pod/asker", PATIENCE])?;
    words(&["get", "pods", "-o", "wide"])?;
    // The names of services may take a moment longer than their pods.
    let ask = ["exec", "asker", "--", "/usr/bin/probe", "get"];
    words(&[&ask[..], &["--deadline", "300", URL]].concat())
}

fn manifest() -> String {
    MANIFEST.replace("PROBE", PROBE)
}

fn kubectl(path: &Path, context: &str) -> Command {
    let mut command = program(path);
    command.args(["--context", context, "--namespace", "default"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_what_is_asked() {
        let manifest = manifest();
        assert!(!manifest.contains("PROBE") && manifest.contains(PROBE));
        for (kind, name) in [
            ("Deployment", "echo"),
            ("Service", "echo"),
            ("Pod", "asker"),
        ] {
            let begins = format!("kind: {kind}\nmetadata:\n  name: {name}\n");
            assert!(manifest.contains(&begins), "{begins}");
        }
    }
}
