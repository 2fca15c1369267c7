//! A root that is not the one that was built does not run.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use e2e::{Lab, places};
use provision::{Bus, Disk, Medium, VmSpec};

const MEMORY: u32 = 512;

/// A machine whose root is a copy with one byte turned over, so many bytes from its beginning or, if negative, its end.
fn with_flipped_byte(lab: &Lab, place: i64) -> Result<VmSpec> {
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    let copy: PathBuf = lab.home().join("rootfs.img");
    fs::copy(image.root()?, &copy).context("copying the root")?;
    let file = File::options().read(true).write(true).open(&copy)?;
    let length = file.metadata()?.len();
    let offset = length
        .checked_add_signed(place)
        .filter(|_| place < 0)
        .unwrap_or(place.unsigned_abs());
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    file.write_all_at(&byte.map(|byte| !byte), offset)?;
    let disk = vm.disks.first_mut().context("a root disk")?;
    *disk = Disk::shared(copy, Bus::Virtio);
    Ok(vm)
}

#[test]
fn a_flipped_byte_in_the_root_is_found() -> Result<()> {
    let lab = Lab::new(1)?;
    // Inside the first block: SquashFS's own description of the whole.
    let vm = with_flipped_byte(&lab, 40)?;
    refuses_its_root(&lab, vm)
}

fn refuses_its_root(lab: &Lab, vm: VmSpec) -> Result<()> {
    let node = lab.node(&places::cloud()?, vm)?;
    let mut console = node.from_power_on();
    console.says("is corrupted", lab.boot_deadline())?;
    console.says("no root to boot", lab.boot_deadline())?;
    Ok(())
}

#[test]
fn a_flipped_byte_in_the_tree_is_found() -> Result<()> {
    let lab = Lab::new(1)?;
    // The tree's top comes right behind its superblock; every read goes through it.
    let image = places::cloud()?;
    let data = data_length(&image.root()?)?;
    let vm = with_flipped_byte(&lab, i64::try_from(data)? + 4096 + 8)?;
    refuses_its_root(&lab, vm)
}

/// Where the root's data ends: the length in SquashFS's superblock (offset 40), in whole blocks.
fn data_length(root: &std::path::Path) -> Result<u64> {
    let mut bytes = [0; 8];
    File::open(root)?.read_exact_at(&mut bytes, 40)?;
    Ok(u64::from_le_bytes(bytes).next_multiple_of(4096))
}
