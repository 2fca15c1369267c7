//! The ways to boot the parts: an ISO for BIOS and UEFI, and a folder for network boot.
//!
//! The ISO starts in four ways: as a disc by its boot catalogue, as a stick or disk by its boot sector
//! and partition table. BIOS finds ISOLINUX, which reads kernel and initramfs from the ISO's files;
//! UEFI finds a FAT partition behind them, with the unified kernel image. Both pass the same command
//! line (docs/adr/0006).

use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use resources::images::BUNDLE_ON_MEDIUM;

use crate::cpio;
use crate::parts::Parts;
use crate::pe::{self, Section};
use crate::tools::{Tools, run};
use crate::tree::{Source, Tree};

/// Label of the ISO, by which the initramfs finds it.
const LABEL: &str = "GARBOARD";

/// Type of an EFI partition.
const EFI_TYPE: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";

/// Where the loader's packages have its program, the rest of it, and the boot sector for disks.
const LOADER: &str = "usr/lib/ISOLINUX/isolinux.bin";
const LOADER_REST: &str = "usr/lib/syslinux/modules/bios/ldlinux.c32";
const LOADER_SECTOR: &str = "usr/lib/ISOLINUX/isohdpfx.bin";

/// The loader's folder on the ISO: the first in which it looks for its settings.
const LOADER_FOLDER: &str = "boot/isolinux";

/// Serial number of the FAT file system: "GRBD".
const FAT_SERIAL: &str = "47524244";

/// The parts' names, in their folder and on the media.
const KERNEL: &str = "vmlinuz";
const INITRAMFS: &str = "initramfs";

/// Room in the FAT image beside the one file: tables and folders.
const FAT_ROOM: u64 = 1 << 20;

/// Assembles the unified kernel image: one program that holds all that UEFI starts.
///
/// # Errors
/// When a part cannot be read, or the stub has no room.
pub fn unified(parts: &Parts, stub: &Path, os_release: &str) -> Result<Vec<u8>> {
    let read = |name: &str| {
        let path = parts.folder.join(name);
        fs::read(&path).with_context(|| format!("reading {}", path.display()))
    };
    let (linux, initramfs) = (read(KERNEL)?, read(INITRAMFS)?);
    let stub = fs::read(stub).with_context(|| format!("reading {}", stub.display()))?;
    let section = |name, data| Section {
        name,
        data,
        memory: 0,
    };
    // The kernel comes last and gets the memory it unpacks itself into.
    let memory = pe::memory_size(&linux).context("in the kernel")?;
    let sections = [
        section(".osrel", os_release.as_bytes()),
        section(".cmdline", parts.cmdline.as_bytes()),
        section(".uname", parts.release.as_bytes()),
        section(".initrd", &initramfs),
        Section {
            name: ".linux",
            data: &linux,
            memory: memory as usize,
        },
    ];
    pe::append(&stub, &sections).context("appending to the stub")
}

