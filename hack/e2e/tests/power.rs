//! The ways down: again, off, and away with all of it.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use e2e::{Lab, places};
use provision::Medium;

const MEMORY: u32 = 512;

#[test]
fn a_reboot_comes_back_a_shutdown_does_not_and_destroy_leaves_nothing() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut node = lab.node(
        &image,
        image.vm("node".parse()?, MEMORY, Medium::Direct, false)?,
    )?;
    node.configure()?;
    let api = node.api()?;
    lab.osctl(&format!(
        "gen crt --name operator --role operator --node node={api}"
    ))?
    .fine()?;

    let reboot = || lab.osctl("reboot --wait --context operator")?.fine();
    node.after(|_, _| reboot().map(drop))?
        .says("reboot: Restarting system", lab.change_deadline())?;
    // Without a disk, a config holds as long as the machine is on.
    node.configure_again()?;
    let shutdown = || lab.osctl("shutdown --context operator")?.fine();
    node.after(|_, _| shutdown().map(drop))?
        .says("reboot: Power down", lab.change_deadline())?;
    node.is_off()?;

    ensure!(
        processes_of(lab.home())? > 0,
        "the network of the cluster still runs"
    );
    lab.osctl("cluster destroy --name node")?.fine()?;
    ensure!(
        processes_of(lab.home())? == 0,
        "a process of the cluster still runs"
    );
    let left: Vec<_> = fs::read_dir(lab.home().join("data/garboard/clusters"))?.collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// How many processes have to do with a folder.
fn processes_of(folder: &Path) -> Result<usize> {
    let folder = folder.to_string_lossy().into_owned();
    let mut count = 0;
    for entry in fs::read_dir("/proc")? {
        // One that has ended since, or is somebody else's, has no command line for us.
        let line = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        count += usize::from(String::from_utf8_lossy(&line).contains(&folder));
    }
    Ok(count)
}
