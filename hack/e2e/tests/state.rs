//! A node that keeps what it was given on its own disk.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{Lab, places, volumes};
use provision::{Disk, Image, Medium, VmSpec};
use serde_json::Value;

const MEMORY: u32 = 512;

const DISK: u64 = 4 << 30;

/// The node's disk among those of the machine: the first is the root's.
const OWN: usize = 1;

/// The kernel's name of it.
const NAME: &str = "vdb";

/// Where STATE begins on every system disk, and how large it is.
const STATE: (u64, u64) = (2053 << 20, 256 << 20);

fn machine(image: &Image, disks: usize) -> Result<VmSpec> {
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.extend((0..disks).map(|_| Disk::system(DISK)));
    Ok(vm)
}

#[test]
fn what_was_applied_survives_a_reboot_a_power_cut_and_a_larger_disk() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut node = lab.node(&image, machine(&image, 1)?)?;
    node.configure_with(volumes::SYSTEM_DISK)?;
    volumes::ready(&lab)?;
    let ephemeral = volume(&lab, "EPHEMERAL")?;
    let config = lab.osctl("config show")?.fine()?;

    let back = lab.osctl("reboot --wait")?.fine()?;
    ensure!(
        back.contains("rebooted") && !back.contains("maintenance"),
        "{back}"
    );
    ensure!(lab.osctl("config show")?.fine()? == config);
    node.shows("running", lab.change_deadline(), volumes::runs)?;

    node.power_cut()?;
    let name = node.name.clone();
    node.cluster.grow_disk(&name, OWN, 2 * DISK)?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    ensure!(lab.osctl_until_fine("config show")? == config);
    volumes::ready(&lab)?;
    let grown = volume(&lab, "EPHEMERAL")?;
    let bytes = |it: &Value| it.get("bytes").and_then(Value::as_u64);
    ensure!(
        bytes(&grown) == bytes(&ephemeral).map(|it| it + DISK),
        "{grown}"
    );
    // The file system too, not its partition alone.
    lab.osctl_until("mounts -o json", |said| {
        usage(said, "/var").is_some_and(|it| it > DISK)
    })?;

    let dry = lab.osctl("reset --dry-run")?.fine()?;
    ensure!(dry.contains(NAME) && dry.contains("system"), "{dry}");
    let unnamed = lab.osctl("reset")?;
    ensure!(
        unnamed.code == Some(2) && unnamed.err.contains("--disk vdb"),
        "{unnamed:?}"
    );
    let wrong = lab.osctl("reset --disk vda")?;
    ensure!(
        wrong.code == Some(1) && wrong.err.contains("is not the node's disk"),
        "{wrong:?}"
    );
    let own = lab.osctl("wipe vdb --yes")?;
    ensure!(
        own.code == Some(1) && own.err.contains("osctl reset"),
        "{own:?}"
    );
    let root = lab.osctl("wipe vda --yes")?;
    ensure!(
        root.code == Some(1) && root.err.contains("in use"),
        "{root:?}"
    );
    volumes::ready(&lab)?;

    node.after(|_, _| lab.osctl("reset --disk system")?.fine().map(drop))?
        .says("reboot: Restarting system", lab.change_deadline())?;
    node.maintenance()?;
    node.configure_again()?;
    volumes::ready(&lab)
}

#[test]
fn what_stands_on_a_disk_is_left_alone_until_the_config_gives_it_up() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut node = lab.node(&image, machine(&image, 1)?)?;
    node.power_cut()?;
    // As an ext4 file system has it.
    let file = node.disk_file(OWN)?;
    write(&file, 1080, b"\x53\xef")?;
    node.start()?;
    let told = "vdb holds an ext2, ext3 or ext4 file system";
    node.configure_by_force(volumes::SYSTEM_DISK, told)?;
    let state = lab.osctl_until("get volumes STATE -o json", |said| said.contains("missing"))?;
    ensure!(state.contains(told), "{state}");
    ensure!(read(&file, 1080, 2)? == b"\x53\xef");
    lab.osctl_until("get conditions -o json", |said| said.contains("in memory"))?;

    let patch = lab.home().join("wipe.yaml");
    fs::write(&patch, "kind: SystemDisk\nwipe: true\n")?;
    lab.osctl("config patch -p wipe.yaml")?.fine()?;
    volumes::ready(&lab)?;
    let back = lab.osctl("reboot --wait")?.fine()?;
    ensure!(!back.contains("maintenance"), "{back}");
    // What is given up is given up once: the same document again empties nothing.
    let show = lab.osctl("config show")?.fine()?;
    ensure!(show.contains("wipe: true"), "{show}");
    Ok(())
}

