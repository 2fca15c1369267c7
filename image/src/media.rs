//! The ways to boot the parts: an ISO for UEFI, and a folder for network boot.
//!
//! The ISO's EFI partition is a FAT image among its files, named in the boot catalogue for optical
//! drives and in a partition table for sticks; a BIOS entry can go before it without moving anything.

use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::cpio;
use crate::parts::Parts;
use crate::pe::{self, Section};
use crate::tools::{Tools, run};
use crate::tree::{Source, Tree};

/// Label of the ISO, by which the initramfs finds it.
const LABEL: &str = "GARBOARD";

/// The EFI partition's file on the ISO.
const EFI_IMAGE: &str = "efi.img";

/// Serial number of the FAT file system: "GRBD".
const FAT_SERIAL: &str = "47524244";

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
    let (linux, initramfs) = (read("vmlinuz")?, read("initramfs")?);
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

/// Writes the ISO around a unified kernel image.
///
/// # Errors
/// When a tool fails or the disk is full.
pub fn iso(parts: &Parts, unified: &[u8], epoch: u64, out: &Path) -> Result<()> {
    let work = tempfile::tempdir().context("making a work folder")?;
    let tree = work.path().join("tree");
    fs::create_dir(&tree).context("making the ISO's tree")?;
    write_fat(
        &parts.tools,
        unified,
        epoch,
        work.path(),
        &tree.join(EFI_IMAGE),
    )?;
    let root = parts.folder.join("rootfs.img");
    fs::copy(&root, tree.join("rootfs.img")).context("copying the root")?;
    let mut command = parts.tools.command("usr/bin/xorriso", "xorriso");
    command.args(["-no_rc", "-as", "mkisofs", "-quiet", "-r"]);
    command.args(["-V", LABEL, "-p", LABEL]);
    // Without this the files' own times get in, though the epoch is in the environment.
    command.arg("--set_all_file_dates").arg(format!("={epoch}"));
    command.arg("-o").arg(out);
    // A size of one means "to the end of the medium": the field counts to 32 MiB only, and a size
    // that has wrapped around cuts the file system off.
    command.args(["-e", EFI_IMAGE, "-no-emul-boot", "-boot-load-size", "1"]);
    // The same bytes as a partition, for sticks and disks.
    command
        .args(["-efi-boot-part", "--efi-boot-image"])
        .arg(&tree);
    run(command, "xorriso").map(drop)
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
    fs::copy(parts.folder.join("vmlinuz"), out.join("vmlinuz")).context("copying the kernel")?;
    let path = out.join("initramfs");
    let mut file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let initramfs = File::open(parts.folder.join("initramfs")).context("opening the initramfs")?;
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
    format!("#!ipxe\nkernel vmlinuz initrd=initramfs {cmdline}\ninitrd initramfs\nboot\n")
}
