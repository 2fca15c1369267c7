//! The disks that a machine has of its own, as the node sees them.

use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::powercut::Entry;
use e2e::{Agent, Cut, Lab, Recorded, agent, places, powercut};
use provision::{Bus, Disk, Medium, OwnDisk};
use serde_json::Value;

const MEMORY: u32 = 512;

/// The number of the disk after the one with the root.
const FIRST: usize = 1;

#[test]
fn a_machine_keeps_its_disks_over_a_power_cut_and_they_can_grow() -> Result<()> {
    const SIZE: u64 = 64 << 20;
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    for (serial, bus) in [("first", Bus::Virtio), ("second", Bus::Nvme)] {
        vm.disks.push(Disk::Own(OwnDisk {
            serial: Some(serial.parse()?),
            ..OwnDisk::new(SIZE, bus)
        }));
    }
    let mut node = lab.node(&image, vm)?;
    node.configure()?;
    ensure!(size(&lab, "first")? == SIZE);
    ensure!(size(&lab, "second")? == SIZE);

    node.power_cut()?;
    let file = node.disk_file(FIRST)?;
    ensure!(fs::metadata(&file)?.len() == SIZE, "{file:?}");
    let name = node.name.clone();
    node.cluster.grow_disk(&name, FIRST, 2 * SIZE)?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    node.configure_again()?;
    ensure!(size(&lab, "first")? == 2 * SIZE);
    ensure!(size(&lab, "second")? == SIZE);
    Ok(())
}

#[test]
fn what_a_kernel_writes_is_in_the_record_of_the_disk() -> Result<()> {
    const SIZE: u64 = 64 << 20;
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::Own(OwnDisk {
        record: true,
        ..OwnDisk::new(SIZE, Bus::Virtio)
    }));
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    // Before, the node's own file systems are not there.
    node.maintenance()?;
    let mut agent = Agent::meet(&lab, &node)?;
    agent.ask("run /usr/sbin/mke2fs -q -t ext4 /dev/vdb")?;
    agent.ask("run /usr/sbin/e2fsck -f -p /dev/vdb")?;
    let file = node.cluster.disk_record(&node.name, FIRST)?;
    let count = powercut::count(&file)?;
    node.power_cut()?;

    let bytes = fs::read(file)?;
    let recorded = Recorded::parse(&bytes, SIZE)?;
    let entries = recorded.entries();
    // Writes that a flush followed, before the programs ended.
    ensure!(count > 10 && entries.len() >= count, "{count} entries");
    ensure!(entries.iter().any(Entry::flushes), "{entries:?}");
    let rebuilt = lab.home().join("rebuilt.img");
    recorded.last(&rebuilt)?;
    let disk = fs::read(node.disk_file(FIRST)?)?;
    ensure!(fs::read(&rebuilt)? == disk, "the record is of another disk");
    // What was flushed is there whatever is lost.
    let flushed = entries.iter().rposition(Entry::flushes);
    let after = flushed.context("a flush")? + 1;
    for seed in 0..3 {
        recorded.image(Cut { after, seed }, &rebuilt)?;
        ensure!(fs::read(&rebuilt)? == disk, "a flush is not kept");
    }
    Ok(())
}

/// How large the node says that its disk with a serial number is.
fn size(lab: &Lab, serial: &str) -> Result<u64> {
    let said = lab.osctl("get disks -o json")?.fine()?;
    let disks: Vec<Value> = serde_json::from_str(&said)?;
    let specs = disks.iter().filter_map(|disk| disk.get("spec"));
    let mut wanted = specs.filter(|spec| spec.get("serial").is_some_and(|found| found == serial));
    let spec = wanted.next().with_context(|| said.clone())?;
    let size = spec.get("bytes").and_then(Value::as_u64);
    size.with_context(|| said.clone())
}
