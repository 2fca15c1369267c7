//! File systems without room for another byte, or another file: what is there is not lost, and the node can be told so.

use anyhow::{Result, ensure};
use e2e::{Agent, Lab, agent, loss, places, volumes};
use provision::{Disk, Medium};

const MEMORY: u32 = 512;

/// Where the volumes are mounted.
const STATE: &str = "/run/garboard/state";
const EPHEMERAL: &str = "/var";

/// What takes all the bytes of a file system, and what takes all its files.
const WAYS: [&str; 2] = ["fill", "crowd"];

#[test]
fn a_node_with_full_file_systems_loses_nothing() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::system(volumes::SMALL));
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.configure_with(volumes::SYSTEM_DISK)?;
    volumes::ready(&lab)?;

    for way in WAYS {
        take(&mut agent, way, EPHEMERAL)?;
        lab.osctl(&volumes::moved(&format!("{way}-ephemeral")))?
            .fine()?;
        let before = lab.osctl("config show")?.fine()?;
        take(&mut agent, way, STATE)?;
        refused(&lab, &before)?;
        loss::kill(&lab, &mut agent, "machined")?;
        volumes::ready(&lab)?;
        refused(&lab, &before)?;
        for volume in [STATE, EPHEMERAL] {
            agent.ask(&format!("remove {volume}/{way}"))?;
        }
        let after = format!("{way}-after");
        lab.osctl(&volumes::moved(&after))?.fine()?;
        let shown = lab.osctl("config show")?.fine()?;
        ensure!(
            shown.contains(&format!("hostname: node.{after}")),
            "{shown}"
        );
    }

    let before = lab.osctl("config show")?.fine()?;
    take(&mut agent, "fill", STATE)?;
    node.power_cut()?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    volumes::ready(&lab)?;
    refused(&lab, &before)
}

/// Takes all there is of something.
fn take(agent: &mut Agent, way: &str, volume: &str) -> Result<()> {
    let taken: u64 = agent.ask_one(&format!("{way} {volume}/{way}"))?.parse()?;
    ensure!(taken > 0, "there was nothing left of {volume} for {way}");
    Ok(())
}

/// A new config is refused with the reason and the way out, and the one before goes on.
fn refused(lab: &Lab, before: &str) -> Result<()> {
    let said = lab.osctl(&volumes::moved("too-much"))?;
    let told = ["STATE has no room left", "osctl reset"];
    ensure!(
        said.code == Some(1) && told.iter().all(|it| said.err.contains(it)),
        "{said:?}"
    );
    let shown = lab.osctl("config show")?.fine()?;
    ensure!(shown == before, "{shown}");
    Ok(())
}
