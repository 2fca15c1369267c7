//! The disks that a machine has of its own, as the node sees them.

use anyhow::{Context, Result, ensure};
use e2e::{Lab, Node, places};
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
    ensure!(std::fs::metadata(&file)?.len() == SIZE, "{file:?}");
    let name = node.name.clone();
    node.cluster.grow_disk(&name, FIRST, 2 * SIZE)?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    apply(&lab, &mut node)?;
    ensure!(size(&lab, "first")? == 2 * SIZE);
    ensure!(size(&lab, "second")? == SIZE);
    Ok(())
}

/// Gives it its config again: what it was given is lost with its memory.
fn apply(lab: &Lab, node: &mut Node<'_>) -> Result<()> {
    let (pairing, api) = (node.pairing()?, node.api()?);
    lab.osctl(&format!(
        "apply --file node.yaml -n {api} --pairing {pairing}"
    ))?
    .fine()?;
    lab.osctl_until_fine("version")?;
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
