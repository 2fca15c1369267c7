//! machined is killed in the middle of what must be done whole: the next one goes on where it was.

use anyhow::{Result, ensure};
use e2e::{Agent, Lab, agent, places, volumes};
use provision::{Disk, Medium};

const MEMORY: u32 = 512;

/// The program that makes file systems.
const MKE2FS: &str = "/usr/sbin/mke2fs";

/// Of the disk; the header of the table stands in the second one, that of the copy in the last.
const SECTOR: u64 = 512;

#[test]
fn machined_dies_while_it_partitions_makes_file_systems_and_applies() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::system(volumes::SMALL));
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    let (pairing, api) = (node.pairing()?, node.api()?);
    lab.osctl("gen secrets")?.fine()?;
    lab.osctl("gen config node --system-disk serial==\"system\"")?
        .fine()?;
    lab.osctl(&format!("gen crt --name node --node node={api}"))?
        .fine()?;

    // The first life dies when it has written the copy of the partition table at the end of the disk, the next one when it has
    // written the table itself, which the kernel may not have heard of then. One dies when the first file system is about to
    // be made; that program goes on alone. It is made again, and what kills the last of them is the program for the second
    // file system.
    let copy = volumes::SMALL - SECTOR;
    for place in [copy, SECTOR] {
        agent.ask(&format!("trap machined write /dev/vdb {place}"))?;
    }
    agent.ask(&format!("trap machined run {MKE2FS} 0"))?;
    agent.ask(&format!("trap machined run {MKE2FS} 2"))?;
    // It may be killed before it has answered.
    lab.osctl(&format!(
        "apply --file node.yaml -n {api} --pairing {pairing}"
    ))?;
    for _ in 0..4 {
        trapped(&lab, &mut agent)?;
    }
    volumes::ready(&lab)?;
    let old = lab.osctl_until_fine("config show")?;
    ensure!(old.contains("hostname: node"), "{old}");

    // The new config is on the disk, and what says that it counts is not.
    agent.ask("trap machined open /run/garboard/state/config 1")?;
    let cut_off = lab.osctl(&volumes::moved("second"))?;
    ensure!(cut_off.code == Some(1), "{cut_off:?}");
    trapped(&lab, &mut agent)?;
    volumes::ready(&lab)?;
    let left = lab.osctl("config show")?.fine()?;
    ensure!(left == old, "{left}");
    lab.osctl(&volumes::moved("second"))?.fine()?;
    let new = lab.osctl("config show")?.fine()?;
    ensure!(new.contains("hostname: node.second"), "{new}");

    node.power_cut()?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    volumes::ready(&lab)?;
    ensure!(lab.osctl("config show")?.fine()? == new);
    Ok(())
}

/// Waits until a trap has killed it.
fn trapped(lab: &Lab, agent: &mut Agent) -> Result<()> {
    let event = agent.event(lab.boot_deadline(), |event| event.starts_with("TRAP"))?;
    ensure!(event.starts_with("TRAPPED"), "{event}");
    Ok(())
}
