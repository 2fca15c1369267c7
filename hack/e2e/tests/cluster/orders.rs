//! Orders that are of no use are refused in words that say why, or change nothing.

use anyhow::{Result, ensure};

use crate::machines::{Machines, PLANE, WORKER};

/// They are.
pub(crate) fn are_refused(machines: &Machines<'_>) -> Result<()> {
    let lab = machines.lab;
    let before = lab.osctl(&format!("bootstrap -n {PLANE}"))?.fine()?;
    ensure!(before.contains("had begun before"), "{before}");
    let worker = lab.osctl(&format!("bootstrap -n {WORKER}"))?.refused()?;
    ensure!(
        worker.contains("is a worker") && worker.contains("control plane"),
        "{worker}"
    );
    // It joins by itself; to a cluster nobody says which node is to begin.
    let several = lab.osctl("bootstrap")?.refused()?;
    ensure!(several.contains(PLANE), "{several}");
    let manifest = r#"{"kind":"KubernetesManifest","name":"broken","inline":"kind: ["}"#;
    let words = ["config", "patch", "-n", PLANE, "-p", manifest];
    let broken = lab.osctl_with(words)?.refused()?;
    ensure!(broken.contains("line 1 of the text"), "{broken}");
    let kept = lab.osctl(&format!("config show -n {PLANE}"))?.fine()?;
    ensure!(!kept.contains("KubernetesManifest"), "it was kept");
    Ok(())
}
