//! What is built for people: `_out/osctl`, per profile the image under `_out/PROFILE`, and `_out/bundle`.
//!
//! The programs of the image and the bundle are linked statically against the libc of the image's lock, not the host's, and carry no
//! path of this machine; so the same commit gives the same bytes elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::run::{cargo, out, program, read, root, run};

/// The target of the image's programs; the first architecture is amd64.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What the builder calls a bundle in its folder that is one file.
const BUNDLE_FILE: &str = "bundle.img";

/// A program of ours that is linked statically.
struct Static {
    name: &'static str,
    profile: &'static str,
}

/// Those of the image.
const IMAGE: &[Static] = &[
    Static {
        name: "machined",
        profile: "release",
    },
    Static {
        name: "networkd",
        profile: "release",
    },
    Static {
        name: "init",
        profile: "init",
    },
];

/// Those of the bundle.
const BUNDLE: &[Static] = &[
    Static {
        name: "pause",
        profile: "init",
    },
    Static {
        name: "probe",
        profile: "init",
    },
];

impl Static {
    fn package(&self) -> String {
        format!("garboard-{}", self.name)
    }
}

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
    Parts::build()?.image(profile, None)
}

/// Builds osctl and the images of several profiles; gives their folders.
pub(crate) fn build_each<const COUNT: usize>(
    profiles: [Profile; COUNT],
) -> Result<[PathBuf; COUNT]> {
    let parts = Parts::build()?;
    for profile in profiles {
        parts.image(profile, None)?;
    }
    Ok(profiles.map(Profile::folder))
}

/// Builds osctl and the image of a profile with all container images in the ISO.
pub(crate) fn build_with_bundle(profile: Profile) -> Result<PathBuf> {
    let bundle = bundle(&[])?;
    Parts::build()?.image(profile, Some(&bundle))
}

/// What the images of all profiles have in common.
struct Parts {
    source: Source,
    /// The folder of the programs.
    programs: PathBuf,
    /// The list of the crates in them.
    crates: PathBuf,
}

impl Parts {
    /// Builds it, and osctl.
    fn build() -> Result<Self> {
        let source = Source::read()?;
        osctl(&source)?;
        Ok(Self {
            programs: programs(&source, "programs", IMAGE)?,
            crates: linked_crates("programs", IMAGE)?,
            source,
        })
    }

    /// Builds the image of a profile, with a bundle in the ISO if its folder is given.
    fn image(&self, profile: Profile, bundle: Option<&Path>) -> Result<PathBuf> {
        run(image()
            // Standard output is for what a command is asked for, such as the rows of `bench --json`.
            .stdout(std::io::stderr())
            .args(["build", "--profile", profile.name(), "--bin-dir"])
            .arg(&self.programs)
            .arg("--crates")
            .arg(&self.crates)
            .arg("--out")
            .arg(out())
            .args(bundle.map(|it| format!("--bundle={}", it.join(BUNDLE_FILE).display())))
            .args(["--source-date-epoch", &self.source.epoch]))?;
        Ok(profile.folder())
    }
}

/// Builds the bundle of container images, all or some; gives its folder.
pub(crate) fn bundle(only: &[String]) -> Result<PathBuf> {
    bundle_in(&out(), &chosen(only.iter().map(String::as_str)))
}

/// Builds the bundle that the VM suite gives to machines: our own images, which take no Go program; gives its file.
pub(crate) fn small_bundle() -> Result<PathBuf> {
    let folder = bundle_in(&out().join("e2e"), &chosen(["pause", "probe"]))?;
    Ok(folder.join(BUNDLE_FILE))
}

/// Builds the bundle with all images beside what the other commands build; gives its file.
pub(crate) fn whole_bundle() -> Result<PathBuf> {
    let folder = bundle_in(&out().join("e2e/whole"), &[])?;
    Ok(folder.join(BUNDLE_FILE))
}

/// Builds the bundle that has two minors of Kubernetes; gives its file. A first build compiles the former one.
pub(crate) fn upgrade_bundle() -> Result<PathBuf> {
    let folder = bundle_in(&out().join("e2e/upgrade"), &["--former"])?;
    Ok(folder.join(BUNDLE_FILE))
}

/// The arguments that choose images by their names.
fn chosen<'a>(only: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    only.into_iter().flat_map(|name| ["--only", name]).collect()
}

fn bundle_in(out: &Path, chosen: &[&str]) -> Result<PathBuf> {
    let source = Source::read()?;
    let programs = programs(&source, "containers", BUNDLE)?;
    let crates = linked_crates("containers", BUNDLE)?;
    run(image()
        .stdout(std::io::stderr())
        .args(["bundle", "--bin-dir"])
        .arg(programs)
        .arg("--crates")
        .arg(crates)
        .arg("--out")
        .arg(out)
        .args(chosen)
        .args(["--source-date-epoch", &source.epoch]))?;
    Ok(out.join("bundle"))
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

/// Builds programs statically; gives the folder they are in.
fn programs(source: &Source, folder: &str, programs: &[Static]) -> Result<PathBuf> {
    let environment = locked_environment()?;
    let folder = target_folder().join(folder);
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    // What shares a profile is built at once, which compiles what it has in common once.
    for same in programs.chunk_by(|one, other| one.profile == other.profile) {
        let Some(Static { profile, .. }) = same.first() else {
            continue;
        };
        let mut build = cargo();
        build.args(["build", "--locked", "--profile", profile]);
        build.args(["--target", TARGET]).envs(environment.clone());
        for program in same {
            build.arg("--package").arg(program.package());
        }
        run(source.stamp(&mut build))?;
        let built = target_folder().join(TARGET).join(profile);
        for Static { name, .. } in same {
            install(&built.join(name), &folder.join(name))?;
        }
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

/// Builds the client of Kubernetes; gives its path.
pub(crate) fn kubectl() -> Result<PathBuf> {
    client("kubernetes/1.37", "kubectl")
}

/// Builds the client of container runtimes; gives its path.
pub(crate) fn crictl() -> Result<PathBuf> {
    client("cri-tools", "crictl")
}

/// Builds a Go program that is used as people do.
fn client(module: &str, program: &str) -> Result<PathBuf> {
    Ok(go(module)?.join(program))
}

/// Builds the Go programs of a module; gives their folder.
pub(crate) fn go(module: &str) -> Result<PathBuf> {
    let folder = read(image().args(["go", "build", module]))?;
    Ok(PathBuf::from(folder))
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

/// Writes the list of crates in programs, for the bill of materials; gives the file.
fn linked_crates(name: &str, programs: &[Static]) -> Result<PathBuf> {
    let mut tree = cargo();
    tree.args([
        "tree", "--locked", "--edges", "normal", "--target", TARGET, "--prefix", "none",
        "--format", "{p}|{l}",
    ]);
    for program in programs {
        tree.arg("--package").arg(program.package());
    }
    let file = target_folder().join(format!("{name}.crates"));
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
pub(crate) fn install(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().context("a program's place has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let half = to.with_extension("new");
    fs::copy(from, &half).with_context(|| format!("copying {}", from.display()))?;
    fs::rename(&half, to).with_context(|| format!("replacing {}", to.display()))
}
