//! What must survive the loss of a daemon, and what must not be tried for ever.

mod client;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Agent, Lab, Node, Numbered, agent, loss, places};
use provision::Medium;

const MEMORY: u32 = 512;

/// A port of the machine that nothing of the node uses.
const ECHO: u16 = 7777;

/// So many failed starts of machined in two minutes lead to safe mode.
const SAFE_STARTS: usize = 5;

#[test]
fn daemons_are_killed_and_nothing_else_notices() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.configure()?;

    modules_are_loaded_on_demand(&mut agent)?;

    agent.ask(&format!("echo {ECHO}"))?;
    let name = node.name.clone();
    let forward = node.cluster.forward(&name, ECHO)?;
    let mut stream = Numbered::open(forward.host, lab.change_deadline().limit())?;
    stream.goes_on()?;
    agent.ask("monitor")?;
    for _ in 0..3 {
        loss::kill(&lab, &mut agent, "networkd")?;
        stream.goes_on().context("networkd was killed")?;
        loss::nothing_was_removed(&mut agent).context("networkd was killed")?;
    }
    for _ in 1..SAFE_STARTS {
        loss::kill(&lab, &mut agent, "machined")?;
        stream.goes_on().context("machined was killed")?;
        loss::nothing_was_removed(&mut agent).context("machined was killed")?;
    }
    runs(&lab)?;

    node.after(|_, _| agent.ask("kill machined").map(drop))?;
    safe_mode(&lab, &mut node)?;
    stream.goes_on().context("safe mode")?;
    loss::nothing_was_removed(&mut agent).context("safe mode")?;
    leaves_safe_mode(&lab, &mut node)?;
    stream.goes_on().context("after safe mode")?;
    loss::nothing_was_removed(&mut agent).context("after safe mode")?;

    slow_cable(&lab, &mut node, &mut stream)?;

    // All that silence meant something: the monitor listens.
    node.cluster.carrier(&name, false)?;
    agent.event(lab.change_deadline(), |event| {
        event.starts_with("NEWLINK") && !event.contains("LowerUp")
    })?;
    Ok(())
}

/// Sockets of a kind and a file system that nothing on a node uses, and nothing in the machine is a device for.
fn modules_are_loaded_on_demand(agent: &mut Agent) -> Result<()> {
    for (command, module) in [("socket sctp", "sctp"), ("mount erofs", "erofs")] {
        let name = format!("{module} ");
        let loaded = |agent: &mut Agent| -> Result<bool> {
            Ok(agent
                .ask("read /proc/modules")?
                .iter()
                .any(|line| line.starts_with(&name)))
        };
        ensure!(
            !loaded(agent)?,
            "{module} is there before anybody asked for it"
        );
        // A file system may then refuse what was mounted; that it is known by then is the point.
        drop(agent.ask(command));
        ensure!(loaded(agent)?, "{command} did not bring {module}");
    }
    Ok(())
}

fn safe_mode(lab: &Lab, node: &mut Node<'_>) -> Result<()> {
    let reason = |text: &str| text.contains("safe mode") && text.contains("killed by signal 9");
    let facts = node.shows(
        "in maintenance, with the reason",
        lab.boot_deadline(),
        |facts| {
            let mut texts = facts.waiting.iter().chain(&facts.error);
            facts.stage.as_deref() == Some("maintenance")
                && facts.pairing.is_some()
                && texts.any(|text| reason(text))
        },
    )?;
    let pairing = facts.pairing.context("a pairing string")?;
    let status = client::refused_by_waiting_node(lab, node.api()?, pairing.as_str())?;
    ensure!(reason(status.message()), "{status:?}");
    Ok(())
}

/// A config that is given by hand is tried at once.
fn leaves_safe_mode(lab: &Lab, node: &mut Node<'_>) -> Result<()> {
    let (pairing, api) = (node.pairing()?, node.api()?);
    lab.osctl(&format!(
        "apply --file node.yaml --nodes {api} --pairing {pairing}"
    ))?
    .fine()?;
    runs(lab)
}

fn runs(lab: &Lab) -> Result<()> {
    let running = |said: &str| said.contains("\"stage\": \"running\"");
    lab.osctl_until("version -o json", running).map(drop)
}

/// Every answer takes longer than the slowest of them took before, until the cable is quick again.
fn slow_cable(lab: &Lab, node: &mut Node<'_>, stream: &mut Numbered) -> Result<()> {
    const TRIES: usize = 10;
    let mut slowest = Duration::ZERO;
    for _ in 0..TRIES {
        slowest = slowest.max(stream.round_trip()?);
    }
    let name = node.name.clone();
    node.cluster.delay(&name, slowest * 2)?;
    for _ in 0..TRIES {
        let took = stream.round_trip()?;
        ensure!(
            took > slowest,
            "{took:?} on a slow cable, {slowest:?} on a quick one"
        );
    }
    node.cluster.delay(&name, Duration::ZERO)?;
    let quick = lab.change_deadline().until(|| {
        let took = stream.round_trip();
        took.map_or_else(
            |error| Some(Err(error)),
            |took| (took < slowest * 2).then_some(Ok(())),
        )
    });
    quick.context("the cable stays slow")?
}
