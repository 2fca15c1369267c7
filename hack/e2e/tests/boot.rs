//! Every way to boot reaches the same state, and a person's first steps work on it.

use anyhow::{Context, Result, ensure};
use e2e::lab::CREATE;
use e2e::{Lab, places};
use provision::{Bus, Destroyed, Image, Medium, Name, Nic};

/// What a node needs at least, by the budget.
const MEMORY: u32 = 512;

/// A network boot holds the root in memory, and before that the firmware holds all of it too.
const PXE_MEMORY: u32 = 1024;

fn name(text: &str) -> Result<Name> {
    Ok(text.parse()?)
}

/// Boots a machine, pairs, configures, asks. However it was booted, it got the image's whole command line.
fn reaches_running(image: &Image, medium: Medium, uefi: bool, nic: Nic) -> Result<()> {
    let lab = Lab::new(1)?;
    let memory = if medium == Medium::Pxe {
        PXE_MEMORY
    } else {
        MEMORY
    };
    let mut vm = image.vm(name("node")?, memory, medium, uefi)?;
    vm.nic = nic;
    let mut node = lab.node(image, vm)?;
    node.configure()?;
    let line = node
        .from_power_on()
        .says("Kernel command line: ", lab.change_deadline())?;
    ensure!(line.contains(&image.cmdline()?), "{line}");
    if let Some(bus) = bus(medium) {
        let attached = format!(r#""bus": "{bus}""#);
        lab.osctl_until("get disks -o json", |said| said.contains(&attached))?;
    }
    Ok(())
}

/// What the node calls the bus of the disk it boots from.
fn bus(medium: Medium) -> Option<&'static str> {
    match medium {
        Medium::Direct | Medium::Iso(Bus::Virtio) => Some("virtio"),
        Medium::Iso(Bus::Cdrom | Bus::Ahci) => Some("ata"),
        Medium::Iso(Bus::Usb) => Some("usb"),
        Medium::Iso(Bus::Nvme) => Some("nvme"),
        Medium::Pxe => None,
    }
}

#[test]
fn cluster_create_leads_to_a_node_that_answers_and_destroy_leaves_nothing() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud_folder()?;
    let image = image.to_str().context("a path of UTF-8")?;
    let line = format!("cluster create --name first --no-kubernetes --image {image}");
    lab.osctl_for(CREATE, &line)?.fine()?;
    let version = lab.osctl("version -o json")?.fine()?;
    ensure!(version.contains("running"), "{version}");
    let shown = lab.osctl("cluster show --name first -o json")?.fine()?;
    ensure!(shown.contains("first"), "{shown}");
    let listed = lab.clusters().list()?;
    ensure!(listed == [name("first")?], "{listed:?}");
    lab.osctl("cluster destroy --all")?.fine()?;
    ensure!(lab.clusters().list()?.is_empty());
    let again = lab.clusters().destroy(&name("first")?)?;
    ensure!(again == Destroyed::Nothing);
    Ok(())
}

#[test]
fn direct_under_bios() -> Result<()> {
    reaches_running(&places::cloud()?, Medium::Direct, false, Nic::Virtio)
}

#[test]
fn direct_under_uefi() -> Result<()> {
    reaches_running(&places::cloud()?, Medium::Direct, true, Nic::Virtio)
}

#[test]
fn iso_as_a_disc_under_bios() -> Result<()> {
    reaches_running(
        &places::cloud()?,
        Medium::Iso(Bus::Cdrom),
        false,
        Nic::Virtio,
    )
}

#[test]
fn iso_as_a_disc_under_uefi() -> Result<()> {
    // The large one: its EFI partition is longer than a boot catalogue can say.
    reaches_running(
        &places::generic()?,
        Medium::Iso(Bus::Cdrom),
        true,
        Nic::E1000e,
    )
}

#[test]
fn iso_as_a_virtio_disk_under_uefi() -> Result<()> {
    reaches_running(
        &places::cloud()?,
        Medium::Iso(Bus::Virtio),
        true,
        Nic::Virtio,
    )
}

#[test]
fn iso_as_a_sata_disk_with_an_intel_card_under_uefi() -> Result<()> {
    reaches_running(
        &places::generic()?,
        Medium::Iso(Bus::Ahci),
        true,
        Nic::E1000e,
    )
}

#[test]
fn iso_on_a_usb_stick_under_bios() -> Result<()> {
    reaches_running(
        &places::generic()?,
        Medium::Iso(Bus::Usb),
        false,
        Nic::E1000e,
    )
}

#[test]
fn iso_on_a_usb_stick_under_uefi() -> Result<()> {
    reaches_running(
        &places::generic()?,
        Medium::Iso(Bus::Usb),
        true,
        Nic::E1000e,
    )
}

#[test]
fn pxe_under_bios() -> Result<()> {
    reaches_running(&places::cloud()?, Medium::Pxe, false, Nic::Virtio)
}

#[test]
fn pxe_under_uefi() -> Result<()> {
    reaches_running(&places::cloud()?, Medium::Pxe, true, Nic::Virtio)
}
