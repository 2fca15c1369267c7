//! Seed disks, made by the programs that people make them with.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What a seed disk is called.
const LABEL: &str = "CIDATA";

/// Makes file systems of FAT; not on every user's path.
const MKFS: &str = "/usr/sbin/mkfs.vfat";

/// The size of a diskette, in KiB: a config fits many times.
const FAT_SIZE: &str = "1440";

/// Files by their names.
pub type Files<'a> = &'a [(&'a str, &'a str)];

/// Makes a disc of ISO 9660, as for a drive.
///
/// # Errors
/// When a program is missing, or fails.
pub fn iso(image: &Path, files: Files<'_>) -> Result<()> {
    let folder = written(files)?;
    let mut command = Command::new("xorriso");
    command.args(["-as", "mkisofs", "-quiet", "-volid", LABEL]);
    command.args(["-joliet", "-rational-rock", "-output"]);
    command.arg(image).arg(folder.path());
    run(command)
}

/// Makes a disk with a file system of FAT on the whole of it.
///
/// # Errors
/// When a program is missing, or fails.
pub fn fat(image: &Path, files: Files<'_>) -> Result<()> {
    let folder = written(files)?;
    if image.exists() {
        fs::remove_file(image).context("removing a seed disk")?;
    }
    let mut command = Command::new(MKFS);
    command.args(["-n", LABEL, "-C"]).arg(image).arg(FAT_SIZE);
    run(command)?;
    let mut command = Command::new("mcopy");
    command.arg("-i").arg(image);
    command.args(files.iter().map(|(name, _)| folder.path().join(name)));
    command.arg("::");
    run(command)
}

/// A folder with these files.
fn written(files: Files<'_>) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().context("making a folder")?;
    for (name, text) in files {
        fs::write(folder.path().join(name), text).context("writing a file of a seed disk")?;
    }
    Ok(folder)
}

fn run(mut command: Command) -> Result<()> {
    let output = command.output();
    let output = output.with_context(|| {
        let program = command.get_program().display().to_string();
        format!("{program}: `cargo xtask e2e` installs what this suite needs")
    })?;
    ensure!(output.status.success(), "{command:?}: {output:?}");
    Ok(())
}
