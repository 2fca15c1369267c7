//! Services outlive the daemon that keeps them, whether it dies or hangs; one that fails again and again harms nobody.

use anyhow::{Result, ensure};
use e2e::services::{self, is, said, until};
use e2e::{Agent, Lab, loss, places};
use provision::{Disk, Medium};
use serde_json::Value;

const MEMORY: u32 = 512;

/// As much as a node's own disk has to hold, and some.
const DISK: u64 = 4 << 30;

#[test]
fn services_outlive_a_daemon_that_dies_or_hangs() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut node = lab.node(&image, services::machine(&lab, &image, MEMORY)?)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.configure()?;
    agent.ask("service stays stay")?;
    agent.ask("service crashes crash")?;
    loss::kill(&lab, &mut agent, "machined")?;
    let first = until(&lab, "stays", |it| is(it, "state", "running"))?;

    // Killed: the next one finds it.
    loss::kill(&lab, &mut agent, "machined")?;
    let found = until(&lab, "stays", |it| is(it, "state", "running"))?;
    ensure!(found.get("pid") == first.get("pid"), "{found}");
    // It would say so if there were two of that name.
    agent.ask("pid stays")?;

    // Hung: init sees that it is silent.
    agent.ask("monitor")?;
    agent.ask("freeze machined")?;
    let silent = |it: &Value| said(it, "reason").contains("silent for");
    until(&lab, "machined", silent)?;
    let found = until(&lab, "stays", |it| is(it, "state", "running"))?;
    ensure!(found.get("pid") == first.get("pid"), "{found}");
    agent.ask("pid stays")?;
    loss::nothing_was_removed(&mut agent)?;

    fails_alone(&lab)?;
    obeys(&lab, &mut agent)
}

/// The one that fails is tried more and more seldom, and says what became of it.
fn fails_alone(lab: &Lab) -> Result<()> {
    let tried = |it: &Value| it.get("restarts").and_then(Value::as_u64) >= Some(3);
    let crashes = until(lab, "crashes", |it| {
        tried(it) && is(it, "state", "restarting")
    })?;
    ensure!(
        said(&crashes, "lastExit") == "exited with status 1",
        "{crashes}"
    );
    let log = lab.osctl("logs crashes")?.fine()?;
    ensure!(
        log.lines().filter(|line| *line == "crash").count() >= 3,
        "{log}"
    );
    Ok(())
}

fn obeys(lab: &Lab, agent: &mut Agent) -> Result<()> {
    lab.osctl("services stop stays")?.fine()?;
    until(lab, "stays", |it| is(it, "state", "stopped"))?;
    ensure!(
        agent.ask("pid stays").is_err(),
        "it runs though it was stopped"
    );
    // The order holds over the death of who took it.
    loss::kill(lab, agent, "machined")?;
    until(lab, "stays", |it| is(it, "state", "stopped"))?;
    lab.osctl("services start stays")?.fine()?;
    until(lab, "stays", |it| is(it, "state", "running"))?;
    let stats = lab.osctl("stats -o json")?.fine()?;
    ensure!(
        stats.contains("\"stays\"") && stats.contains("\"machined\""),
        "{stats}"
    );
    let daemon = lab.osctl("services stop machined")?;
    ensure!(
        daemon.code == Some(1) && daemon.err.contains("takes no orders"),
        "{daemon:?}"
    );
    Ok(())
}

#[test]
fn the_boot_before_can_be_asked_what_happened() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::system(DISK));
    let mut node = lab.node(&image, vm)?;
    let system =
        "---\napiVersion: garboard/v1alpha1\nkind: SystemDisk\nmatch: serial == \"system\"\n";
    node.configure_with(system)?;
    lab.osctl_until("get reboots 1 -o json", |said| said.contains("runs now"))?;
    let all = lab.osctl("services")?.fine()?;
    ensure!(
        !all.contains("containerd"),
        "nothing asks for containers: {all}"
    );
    for log in ["dmesg", "events"] {
        let none = lab.osctl(&format!("{log} --previous"))?;
        ensure!(none.err.contains("a boot before this one"), "{none:?}");
    }

    lab.osctl("reboot --wait")?.fine()?;
    let first = lab.osctl_until("get reboots 1 -o json", |said| {
        said.contains("started again")
    })?;
    ensure!(first.contains("\"clean\": true"), "{first}");
    let kernel = lab.osctl("dmesg --previous")?.fine()?;
    ensure!(kernel.contains("Linux version"), "{kernel}");
    let events = lab.osctl("events --previous")?.fine()?;
    ensure!(
        events.contains("STATE") && events.contains("config"),
        "{events}"
    );
    let log = lab.osctl("logs machined --previous --tail 20")?.fine()?;
    ensure!(
        log.contains("going down") || log.contains("have ended"),
        "{log}"
    );

    node.power_cut()?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    let second = lab.osctl_until("get reboots 2 -o json", |said| {
        said.contains("no orderly end")
    })?;
    ensure!(second.contains("\"clean\": false"), "{second}");
    Ok(())
}
