//! osctl, the one program that manages Garboard nodes.
//!
//! Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 there are changes.

mod causes;
mod commands;
mod connect;
mod context;
mod exit;
mod explain;
mod files;
mod fleet;
mod login;
mod names;
mod output;
mod progress;
mod refusal;
mod secrets;
mod tries;
mod tunnel;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use jiff::Timestamp;
use provision::fence;

use crate::commands::stream::Log;
use crate::commands::{
    cluster, config, context as contexts, copy, dashboard, etcd, generate, get, inspect,
    kubernetes, power, services, storage, stream, support, time, version,
};
use crate::context::ContextFile;
use crate::exit::{Changes, Interrupted, WrongUsage, interruptible};
use crate::fleet::Session;
use crate::output::{Format, ReaderGone};

/// Manages Garboard nodes and local clusters.
#[derive(Debug, Parser)]
#[command(name = "osctl", version = version::own(), term_width = 80)]
#[command(after_help = AFTERWARDS)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What help ends with.
const AFTERWARDS: &str = "\
To begin: `osctl cluster create` makes a local cluster. For a machine of your
own: `osctl gen secrets`, `osctl gen config`, `osctl apply --pairing`.

Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 there are changes.";

/// Where help lists the options of every command: after those of the one at hand.
const EVERYWHERE: &str = "Options of every command";

/// Options of every command.
#[derive(Debug, clap::Args)]
struct Global {
    /// The nodes to speak to, by their names in the context or in the cluster, or by address; several are separated by
    /// commas. One that is not reached straight is reached through the others of the context [default: all nodes of the
    /// context; to change one of several, name it]
    #[arg(short, long, global = true, value_name = "NODE", value_delimiter = ',', help_heading = EVERYWHERE)]
    nodes: Vec<String>,
    /// The context to use [default: the current one]
    #[arg(long, global = true, value_name = "NAME", help_heading = EVERYWHERE)]
    context: Option<String>,
    /// The file of contexts [default: garboard/contexts.yaml in the user's configuration folder]
    #[arg(long, global = true, value_name = "FILE", env = "GARBOARD_CONTEXTS", help_heading = EVERYWHERE)]
    contexts: Option<PathBuf>,
    /// How to write results
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "table", help_heading = EVERYWHERE)]
    output: Format,
    /// How many seconds a node has to answer; following and watching go on until interrupted
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = EVERYWHERE)]
    timeout: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what the nodes run
    Version {
        /// Show the version of this program alone
        #[arg(long)]
        client: bool,
    },
    /// Manage the config of nodes
    #[command(subcommand)]
    Config(config::Command),
    /// Give nodes a config (short for `config apply`)
    Apply(config::Apply),
    /// Make secrets, configs and certificates, on this computer
    #[command(subcommand)]
    Gen(generate::Generate),
    /// Manage the clusters that osctl knows
    ///
    /// A context is one cluster as you reach it: the authority of its nodes, your certificate and key, and the nodes'
    /// names and addresses.
    #[command(subcommand)]
    Context(contexts::Command),
    /// Show resources: what the node is, has and wants
    Get(get::Get),
    /// Show the services of nodes, or start and stop them
    Services {
        #[command(subcommand)]
        command: Option<services::Command>,
    },
    #[command(flatten)]
    Kubernetes(kubernetes::Command),
    /// Look after etcd, which keeps the state of the Kubernetes cluster
    #[command(subcommand)]
    Etcd(etcd::Command),
    /// Manage local clusters of virtual machines
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Show nodes at a glance, drawn anew while you look
    Dashboard,
    /// Show the log of a service of one node
    Logs {
        /// The service's id, as `osctl services` lists it
        service: String,
        #[command(flatten)]
        log: Log,
    },
    /// Show the kernel log of one node
    Dmesg {
        #[command(flatten)]
        log: Log,
    },
    /// Show what happened on one node
    Events {
        #[command(flatten)]
        log: Log,
    },
    /// Show the clocks of nodes: how far each is from this computer's, and whom it goes by
    Time(time::Time),
    #[command(flatten)]
    Inspect(inspect::Command),
    #[command(flatten)]
    Copy(copy::Command),
    /// Collect what tells the state of nodes into one file, without secrets
    Support(support::Support),
    /// Restart nodes cleanly
    ///
    /// Pods that can be on other nodes of the Kubernetes cluster go there first, as far as their budgets let them, and come back only
    /// when something else makes them. Several nodes are restarted one after the other, each when the one before is back.
    Reboot(power::Reboot),
    /// Power nodes off cleanly
    ///
    /// Pods that can be on other nodes of the Kubernetes cluster go there first, as far as their budgets let them. Several nodes are
    /// powered off one after the other.
    Shutdown(power::Shutdown),
    #[command(flatten)]
    Storage(storage::Command),
    /// Show the disks of nodes, and which of them a selector fits
    Disks(get::disks::Disks),
    /// Show the node's own volumes: where they are and what they wait for
    Volumes,
    /// Print a script that lets a shell complete osctl's commands
    ///
    /// For bash, put this into ~/.bashrc: source <(osctl completion bash)
    ///
    /// For zsh, write it into a folder of $fpath as _osctl; for fish, into ~/.config/fish/completions/osctl.fish.
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// The exit code of wrong usage; clap's own, too.
const WRONG_USAGE: u8 = 2;

