//! `osctl cluster`: clusters of virtual machines on this computer.
//!
//! A cluster is brought up as a person would: boot to maintenance, read the pairing string off the console, apply a
//! config, wait until the node answers with mutual TLS and keeps the config on its disk, have Kubernetes begin.

mod begin;
mod bundle;
mod create;
mod fit;
mod kubectl;
mod kubernetes;
mod plan;
mod ready;
mod size;
mod up;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use provision::console::without_escapes;
use provision::state::Vm;
use provision::{Cluster, Clusters, Destroyed, Name};
use serde::Serialize;

pub(crate) use create::Create;

use crate::context::{ContextFile, Contexts};
use crate::explain::sentence;
use crate::output::{self, Format};

/// What to do with local clusters.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a cluster, wait until its nodes answer and have taken their disks, and make it the current context; with
    /// Kubernetes, have it begin, wait until its nodes are Ready, and give kubectl a context
    Create(Box<Create>),
    /// End a cluster: its machines, their disks and its contexts
    Destroy(Destroy),
    /// Show the machines of one cluster or of all
    Show {
        /// The name of a cluster [default: all]
        #[arg(long)]
        name: Option<Name>,
    },
    /// Show what the machines of a cluster wrote to their consoles
    Logs {
        /// The name of a cluster
        #[arg(long, default_value = "garboard")]
        name: Name,
        /// The name of a machine [default: all of the cluster]
        machine: Option<Name>,
    },
}

