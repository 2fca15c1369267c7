//! The volumes of a node on a disk of its own.

use anyhow::Result;
use provision::Facts;

use crate::lab::Lab;

/// The document that gives a node the disk of its own.
pub const SYSTEM_DISK: &str =
    "---\napiVersion: garboard/v1alpha1\nkind: SystemDisk\nmatch: serial == \"system\"\n";

/// Large enough for all partitions, and little more.
pub const SMALL: u64 = 3 << 30;

/// Waits until both volumes are mounted, and the config is kept on one of them. It may take as long as a boot: file
/// systems are made or checked, and machined may just have been started again.
///
/// # Errors
/// When they are not in time.
pub fn ready(lab: &Lab) -> Result<()> {
    for name in ["STATE", "EPHEMERAL"] {
        lab.osctl_within(
            lab.boot_deadline(),
            &format!("get volumes {name} -o json"),
            |said| said.contains("\"phase\": \"ready\"") && said.contains("\"mountedAt\": \"/"),
        )?;
    }
    lab.osctl_until("get conditions -o json", |said| {
        said.contains("kept on STATE")
    })?;
    Ok(())
}

/// Whether the console of a node shows that it runs with a config.
pub fn runs(facts: &Facts) -> bool {
    facts.stage.as_deref() == Some("running")
}

/// The order that gives a node with the name `node` another domain: a small change of its config that is easy to see.
pub fn moved(domain: &str) -> String {
    format!(r#"config patch -p {{"kind":"Hostname","hostname":"node.{domain}"}}"#)
}