/// The exit code of a question whose answer is that there are changes.
const CHANGES: u8 = 3;

fn main() -> ExitCode {
    // No command of people's: the network of a local cluster of several machines starts it so.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|it| it == fence::ARGUMENT)
    {
        return match fence::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                output::note(&format!("osctl: the network of a local cluster: {error}"));
                ExitCode::FAILURE
            }
        };
    }
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) if error.is::<Changes>() => ExitCode::from(CHANGES),
        Err(error) => {
            output::note(&format!("osctl: {}", explain::sentence(&error)));
            if error.is::<WrongUsage>() {
                ExitCode::from(WRONG_USAGE)
            } else if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
                ExitCode::from(interrupted.code())
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(dispatch(cli.global, cli.command));
    // What was interrupted is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn node_config(
    command: config::Command,
    nodes: &[String],
    patience: Duration,
    format: Format,
    session: impl Fn() -> Result<Session>,
) -> Result<()> {
    match command {
        config::Command::Apply(apply) => match &apply.pairing {
            Some(pairing) => config::pair(nodes, &apply, pairing, patience, format).await,
            None => config::apply(&session()?, &apply, format).await,
        },
        config::Command::Validate { file, .. } => config::validate(file.as_deref(), format),
        config::Command::Patch(patch) => match &patch.file {
            Some(file) => config::patch::file(&patch, file, format),
            None => config::patch::nodes(&session()?, &patch, format).await,
        },
        config::Command::Past(past) => config::history::run(&session()?, past, format).await,
        config::Command::Edit(edit) => config::edit::run(&session()?, edit, format).await,
        config::Command::Show { reveal_secrets } => {
            config::show(&session()?, reveal_secrets, format).await
        }
    }
}

async fn dispatch(global: Global, command: Command) -> Result<()> {
    // Not every command needs the file, and one that does not must work without a home.
    let file = || ContextFile::new(global.contexts.as_deref());
    let patience = Duration::from_secs(global.timeout);
    let format = global.output;
    let session = || {
        Session::new(
            &file()?,
            global.context.as_deref(),
            global.nodes.clone(),
            patience,
            Timestamp::now(),
        )
    };
    match command {
        Command::Version { client: true } => output::line(version::own()),
        Command::Version { client: false } => version::run(&session()?, format).await,
        Command::Apply(apply) => {
            let command = config::Command::Apply(apply);
            node_config(command, &global.nodes, patience, format, session).await
        }
        Command::Config(command) => {
            node_config(command, &global.nodes, patience, format, session).await
        }
        Command::Gen(generate) => generate::run(generate, file, Timestamp::now()),
        Command::Context(command) => {
            let chosen = global.context.as_deref();
            contexts::run(command, chosen, &file()?, format, Timestamp::now())
        }
        Command::Get(get) => get::run(&session()?, get, format).await,
        Command::Services { command: None } => {
            get::run(&session()?, get::Get::all("services"), format).await
        }
        Command::Services {
            command: Some(command),
        } => services::run(&session()?, &command, format).await,
        Command::Kubernetes(command) => kubernetes::run(&session()?, command, format).await,
        Command::Etcd(command) => etcd::run(&session()?, command, format).await,
        Command::Dashboard => dashboard::run(&session()?).await,
        Command::Cluster(command) => {
            let file = file()?;
            local(command, file, format).await
        }
        Command::Logs { service, log } => stream::logs(&session()?, service, log, format).await,
        Command::Dmesg { log } => stream::dmesg(&session()?, log, format).await,
        Command::Events { log } => stream::events(&session()?, log, format).await,
        Command::Time(time) => time::run(&session()?, time, format).await,
        Command::Inspect(command) => inspect::run(&session()?, command, format).await,
        Command::Copy(command) => copy::run(&session()?, command).await,
        Command::Support(bundle) => support::run(&session()?, &bundle, Timestamp::now()).await,
        Command::Reboot(reboot) => power::reboot(&session()?, &reboot, format).await,
        Command::Shutdown(shutdown) => power::shutdown(&session()?, &shutdown, format).await,
        Command::Storage(command) => {
            let (asked, patience) = (global.nodes.clone(), patience);
            storage::run(command, session, &asked, patience, format).await
        }
        Command::Disks(disks) => get::disks::run(&session()?, &disks, format).await,
        Command::Volumes => get::run(&session()?, get::Get::all("volumes"), format).await,
        Command::Completion { shell } => completion(shell),
    }
}

async fn local(command: cluster::Command, file: ContextFile, format: Format) -> Result<()> {
    let left = command.left();
    let work = tokio::task::spawn_blocking(move || cluster::run(command, &file, format));
    match left {
        None => work.await?,
        Some(left) => interruptible(|| left, async { work.await? }).await,
    }
}

fn completion(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "osctl", &mut script);
    output::raw(&script)
}
