//! The container runtime runs once the node has its config and its disk, is found by whoever comes after it or its keeper,
//! and says what it waits for until then.

use anyhow::{Result, ensure};
use e2e::services::{is, said, until};
use e2e::{Agent, Lab, agent, loss, places, volumes};
use provision::{Boot, Disk, Image, Medium, VmSpec};
use serde_json::Value;

const MEMORY: u32 = 512;

/// As much as a node's own disk has to hold, and some.
const DISK: u64 = 4 << 30;

/// What has the node start it.
const ARGUMENT: &str = " garboard.services=/usr/lib/garboard/services/kubernetes";

fn machine(image: &Image) -> Result<VmSpec> {
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    if let Boot::Direct { cmdline, .. } = &mut vm.boot {
        cmdline.push_str(ARGUMENT);
    }
    Ok(vm)
}

#[test]
fn it_runs_once_there_is_a_disk_and_comes_back() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = machine(&image)?;
    vm.disks.push(Disk::system(DISK));
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.maintenance()?;
    ensure!(
        agent.ask("pid containerd").is_err(),
        "it runs on a node without a config"
    );

    node.configure_with(volumes::SYSTEM_DISK)?;
    volumes::ready(&lab)?;
    runs(&lab)?;
    let log = lab.osctl("logs containerd")?.fine()?;
    for words in [
        "containerd successfully booted",
        r#"\"defaultRuntimeName\":\"crun\""#,
        "/usr/bin/crun",
    ] {
        ensure!(log.contains(words), "{words:?} is not in {log}");
    }
    ensure!(!log.contains("level=error"), "{log}");
    let kept = lab.osctl("read /sys/fs/cgroup/services/memory.min")?;
    ensure!(kept.fine()?.trim_end() != "0", "no memory is kept for it");

    loss::kill(&lab, &mut agent, "containerd")?;
    let second = runs(&lab)?;
    loss::kill(&lab, &mut agent, "machined")?;
    let found = runs(&lab)?;
    ensure!(
        found.get("pid") == second.get("pid"),
        "{found} is another one than {second}"
    );

    lab.osctl("reboot --wait")?.fine()?;
    runs(&lab).map(drop)
}

/// Waits until it is well. It may take as long as a boot.
fn runs(lab: &Lab) -> Result<Value> {
    lab.osctl_within(
        lab.boot_deadline(),
        "get services containerd -o json",
        |it| it.contains("\"health\": \"healthy\""),
    )?;
    until(lab, "containerd", |it| {
        is(it, "state", "running") && is(it, "health", "healthy")
    })
}

#[test]
fn without_a_disk_it_says_what_it_waits_for() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut node = lab.node(&image, machine(&image)?)?;
    node.configure()?;
    until(&lab, "containerd", |it| {
        is(it, "state", "waiting") && said(it, "reason").contains("condition ephemeral")
    })?;
    let volumes = lab.osctl("volumes")?.fine()?;
    ensure!(
        volumes.contains("EPHEMERAL") && volumes.contains("no disk holds"),
        "{volumes}"
    );
    Ok(())
}
