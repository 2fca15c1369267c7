//! What is built for people: `_out/osctl` and, per profile, the image under `_out/PROFILE`.
//!
//! The programs of the image are linked statically against the libc of the image's lock, not the host's, and carry no
//! path of this machine; so the same commit gives the same bytes elsewhere.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::run::{cargo, out, program, read, root, run};

/// The target of the image's programs; the first architecture is amd64.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The kernel an image is built around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// The small kernel for virtual machines
    Cloud,
    /// The kernel for real machines
    Generic,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Generic => "generic",
        }
    }

    /// Where the image of this profile goes.
    pub(crate) fn folder(self) -> PathBuf {
        out().join(self.name())
    }
}

/// Builds osctl and the image of a profile; gives the image's folder.
pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
    let source = Source::read()?;
    osctl(&source)?;
    let programs = programs(&source)?;
    let folder = profile.folder();
    let crates = linked_crates()?;
    run(image()
        // Standard output is for what a command is asked for, such as the rows of `bench --json`.
        .stdout(std::io::stderr())
        .args(["build", "--profile", profile.name(), "--bin-dir"])
        .arg(programs)
        .arg("--crates")
        .arg(crates)
        .arg("--out")
        .arg(out())
        .args(["--source-date-epoch", &source.epoch]))?;
    Ok(folder)
}

/// Builds osctl alone, into `_out/osctl`.
fn osctl(source: &Source) -> Result<()> {
    run(source.stamp(cargo().args(["build", "--locked", "--package", "garboard-cli"])))?;
    install(&target_folder().join("debug/osctl"), &out().join("osctl"))
}

/// The commit that is built, which every program carries.
struct Source {
    /// Seconds since 1970 of the commit: the one time that shapes bytes.
    epoch: String,
    /// The commit's short name.
    revision: String,
}

impl Source {
    fn read() -> Result<Self> {
        let epoch = read(program("git").args(["log", "-1", "--format=%ct"]))?;
        let revision =
            read(program("git").args(["describe", "--always", "--dirty", "--abbrev=12"]))?;
        Ok(Self { epoch, revision })
    }

    fn stamp<'a>(&self, command: &'a mut std::process::Command) -> &'a mut std::process::Command {
        command
            .env("GARBOARD_BUILD_EPOCH", &self.epoch)
            .env("GARBOARD_REVISION", &self.revision)
    }
}

/// Builds init and the daemons statically; gives the folder they are in.
fn programs(source: &Source) -> Result<PathBuf> {
    let environment = locked_environment()?;
    let mut release = cargo();
    release.args([
        "build",
        "--locked",
        "--release",
        "--target",
        TARGET,
        "--package",
        "garboard-machined",
    ]);
    release
        .args(["--package", "garboard-networkd"])
        .envs(environment.clone());
    run(source.stamp(&mut release))?;
    let mut init = cargo();
    init.args([
        "build",
        "--locked",
        "--profile",
        "init",
        "--target",
        TARGET,
        "--package",
        "garboard-init",
    ])
    .envs(environment);
    run(source.stamp(&mut init))?;

    let built = target_folder().join(TARGET);
    let folder = target_folder().join("programs");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    for (from, name) in [
        ("release", "machined"),
        ("release", "networkd"),
        ("init", "init"),
    ] {
        install(&built.join(from).join(name), &folder.join(name))?;
    }
    Ok(folder)
}

/// Builds the program that the VM suite puts into machines, linked like those of the image; gives its path.
pub(crate) fn agent() -> Result<PathBuf> {
    let arguments = [
        "build",
        "--target",
        TARGET,
        "--package",
        "garboard-e2e",
        "--bin",
        "agent",
    ];
    run(cargo().args(arguments).envs(locked_environment()?))?;
    Ok(target_folder().join(TARGET).join("debug/agent"))
}

/// The environment that links against the locked libc and keeps this machine's paths out, from the image builder.
fn locked_environment() -> Result<Vec<(String, String)>> {
    let printed = read(image().arg("env").arg("--source").arg(root()))?;
    let pair = |line: &str| {
        line.split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    printed
        .lines()
        .map(|line| pair(line).with_context(|| format!("`image env` printed {line:?}")))
        .collect()
}

/// Writes the list of crates in the programs, for the bill of materials; gives the file.
fn linked_crates() -> Result<PathBuf> {
    let mut tree = cargo();
    tree.args([
        "tree", "--locked", "--edges", "normal", "--target", TARGET, "--prefix", "none",
        "--format", "{p}|{l}",
    ]);
    tree.args([
        "-p",
        "garboard-init",
        "-p",
        "garboard-machined",
        "-p",
        "garboard-networkd",
    ]);
    let file = target_folder().join("programs.crates");
    // Paths of this machine follow the versions of our own crates.
    let list = read(&mut tree)?.replace(&format!(" ({})", root().display()), "");
    fs::write(&file, list).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

fn image() -> std::process::Command {
    let mut command = cargo();
    command.args([
        "run",
        "--locked",
        "--quiet",
        "--package",
        "garboard-image",
        "--",
    ]);
    command
}

fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Puts a built program in its place in one step, so that a running one is never half replaced.
pub(crate) fn install(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    let folder = to.parent().context("a program's place has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let half = to.with_extension("new");
    fs::copy(from, &half).with_context(|| format!("copying {}", from.display()))?;
    fs::rename(&half, to).with_context(|| format!("replacing {}", to.display()))
}