/// Writes the ISO around a unified kernel image; `loader` is the folder of the unpacked BIOS loader, and `bundle` the container
/// images that go with it, which a node finds there by their place.
///
/// # Errors
/// When a tool fails or the disk is full.
pub fn iso(
    parts: &Parts,
    unified: &[u8],
    loader: &Path,
    epoch: u64,
    bundle: Option<&Path>,
    out: &Path,
) -> Result<()> {
    let work = tempfile::tempdir().context("making a work folder")?;
    let (tree, fat) = (work.path().join("tree"), work.path().join("efi.img"));
    write_fat(&parts.tools, unified, epoch, work.path(), &fat)?;
    write_tree(parts, loader, &tree)?;
    if let Some(bundle) = bundle {
        let place = BUNDLE_ON_MEDIUM
            .iter()
            .fold(tree.clone(), |it, name| it.join(name));
        let folder = place.parent().context("a bundle in the root of the ISO")?;
        fs::create_dir_all(folder).context("making the ISO's tree")?;
        fs::copy(bundle, &place).with_context(|| format!("copying {}", bundle.display()))?;
    }
    let mut command = parts.tools.command("usr/bin/xorriso", "xorriso");
    command.args(["-no_rc", "-as", "mkisofs", "-quiet", "-r"]);
    command.args(["-V", LABEL, "-p", LABEL]);
    // Without this the files' own times get in, though the epoch is in the environment.
    command.arg("--set_all_file_dates").arg(format!("={epoch}"));
    command.arg("-o").arg(out);
    // BIOS, disc: four sectors are loaded, which get to know where the rest lies.
    command
        .arg("-b")
        .arg(format!("{LOADER_FOLDER}/isolinux.bin"));
    command.args(["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]);
    // BIOS, disk. Some want an active partition, which the table of a GPT disk would not have, and some
    // refuse one that starts at the table itself.
    command
        .arg("-isohybrid-mbr")
        .arg(loader.join(LOADER_SECTOR));
    command.args(["--mbr-force-bootable", "-partition_offset", "16"]);
    // UEFI: one partition for disks, and the same bytes in the catalogue for discs.
    command.args(["-append_partition", "2", EFI_TYPE]).arg(&fat);
    command.args(["-appended_part_as_gpt", "-eltorito-alt-boot"]);
    command.args(["-e", "--interval:appended_partition_2:all::"]);
    command.arg("-no-emul-boot").arg(&tree);
    run(command, "xorriso").map(drop)
}

/// Lays out what is in the ISO's file system: the root, and what the BIOS loader reads.
fn write_tree(parts: &Parts, loader: &Path, tree: &Path) -> Result<()> {
    let folder = tree.join(LOADER_FOLDER);
    fs::create_dir_all(&folder).context("making the ISO's tree")?;
    let copy = |from: PathBuf, to: PathBuf| {
        let copied = fs::copy(&from, to).map(drop);
        copied.with_context(|| format!("copying {}", from.display()))
    };
    copy(parts.folder.join("rootfs.img"), tree.join("rootfs.img"))?;
    for name in [KERNEL, INITRAMFS] {
        copy(parts.folder.join(name), tree.join("boot").join(name))?;
    }
    copy(loader.join(LOADER), folder.join("isolinux.bin"))?;
    copy(loader.join(LOADER_REST), folder.join("ldlinux.c32"))?;
    let settings = settings(&parts.cmdline);
    fs::write(folder.join("isolinux.cfg"), settings).context("writing the loader's settings")
}

/// What the BIOS loader does: boot at once, whatever key is held down, and say so on the first serial
/// port as well, at the speed that the kernel takes by default. It sets `BOOT_IMAGE=` before the command
/// line and `initrd=` behind it.
fn settings(cmdline: &str) -> String {
    format!(
        "SERIAL 0 9600\nPROMPT 0\nNOESCAPE 1\nDEFAULT garboard\nLABEL garboard\n\
         LINUX /boot/{KERNEL}\nINITRD /boot/{INITRAMFS}\nAPPEND {cmdline}\n"
    )
}

fn write_fat(tools: &Tools, program: &[u8], epoch: u64, work: &Path, fat: &Path) -> Result<()> {
    let source = work.join("BOOTX64.EFI");
    fs::write(&source, program).context("writing the unified kernel image")?;
    let file = File::options()
        .write(true)
        .open(&source)
        .context("opening it again")?;
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(epoch);
    file.set_modified(time).context("setting its time")?;
    let size = (program.len() as u64 + FAT_ROOM).next_multiple_of(1 << 20);
    File::create(fat)
        .and_then(|f| f.set_len(size))
        .context("making the EFI image")?;
    let mtools = |name: &str| {
        let mut command = tools.command("usr/bin/mtools", name);
        command.arg("-i").arg(fat);
        command
    };
    let mut format = mtools("mformat");
    format.args(["-N", FAT_SERIAL, "-v", LABEL, "::"]);
    run(format, "mformat")?;
    let mut folders = mtools("mmd");
    folders.args(["::EFI", "::EFI/BOOT"]);
    run(folders, "mmd")?;
    let mut copy = mtools("mcopy");
    copy.arg("-m").arg(&source).arg("::EFI/BOOT/BOOTX64.EFI");
    run(copy, "mcopy").map(drop)
}

/// Writes the folder for network boot: kernel, initramfs with the root inside, script.
///
/// # Errors
/// When a part cannot be read or the disk is full.
pub fn pxe(parts: &Parts, out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    fs::copy(parts.folder.join(KERNEL), out.join(KERNEL)).context("copying the kernel")?;
    let path = out.join(INITRAMFS);
    let mut file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let initramfs = File::open(parts.folder.join(INITRAMFS)).context("opening the initramfs")?;
    let length = std::io::copy(&mut BufReader::new(initramfs), &mut file)
        .context("copying the initramfs")?;
    // The kernel takes any number of archives; an unpacked one begins at a multiple of four.
    cpio::pad(
        &mut file,
        usize::try_from(length).context("a large initramfs")?,
    )?;
    let mut tree = Tree::default();
    tree.file(
        "rootfs.img",
        0o400,
        Source::Path(parts.folder.join("rootfs.img")),
    )?;
    cpio::write(&tree, &mut file)?;
    file.flush().context("writing the initramfs")?;
    fs::write(out.join("boot.ipxe"), script(&parts.cmdline)).context("writing the script")
}

/// The iPXE script. `initrd=` is what EFI builds of iPXE from before 2020 need and others ignore.
fn script(cmdline: &str) -> String {
    format!("#!ipxe\nkernel {KERNEL} initrd={INITRAMFS} {cmdline}\ninitrd {INITRAMFS}\nboot\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loader_passes_the_whole_command_line_and_waits_for_nobody() {
        let bios = settings("console=ttyS0 a=b");
        let lines: Vec<&str> = bios.lines().collect();
        assert!(lines.contains(&"APPEND console=ttyS0 a=b"), "{bios}");
        assert!(
            lines.contains(&"PROMPT 0") && lines.contains(&"NOESCAPE 1"),
            "{bios}"
        );
        let network = script("console=ttyS0 a=b");
        assert!(network.contains(" console=ttyS0 a=b\n"), "{network}");
    }
}
