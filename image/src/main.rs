//! The `image` program: builds images, updates the lock, checks what was built.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use image::build::{Inputs, What, build};
use image::bundle::command::Bundle;
use image::fetch::{Fetcher, host_mirror};
use image::go::commands::Go;
use image::lock::Lock;
use image::product::Options;
use image::profile::Profile;
use image::report;
use image::toolchain::Toolchain;

/// Builds Garboard's images. Needs neither root nor a container engine.
#[derive(Debug, Parser)]
#[command(name = "image", version)]
struct Arguments {
    /// Archive of Debian packages [default: the host's own, from its apt settings].
    #[arg(long, global = true, value_name = "URL")]
    mirror: Option<String>,
    /// Snapshot archive to ask for what the mirror no longer has.
    #[arg(long, global = true, value_name = "URL")]
    snapshot: Option<String>,
    /// Another lock than the one this program was built with.
    #[arg(long, global = true, value_name = "FILE")]
    lock: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds an image into DIR/PROFILE.
    Build(Build),
    /// Makes the bundle of container images in DIR/bundle.
    Bundle(Bundle),
    /// Takes the newest versions from the mirror into the lock.
    Lock,
    /// Checks what was built: every file against its checksum, the root against its hash tree, container images.
    Verify {
        /// The folder of the profile or the bundle.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// The Go programs: Kubernetes, etcd and what they run on.
    #[command(subcommand)]
    Go(Go),
    /// Unpacks the locked compiler and prints the folder of its headers and libraries.
    Sysroot,
    /// Prints, as NAME=VALUE, the environment in which Cargo links against the locked libc.
    Env(Env),
}

#[derive(Debug, clap::Args)]
struct Build {
    /// Which image.
    #[arg(long, value_enum)]
    profile: Profile,
    #[command(flatten)]
    product: Options,
    /// More kernel arguments.
    #[arg(long, value_name = "ARGS", value_parser = image::args::extra)]
    cmdline: Option<String>,
    /// A config for nodes that have none: YAML documents, which everybody who has the image can read.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A bundle of container images, as `image bundle` makes it, that goes with the ISO.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Which ways to boot to build for.
    #[arg(long, value_enum, default_value_t = What::All)]
    what: What,
}

#[derive(Debug, clap::Args)]
struct Env {
    /// The workspace, whose path must not get into binaries.
    #[arg(long, value_name = "DIR")]
    source: PathBuf,
    /// Cargo's own folder, whose path must not get into binaries either.
    #[arg(long, env = "CARGO_HOME", value_name = "DIR")]
    cargo_home: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::line(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Build(options) => image(arguments, options),
        Command::Bundle(options) => bundle(arguments, options),
        Command::Lock => lock(arguments),
        Command::Verify { folder } => verify(folder),
        Command::Go(command) => go(arguments, command),
        Command::Sysroot => print(&toolchain(arguments)?.sysroot().display().to_string()),
        Command::Env(options) => environment(arguments, options),
    }
}

fn image(arguments: &Arguments, options: &Build) -> Result<()> {
    let (lock, fetcher) = sources(arguments)?;
    let config = options.config.as_deref().map(read_config).transpose()?;
    let inputs = Inputs {
        lock: &lock,
        fetcher: &fetcher,
        profile: options.profile,
        bin_dir: &options.product.bin_dir,
        version: env!("CARGO_PKG_VERSION"),
        epoch: options.product.epoch(&lock),
        cmdline: options.cmdline.as_deref(),
        config: config.as_deref(),
        crates: &options.product.crates()?,
        what: options.what,
        bundle: options.bundle.as_deref(),
    };
    let folder = build(&inputs, &options.product.out)?;
    print(&folder.display().to_string())
}

/// A config that a node would take.
fn read_config(path: &Path) -> Result<Vec<u8>> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("reading {name}"))?;
    config::check(&name, &bytes)?;
    Ok(bytes)
}

fn bundle(arguments: &Arguments, options: &Bundle) -> Result<()> {
    let (lock, fetcher) = sources(arguments)?;
    print(&options.run(&lock, &fetcher)?.display().to_string())
}

fn verify(folder: &Path) -> Result<()> {
    if folder.join(image::bundle::FILE).exists() {
        let found = report::step("verify", || image::bundle::verify(folder))?;
        return found
            .iter()
            .try_for_each(|it| print(&format!("{} {}", it.reference, it.digest)));
    }
    let manifest = report::step("verify", || image::manifest::verify(folder))?;
    print(&format!(
        "{} {} {} root {}",
        manifest.profile, manifest.version, manifest.kernel, manifest.root_hash
    ))
}

fn lock(arguments: &Arguments) -> Result<()> {
    let mirror = arguments.mirror.clone().or_else(host_mirror);
    let mirror = mirror.context("the host has no apt sources: name a mirror with --mirror")?;
    let path = arguments.lock.clone().unwrap_or_else(Lock::source_path);
    let lock = report::step("lock", || image::update::update(&mirror, &path))?;
    report::line(&format!(
        "{} packages in {}",
        lock.packages.len(),
        path.display()
    ));
    Ok(())
}

fn go(arguments: &Arguments, command: &Go) -> Result<()> {
    let (lock, fetcher) = sources(arguments)?;
    let answer = command.run(&lock, &fetcher)?;
    answer.iter().try_for_each(|line| print(line))
}

fn toolchain(arguments: &Arguments) -> Result<Toolchain> {
    let (lock, fetcher) = sources(arguments)?;
    Toolchain::prepare(&lock, &fetcher)
}

/// The lock, and where its packages come from.
fn sources(arguments: &Arguments) -> Result<(Lock, Fetcher)> {
    let lock = Lock::load(arguments.lock.as_deref())?;
    let (mirror, snapshot) = (arguments.mirror.as_deref(), arguments.snapshot.as_deref());
    let fetcher = Fetcher::new(&lock, mirror, snapshot)?;
    Ok((lock, fetcher))
}

fn environment(arguments: &Arguments, options: &Env) -> Result<()> {
    let home = match &options.cargo_home {
        Some(home) => home.clone(),
        None => std::env::home_dir()
            .context("no home folder: name Cargo's with --cargo-home")?
            .join(".cargo"),
    };
    for (name, value) in toolchain(arguments)?.environment(&options.source, &home) {
        print(&format!("{name}={value}"))?;
    }
    Ok(())
}

/// Writes a line of the answer to standard output.
fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("writing to standard output")
}