#[test]
fn two_disks_of_a_node_and_a_destroyed_state_are_told_and_can_be_mended() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut node = lab.node(&image, machine(&image, 2)?)?;
    node.configure_with(&volumes::SYSTEM_DISK.replace("serial == \"system\"", "name == \"vdb\""))?;
    volumes::ready(&lab)?;
    node.after(|_, _| lab.osctl("shutdown")?.fine().map(drop))?
        .says("reboot: Power down", lab.change_deadline())?;
    node.is_off()?;
    copy(&node.disk_file(OWN)?, &node.disk_file(OWN + 1)?)?;

    node.start()?;
    let told = node.shows("told of both", lab.boot_deadline(), |facts| {
        facts.stage.as_deref() == Some("maintenance") && facts.pairing.is_some()
    })?;
    let pairing = told.pairing.context("a pairing string")?;
    let (api, pairing) = (node.api()?, pairing.as_str().to_owned());
    let both = lab.osctl(&format!("reset -n {api} --pairing {pairing} --dry-run"))?;
    ensure!(
        both.code == Some(1) && both.err.contains("vdb") && both.err.contains("vdc"),
        "{both:?}"
    );
    // With one of them gone the node comes up by itself.
    lab.osctl(&format!("wipe vdc --yes -n {api} --pairing {pairing}"))?
        .fine()?;
    node.shows("running", lab.change_deadline(), volumes::runs)?;
    volumes::ready(&lab)?;

    node.power_cut()?;
    let file = node.disk_file(OWN)?;
    // The first superblock and what describes the groups: there are copies of them further on.
    write(&file, STATE.0, &[0; 64 << 10])?;
    node.start()?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    let state = volume(&lab, "STATE")?;
    ensure!(state.to_string().contains("mended"), "{state}");

    node.power_cut()?;
    OpenOptions::new()
        .write(true)
        .open(&file)?
        .write_all_at(&vec![0; 256 << 20], STATE.0)?;
    node.start()?;
    node.maintenance()?;
    let pairing = node.pairing()?;
    let reset = format!("reset -n {api} --pairing {pairing}");
    node.after(|_, _| lab.osctl(&format!("{reset} --disk vdb"))?.fine().map(drop))?
        .says("reboot: Restarting system", lab.change_deadline())?;
    node.maintenance()?;
    node.configure_again()?;
    volumes::ready(&lab)
}

fn volume(lab: &Lab, name: &str) -> Result<Value> {
    let said = lab.osctl_until_fine(&format!("get volumes {name} -o json"))?;
    let value: Value = serde_json::from_str(&said)?;
    let one = match &value {
        Value::Array(all) => all.first().cloned(),
        one => Some(one.clone()),
    };
    let spec = one.and_then(|it| it.get("spec").cloned());
    spec.with_context(|| said.clone())
}

/// How many bytes a file system has, as `osctl mounts` says it.
fn usage(said: &str, target: &str) -> Option<u64> {
    let value: Value = serde_json::from_str(said).ok()?;
    find(&value, target)
}

fn find(value: &Value, target: &str) -> Option<u64> {
    match value {
        Value::Array(all) => all.iter().find_map(|it| find(it, target)),
        Value::Object(map) => {
            let here = map.get("target").and_then(Value::as_str) == Some(target);
            let bytes = || map.get("usage")?.get("totalBytes")?.as_u64();
            let of_disk = map.get("filesystem").and_then(Value::as_str) == Some("ext4");
            (here && of_disk)
                .then(bytes)
                .flatten()
                .or_else(|| map.values().find_map(|it| find(it, target)))
        }
        _ => None,
    }
}

fn write(file: &Path, at: u64, bytes: &[u8]) -> Result<()> {
    let file = OpenOptions::new().write(true).open(file)?;
    Ok(file.write_all_at(bytes, at)?)
}

fn read(file: &Path, at: u64, bytes: usize) -> Result<Vec<u8>> {
    let mut read = vec![0; bytes];
    File::open(file)?.read_exact_at(&mut read, at)?;
    Ok(read)
}

/// Copies a disk without filling its holes.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = std::process::Command::new("cp")
        .args(["--sparse=always"])
        .args([from, to])
        .status()?;
    if !status.success() {
        bail!("cp: {status}");
    }
    Ok(())
}
