//! What the kernel holds a service to holds: one that wants more memory or more processes than it may have does not get
//! them, and nobody else is hurt.
//!
//! No service of the image has limits that it could be made to reach, so the agent is one: in the node's own root, with
//! limits of its own, and started, held and started again by the node like any other.

use anyhow::{Result, ensure};
use e2e::services::{self, is, until};
use e2e::{Agent, Lab, loss, places};
use serde_json::Value;

const MEMORY: u32 = 512;

/// What a service may take here: far less than the machine has, and more than the agent takes by itself.
const MOST: u64 = 48 << 20;

/// How many processes the other may have.
const PROCESSES: u32 = 8;

#[test]
fn a_service_gets_no_more_than_it_may_have_and_nobody_else_is_hurt() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut node = lab.node(&image, services::machine(&lab, &image, MEMORY)?)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.configure()?;
    agent.ask("service stays stay")?;
    agent.ask(&format!("service eats eat memoryMax={MOST}"))?;
    agent.ask(&format!("service multiplies multiply pidsMax={PROCESSES}"))?;
    loss::kill(&lab, &mut agent, "machined")?;
    let stays = until(&lab, "stays", |it| is(it, "state", "running"))?;
    let daemons = loss::daemons(&mut agent)?;

    memory(&lab)?;
    processes(&lab, &mut agent)?;
    ensure!(loss::daemons(&mut agent)? == daemons, "a daemon was hurt");
    let after = until(&lab, "stays", |it| is(it, "state", "running"))?;
    ensure!(after.get("pid") == stays.get("pid"), "{after}");
    changed(&lab, &mut agent, &after)
}

/// It falls again and again, each time it has taken what it may have.
fn memory(lab: &Lab) -> Result<()> {
    let fell = |it: &Value| it.get("restarts").and_then(Value::as_u64) >= Some(2);
    let eats = until(lab, "eats", |it| fell(it) && is(it, "state", "restarting"))?;
    let why = "killed by the kernel, which had no more memory for it";
    ensure!(is(&eats, "lastExit", why), "{eats}");
    ensure!(
        file(lab, "eats", "memory.max")? == MOST.to_string(),
        "memory.max"
    );
    let events = file(lab, "eats", "memory.events")?;
    let kills = events
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.parse::<u64>().ok());
    ensure!(kills >= Some(2), "{events}");
    let kernel = lab.osctl("dmesg")?.fine()?;
    ensure!(
        kernel.contains("oom_memcg=/services/eats") && !kernel.contains("Out of memory:"),
        "{kernel}"
    );
    lab.osctl("services stop eats")?.fine()?;
    until(lab, "eats", |it| is(it, "state", "stopped")).map(drop)
}

/// It has as many processes as it may have, and goes on with those; all of them end together.
fn processes(lab: &Lab, agent: &mut Agent) -> Result<()> {
    let refused = format!("{} children: Resource temporarily", PROCESSES - 1);
    lab.osctl_until("logs multiplies", |said| said.contains(&refused))?;
    let multiplies = until(lab, "multiplies", |it| is(it, "state", "running"))?;
    ensure!(
        multiplies.get("restarts") == Some(&Value::from(0)),
        "{multiplies}"
    );
    let its = "read /sys/fs/cgroup/services/multiplies/cgroup.procs";
    let there = agent.ask(its)?.len();
    ensure!(there == usize::try_from(PROCESSES)?, "{there} processes");
    lab.osctl("services stop multiplies")?.fine()?;
    until(lab, "multiplies", |it| is(it, "state", "stopped"))?;
    let left = agent.ask(its)?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// A limit that is another from now on takes hold of the process that runs.
fn changed(lab: &Lab, agent: &mut Agent, before: &Value) -> Result<()> {
    ensure!(file(lab, "stays", "pids.max")? == "max", "a limit");
    agent.ask(&format!(
        "service stays stay pidsMax={PROCESSES} cpuWeight=7"
    ))?;
    loss::kill(lab, agent, "machined")?;
    for (name, value) in [
        ("pids.max", PROCESSES.to_string()),
        ("cpu.weight", "7".into()),
    ] {
        lab.osctl_until(&line("stays", name), |said| said.trim_end() == value)?;
    }
    let after = until(lab, "stays", |it| is(it, "state", "running"))?;
    ensure!(after.get("pid") == before.get("pid"), "{after}");
    Ok(())
}

fn line(service: &str, name: &str) -> String {
    format!("read /sys/fs/cgroup/services/{service}/{name}")
}

/// A file of a service's group.
fn file(lab: &Lab, service: &str, name: &str) -> Result<String> {
    let said = lab.osctl(&line(service, name))?.fine()?;
    Ok(said.trim_end().to_owned())
}
