//! Disks that cannot be what the config wants of them: too small, failing, gone. The node says so and can be reached.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Agent, Lab, Node, agent, places, volumes};
use provision::{Bus, Deadline, Disk, Medium, OwnDisk};
use serde_json::Value;

const MEMORY: u32 = 512;

/// The disks after the one with the root, and the kernel's name of the second.
const SYSTEM: usize = 2;
const NAME: &str = "vdc";

/// From the first write that fails to the node's word for it: it tries its disk every half minute.
const NOTICE: Duration = Duration::from_secs(60);

#[test]
fn a_disk_that_is_too_small_fails_or_goes_away_is_told() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::Own(OwnDisk {
        serial: Some("small".parse()?),
        ..OwnDisk::new(1 << 30, Bus::Virtio)
    }));
    vm.disks.push(Disk::system(volumes::SMALL));
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let told = "vdb has 1024 MiB, and a system disk needs ";
    node.configure_by_force(
        &volumes::SYSTEM_DISK.replace("\"system\"", "\"small\""),
        told,
    )?;
    lab.osctl_until("get volumes STATE -o json", |said| {
        said.contains("missing") && said.contains(told)
    })?;
    lab.osctl_until("get conditions -o json", |said| {
        said.contains("in memory") && said.contains(told)
    })?;

    let patch = "kind: SystemDisk\nmatch: serial == \"system\"\n";
    fs::write(lab.home().join("disk.yaml"), patch)?;
    lab.osctl("config patch -p disk.yaml")?.fine()?;
    volumes::ready(&lab)?;
    let config = lab.osctl("config show")?.fine()?;

    // A layer below the machine stands for the kernel's dm-flakey: that would have to be below the node's disk too, where
    // no node has one, while this disk is the one that the node chose, partitioned and mounted.
    let name = node.name.clone();
    node.cluster.fail_disk(&name, SYSTEM, true)?;
    let refused = lab.osctl(&volumes::moved("lost"))?;
    ensure!(
        refused.code == Some(1) && refused.err.contains("STATE cannot be used"),
        "{refused:?}"
    );
    goes_on(&lab, "failed to write", &config)?;
    as_before(&lab, &mut node, &config)?;

    let mut agent = Agent::meet(&lab, &node)?;
    // As a card that is pulled out of its slot, from where the kernel has noticed that on.
    agent.ask(&format!("write /sys/block/{NAME}/device/../remove 1"))?;
    goes_on(&lab, &format!("{NAME} is gone"), &config)?;
    as_before(&lab, &mut node, &config)
}

/// The node says what has become of its volumes and where it keeps configs now, and runs on with the one it had.
fn goes_on(lab: &Lab, reason: &str, config: &str) -> Result<()> {
    let deadline = || Deadline::after(lab.patience(NOTICE));
    lab.osctl_within(deadline(), "get volumes STATE -o json", |said| {
        said.contains("\"phase\": \"failed\"") && said.contains(reason)
    })?;
    lab.osctl_within(deadline(), "get conditions -o json", |said| {
        said.contains("kept in memory") && said.contains(reason)
    })?;
    let said = lab.osctl("version -o json")?.fine()?;
    ensure!(said.contains("\"stage\": \"running\""), "{said}");
    ensure!(lab.osctl("config show")?.fine()? == config);
    // What is applied now counts until the machine restarts.
    lab.osctl(&volumes::moved("meanwhile"))?.fine()?;
    let shown = lab.osctl("config show")?.fine()?;
    ensure!(shown.contains("hostname: node.meanwhile"), "{shown}");
    Ok(())
}

/// With the power cut and a disk that is sound again the node is what it was.
fn as_before(lab: &Lab, node: &mut Node<'_>, config: &str) -> Result<()> {
    node.power_cut()?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    volumes::ready(lab)?;
    ensure!(lab.osctl("config show")?.fine()? == config);
    let said = lab.osctl("get volumes EPHEMERAL -o json")?.fine()?;
    let all: Vec<Value> = serde_json::from_str(&said)?;
    let spec = all.first().and_then(|it| it.get("spec"));
    let device = spec.and_then(|it| it.get("device"));
    let device = device.and_then(Value::as_str).context(said.clone())?;
    ensure!(device.contains(NAME), "{said}");
    Ok(())
}
