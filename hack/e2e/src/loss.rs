//! The loss of a daemon: killing it, and what has to be seen afterwards.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::agent::Agent;
use crate::lab::Lab;
use crate::services;

/// Kills a daemon, and waits until a new one does its work and the node says so.
///
/// # Errors
/// When there is none in time, or the node tells something else than what happened.
pub fn kill(lab: &Lab, agent: &mut Agent, daemon: &str) -> Result<()> {
    let before: u64 = agent.ask_one(&format!("kill {daemon}"))?.parse()?;
    let deadline = lab.change_deadline();
    let told = deadline.until(|| {
        // It may not answer, being the one that was killed, or not know yet.
        let spec = services::of(lab, daemon).ok()?;
        let running = spec.get("state")? == "running" && spec.get("pid")?.as_u64()? != before;
        running.then_some(spec)
    });
    let told = told.with_context(|| format!("no new {daemon} within {:?}", deadline.limit()))?;
    let number = |field| told.get(field).map(Value::to_string).unwrap_or_default();
    let text = told.to_string();
    ensure!(text.contains("killed by signal 9"), "{text}");
    ensure!(number("restarts") != "0", "{text}");
    let after = agent.ask_one(&format!("pid {daemon}"))?;
    ensure!(
        number("pid") == after,
        "{daemon} is process {after}, but {text}"
    );
    Ok(())
}

/// The agent's monitor was told of no link, address or route that went, and missed nothing.
///
/// # Errors
/// When something went.
pub fn nothing_was_removed(agent: &mut Agent) -> Result<()> {
    let events = agent.events()?;
    let gone: Vec<_> = events
        .iter()
        .filter(|event| !event.starts_with("NEW"))
        .collect();
    ensure!(gone.is_empty(), "{gone:#?}");
    Ok(())
}

/// The numbers of the daemons' processes: others when one has ended since.
///
/// # Errors
/// When one is not there.
pub fn daemons(agent: &mut Agent) -> Result<Vec<String>> {
    let mut pid = |daemon| agent.ask_one(&format!("pid {daemon}"));
    Ok(vec![pid("machined")?, pid("networkd")?])
}
