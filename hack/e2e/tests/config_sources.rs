//! Where a node takes its first config from when nobody gives it one: a seed disk, and a URL on the kernel command line.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::{Lab, Node, Web, places, seed, volumes};
use provision::{Boot, Bus, Deadline, Disk, Facts, Medium};

const MEMORY: u32 = 512;

/// The longest that a node waits before it asks a source again.
const PAUSE: Duration = Duration::from_secs(60);

/// What a node calls a seed disk.
const SEED: &str = "the seed disk labelled CIDATA";

/// What the seed's other file says; the name is for documents that have none.
const META_DATA: &str = "instance-id: i-0\nlocal-hostname: node\n";

/// A document that says the name.
const NAME: &str = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: node\n";

#[test]
fn a_seed_in_a_drive_is_taken_once_and_named_by_its_other_file() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let documents = documents(&lab)? + volumes::SYSTEM_DISK;
    ensure!(documents.contains(NAME), "{documents}");
    let unnamed = documents.replace(&format!("---\n{NAME}"), "");
    ensure!(!unnamed.contains("hostname"), "{unnamed}");
    let disc = lab.home().join("seed.iso");
    seed::iso(&disc, &[("user-data", &unnamed), ("meta-data", META_DATA)])?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::shared(&disc, Bus::Cdrom));
    vm.disks.push(Disk::system(volumes::SMALL));
    let mut node = lab.node(&image, vm)?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    has_config_from(&lab, &node, SEED)?;
    volumes::ready(&lab)?;
    let config = lab.osctl("config show")?.fine()?;

    // What it has counts from now on, whatever the disc says.
    node.power_cut()?;
    let other = documents.replace("hostname: node\n", "hostname: other\n");
    seed::iso(&disc, &[("user-data", &other)])?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    ensure!(lab.osctl_until_fine("config show")? == config);
    has_config_from(&lab, &node, SEED)
}

#[test]
fn a_seed_with_a_mistake_is_told_with_its_place_and_works_when_mended() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let good = documents(&lab)?;
    let bad = good.replace("hostname: node\n", "hostnam: node\n");
    let line = bad.lines().position(|line| line.starts_with("hostnam:"));
    let line = line.context("a mistake")? + 1;
    let disk = lab.home().join("seed.img");
    fat(&disk, &bad)?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::shared(&disk, Bus::Virtio));
    let mut node = lab.node(&image, vm)?;
    let place = format!("{line}:1: unknown field `hostnam`");
    node.shows("told of the mistake", lab.boot_deadline(), |facts| {
        waits(facts, &[SEED, &place])
    })?;

    node.power_cut()?;
    fat(&disk, &good)?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    node.shows("running", lab.boot_deadline(), volumes::runs)?;
    has_config_from(&lab, &node, SEED)
}

#[test]
fn a_url_with_variables_is_asked_until_it_has_the_config() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let documents = documents(&lab)?;
    let web = Web::new()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    let Boot::Direct { cmdline, .. } = &mut vm.boot else {
        bail!("the machine does not start directly");
    };
    let url = web.url("/${uuid}/${mac}.yaml");
    cmdline.push_str(&format!(" garboard.config={url}"));
    let mut node = lab.open_node(&image, vm)?;
    let machine = node.cluster.vm(&node.name)?;
    let path = format!("/{}/{}.yaml", machine.uuid, machine.mac);
    node.shows("told of the answer", lab.boot_deadline(), |facts| {
        waits(facts, &["garboard.config", &path, "404 Not Found"])
    })?;

    web.publish(&path, &documents);
    let late = Deadline::after(PAUSE + lab.patience(PAUSE));
    node.shows("running", late, volumes::runs)?;
    has_config_from(&lab, &node, "the kernel argument garboard.config")
}

/// The secrets of a lab, and of what is made of them the config of a node.
fn documents(lab: &Lab) -> Result<String> {
    lab.osctl("gen secrets")?.fine()?;
    lab.osctl("gen config node")?.fine()?;
    fs::read_to_string(lab.home().join("node.yaml")).context("reading the config that was made")
}

fn fat(disk: &Path, documents: &str) -> Result<()> {
    seed::fat(disk, &[("user-data", documents), ("meta-data", META_DATA)])
}

/// Whether a node is open to a person, and says all this of what it waits for.
fn waits(facts: &Facts, words: &[&str]) -> bool {
    let says = |text: &String| words.iter().all(|word| text.contains(word));
    let open = facts.stage.as_deref() == Some("maintenance") && facts.pairing.is_some();
    open && facts.waiting.iter().any(says)
}

/// Waits until a node that runs is known by the name `node`; nobody was paired with it, and the only config that it ever
/// had is of this source.
fn has_config_from(lab: &Lab, node: &Node<'_>, source: &str) -> Result<()> {
    if !lab.home().join("config").exists() {
        let api = node.api()?;
        lab.osctl(&format!("gen crt --name node --node node={api}"))?
            .fine()?;
    }
    lab.osctl_until("version -o json", |said| {
        said.contains("\"hostname\": \"node\"") && said.contains("\"stage\": \"running\"")
    })?;
    let history = lab.osctl("config history -o json")?.fine()?;
    ensure!(
        history.matches("\"generation\"").count() == 1 && history.contains(source),
        "{history}"
    );
    Ok(())
}