/// Which cluster to destroy.
#[derive(Debug, Args)]
pub(crate) struct Destroy {
    /// The name of a cluster
    #[arg(long, default_value = "garboard")]
    name: Name,
    /// All clusters of yours
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

impl Command {
    /// What to tell somebody who interrupts it; without, there is nothing to tell.
    pub(crate) fn left(&self) -> Option<String> {
        match self {
            Self::Create(create) => Some(create::left(&create.name)),
            _ => None,
        }
    }
}

/// Does it. The work is synchronous and long, so it is for a blocking thread.
pub(crate) fn run(command: Command, file: &ContextFile, format: Format) -> Result<()> {
    let clusters = Clusters::of_user().context("finding your clusters")?;
    match command {
        Command::Create(create) => create.run(&clusters, file),
        Command::Destroy(Destroy { name, all }) => {
            let names = if all {
                clusters.list().context("listing your clusters")?
            } else {
                vec![name]
            };
            if names.is_empty() {
                return output::line("there are no clusters");
            }
            destroy_all(&clusters, &names, file)
        }
        Command::Show { name } => show(&clusters, name.as_ref(), format),
        Command::Logs { name, machine } => logs(&clusters, &name, machine.as_ref()),
    }
}

/// Ends clusters; one that resists does not save the others.
fn destroy_all(clusters: &Clusters, names: &[Name], file: &ContextFile) -> Result<()> {
    let mut failed = 0;
    for name in names {
        if let Err(error) = destroy(clusters, name, file) {
            output::note(&format!("osctl: {name}: {}", sentence(&error)));
            failed += 1;
        }
    }
    match failed {
        0 => Ok(()),
        failed => bail!(
            "{failed} of {} clusters could not be destroyed",
            names.len()
        ),
    }
}

/// Ends a cluster and forgets its context. A context of the same name may be of another cluster, with the only key to
/// it, so one goes only when it leads to the machines that go.
fn destroy(clusters: &Clusters, name: &Name, file: &ContextFile) -> Result<()> {
    let leads_here = clusters.open(name).map(|cluster| addresses(&cluster));
    let leads_here = leads_here.unwrap_or_default();
    // First, while there is a note of it; what cannot be taken out does not keep the machines.
    match kubectl::take(&clusters.folder(name)) {
        Ok(taken) => taken.iter().for_each(|taken| output::note(taken)),
        Err(error) => output::note(&format!("osctl: {name}: {}", sentence(&error))),
    }
    match clusters.destroy(name)? {
        Destroyed::Nothing => output::line(&missing(clusters, name)?)?,
        Destroyed::Cluster { .. } => output::line(&format!("destroyed cluster {name}"))?,
    }
    let is_its = |contexts: &Contexts| {
        let context = contexts.contexts.get(name.as_str());
        context.is_some_and(|context| {
            let mut nodes = context.nodes.iter();
            nodes.any(|node| leads_here.contains(&node.address))
        })
    };
    if !is_its(&file.load()?) {
        return Ok(());
    }
    file.change(|contexts| {
        contexts.contexts.remove(name.as_str());
        contexts.current.take_if(|current| current == name.as_str());
        Ok(())
    })
}

/// That there is no such cluster; a name may be mistyped, so the others are named.
fn missing(clusters: &Clusters, name: &Name) -> Result<String> {
    let names = clusters.list().context("listing your clusters")?;
    let names: Vec<_> = names.iter().map(Name::as_str).collect();
    Ok(match names.as_slice() {
        [] => format!("there is no cluster {name}"),
        names => format!(
            "there is no cluster {name}; there are: {}",
            names.join(", ")
        ),
    })
}

/// Where the API of the machines is reached.
fn addresses(cluster: &Cluster) -> Vec<String> {
    let machines = cluster.vms().iter();
    machines
        .filter_map(|vm| vm.endpoint(provision::spec::API_PORT))
        .map(|address| address.to_string())
        .collect()
}

#[derive(Serialize)]
struct Machine {
    cluster: String,
    name: String,
    power: String,
    address: String,
    api: String,
    kubernetes: String,
    memory: u32,
    console: String,
}

fn show(clusters: &Clusters, name: Option<&Name>, format: Format) -> Result<()> {
    let name_given = name.is_some();
    let names = match name {
        Some(name) => vec![name.clone()],
        None => clusters.list().context("listing your clusters")?,
    };
    let mut machines = Vec::new();
    let mut damaged = 0;
    for name in &names {
        match machines_of(clusters, name) {
            Ok(of_cluster) => machines.extend(of_cluster),
            Err(error) if name_given => return Err(error),
            // One that cannot be read does not hide the others.
            Err(error) => {
                output::note(&format!("osctl: {name}: {}", sentence(&error)));
                damaged += 1;
            }
        }
    }
    if format == Format::Table {
        output::line(&drawn(&machines).join("\n"))?;
    } else {
        output::value(format, &machines)?;
    }
    match damaged {
        0 if machines.is_empty() && format == Format::Table => {
            output::note("there are no clusters; `osctl cluster create` makes one");
            Ok(())
        }
        0 => Ok(()),
        damaged => bail!(
            "{damaged} of {} could not be read; `osctl cluster destroy NAME` removes what is left of one",
            output::counted(names.len(), "cluster")
        ),
    }
}

fn machines_of(clusters: &Clusters, name: &Name) -> Result<Vec<Machine>> {
    let cluster = clusters.open(name)?;
    let machine = |vm: &Vm| {
        let vm_name = &vm.spec.name;
        let at = |port| vm.endpoint(port).as_ref().map(ToString::to_string);
        Ok(Machine {
            cluster: name.to_string(),
            name: vm_name.to_string(),
            power: format!("{:?}", cluster.power(vm_name)?).to_lowercase(),
            address: vm
                .lease
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            api: at(provision::spec::API_PORT).unwrap_or_default(),
            kubernetes: at(config::KubernetesEndpoint::PORT).unwrap_or_default(),
            memory: vm.spec.memory,
            console: cluster.console_log(vm_name).display().to_string(),
        })
    };
    cluster.vms().iter().map(machine).collect()
}

fn drawn(machines: &[Machine]) -> Vec<String> {
    let row = |machine: &Machine| {
        let Machine {
            cluster,
            name,
            power,
            address,
            api,
            memory,
            ..
        } = machine;
        vec![
            cluster.clone(),
            name.clone(),
            power.clone(),
            address.clone(),
            api.clone(),
            format!("{memory} MiB"),
        ]
    };
    let rows: Vec<_> = machines.iter().map(row).collect();
    let headings = ["CLUSTER", "NAME", "POWER", "ADDRESS", "API", "MEMORY"];
    output::drawn(&headings, &rows)
}

fn logs(clusters: &Clusters, name: &Name, machine: Option<&Name>) -> Result<()> {
    let cluster = clusters.open(name)?;
    let mut shown = false;
    for vm in cluster
        .vms()
        .iter()
        .filter(|vm| machine.is_none_or(|machine| *machine == vm.spec.name))
    {
        let path = cluster.console_log(&vm.spec.name);
        let said = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        if machine.is_none() && cluster.vms().len() > 1 {
            output::line(&format!("==> {} <==", vm.spec.name))?;
        }
        // Firmware clears the screen and moves about on it, which is nothing for the terminal of a reader.
        let mut text = String::new();
        for line in String::from_utf8_lossy(&said).lines() {
            text.push_str(&without_escapes(line));
            text.push('\n');
        }
        output::raw(text.as_bytes())?;
        shown = true;
    }
    match machine {
        Some(machine) if !shown => {
            let names = cluster.vms().iter().map(|vm| vm.spec.name.as_str());
            let names: Vec<_> = names.collect();
            bail!(
                "cluster {name} has no machine {machine}; it has: {}",
                names.join(", ")
            )
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_machines_fits_a_terminal() {
        let machine = Machine {
            cluster: "garboard".into(),
            name: "garboard-worker-50".into(),
            power: "off".into(),
            address: "10.0.2.15".into(),
            api: "127.0.0.1:46375".into(),
            kubernetes: "127.0.0.1:46376".into(),
            memory: 16_384,
            console: "/home/me/.local/share/garboard/clusters/garboard/console.log".into(),
        };
        assert_eq!(
            drawn(&[machine]),
            [
                "CLUSTER   NAME                POWER  ADDRESS    API              MEMORY",
                "garboard  garboard-worker-50  off    10.0.2.15  127.0.0.1:46375  16384 MiB",
            ]
        );
    }
}
