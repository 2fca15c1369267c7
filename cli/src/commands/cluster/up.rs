//! Bringing a cluster up, step by step as a person would.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result};
use config::Role;
use jiff::{SignedDuration, Timestamp};
use pki::pairing::PairingString;
use provision::spec::API_PORT;
use provision::{Cluster, Deadline, Name};

use super::begin::Wait;
use super::fit::Patience;
use super::plan::Plan;
use super::{begin, kubernetes, ready};
use crate::commands::config::{give, request};
use crate::context::{Context, ContextFile, Contexts, Node};
use crate::files::{self, Existing};
use crate::fleet::Session;
use crate::output;
use crate::progress::Progress;
use crate::secrets::{NodePlan, Secrets};

/// The client certificate of a local cluster holds as long as a person may want to play with it.
const LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Power-on to maintenance mode with hardware virtualisation; scaled where there is none.
const BOOT: Duration = Duration::from_secs(60);

/// For an answer to a config; scaled likewise.
const ANSWER: Duration = Duration::from_secs(30);

/// For an answer of a node that is busy; scaled likewise.
const CALL: Duration = Duration::from_secs(10);

/// One of the machines, before it has a config.
struct Machine<'a> {
    node: &'a Node,
    pairing: &'a PairingString,
    name: &'a Name,
    role: Role,
}

/// A cluster whose machines have been started.
pub(super) struct Up<'a> {
    /// What it is to be.
    pub(super) plan: &'a Plan<'a>,
    /// Its machines.
    pub(super) cluster: &'a Cluster,
    /// Its secrets, if it is to have those of an earlier one.
    pub(super) secrets: Option<Secrets>,
    /// How long things take.
    pub(super) patience: Patience,
    /// Where it says what is done.
    pub(super) progress: &'a Progress,
    /// Where its context goes.
    pub(super) file: &'a ContextFile,
}

impl Up<'_> {
    /// Does it.
    pub(super) fn run(&self) -> Result<()> {
        let nodes = self.cluster.vms().iter();
        let nodes = nodes.map(|vm| node(self.cluster, &vm.spec.name));
        let nodes: Vec<_> = nodes.collect::<Result<_>>()?;
        let paired = nodes.iter().map(|node| self.maintenance(node));
        let paired = paired.collect::<Result<Vec<_>>>()?;
        if self.plan.create.no_config {
            for (node, pairing) in nodes.iter().zip(&paired) {
                let Node { name, address } = node;
                let waits = format!("{name} waits at {address} for: {}", pairing.reveal());
                self.progress.done(&waits);
            }
            return Ok(());
        }
        let secrets = self.secrets(Timestamp::now())?;
        let client = |now| secrets.client("local", pki::Role::Admin, LIFETIME, nodes.clone(), now);
        let context = client(Timestamp::now())?;
        let machines = nodes.iter().zip(&paired).zip(&self.plan.roles);
        let machines = machines.map(|((node, pairing), (name, role))| Machine {
            node,
            pairing,
            name,
            role: *role,
        });
        let machines: Vec<_> = machines.collect();
        let later = |number: usize| self.later().contains(&number);
        for (number, machine) in machines.iter().enumerate() {
            if !later(number) {
                self.configure(&secrets, machine)?;
            }
        }
        for (number, node) in nodes.iter().enumerate() {
            // Workers get what they answer with from a cluster that has begun.
            let joins = self.plan.kubernetes && number >= self.planes();
            if !joins && !later(number) {
                self.ready(&context, node, Duration::ZERO)?;
            }
        }
        let name = &self.plan.create.name;
        remember(name.as_str(), context.clone(), self.file)?;
        self.progress.done(&format!(
            "cluster {name} is the current context; try: osctl version"
        ));
        if self.plan.kubernetes {
            self.kubernetes(&secrets, context, &machines)?;
        }
        Ok(())
    }

    /// How many machines are control planes: the first ones.
    fn planes(&self) -> usize {
        self.plan.fit.planes.into()
    }

    /// Which machines get their configs when the first one runs Kubernetes: further control planes, one after the other. Each has
    /// most to do when it begins, and etcd takes in one at a time.
    fn later(&self) -> Range<usize> {
        let alone = self.plan.kubernetes && !self.plan.create.kubernetes.no_bootstrap;
        if alone { 1..self.planes() } else { 0..0 }
    }

    /// Waits until a machine is a node.
    fn ready(&self, context: &Context, node: &Node, longer: Duration) -> Result<()> {
        let disk = self.plan.create.disk().bytes().is_some();
        ready::wait(context, node, disk, longer, self.patience, self.progress)?;
        let Node { name, address } = node;
        self.progress.done(&format!("{name} is ready at {address}"));
        Ok(())
    }

    /// Has Kubernetes begin, waits for those that join it, and shows kubectl the way there.
    fn kubernetes(
        &self,
        secrets: &Secrets,
        context: Context,
        machines: &[Machine<'_>],
    ) -> Result<()> {
        let server = kubernetes::server(self.cluster)?;
        let names: Vec<_> = machines.iter().map(|it| it.node.name.clone()).collect();
        let first = names.first().context("a cluster has a node")?;
        if self.plan.create.kubernetes.no_bootstrap {
            let waits = waits(first, machines.len() > 1, &server);
            self.progress.done(&waits);
            return Ok(());
        }
        let session = Session {
            context,
            asked: vec![first.clone()],
            patience: self.patience.scale(CALL),
        };
        let wait = Wait {
            session: &session,
            first,
            patience: self.patience,
            progress: self.progress,
        };
        on_runtime(wait.begin())?;
        let planes = names.get(..self.planes()).unwrap_or_default();
        for machine in machines.get(self.later()).unwrap_or_default() {
            self.configure(secrets, machine)?;
            self.ready(&session.context, machine.node, Duration::ZERO)?;
            let joined = [machine.node.name.clone()];
            on_runtime(wait.ready(&joined, &joined))?;
        }
        for machine in machines.get(self.planes()..).unwrap_or_default() {
            self.ready(&session.context, machine.node, ready::JOIN)?;
        }
        on_runtime(wait.ready(&names, planes))?;
        let count = output::counted(names.len(), "node");
        self.progress
            .done(&format!("Kubernetes runs: {count} Ready"));
        self.kubectl(&session, first, &server)
    }

    /// Shows kubectl the way there.
    fn kubectl(&self, session: &Session, first: &str, server: &str) -> Result<()> {
        let kubectl = &self.plan.create.kubernetes.kubectl;
        let Some(file) = kubectl.file()? else {
            return Ok(());
        };
        self.progress
            .step(format!("{first}: asking for a kubeconfig"));
        let given = on_runtime(begin::kubeconfig(session, first, server))?;
        let context = kubectl.put(&file, &given.text, self.cluster.folder())?;
        self.progress.done(&format!(
            "{}: context {context}, until {}; try: {}",
            file.display(),
            output::second(given.expires),
            kubectl.command(&context)
        ));
        Ok(())
    }

    /// Reads the pairing string off the console.
    fn maintenance(&self, node: &Node) -> Result<PairingString> {
        self.progress.step(format!("{}: booting", node.name));
        let name: Name = node.name.parse()?;
        let mut console = self.cluster.console(&name);
        let deadline = Deadline::after(self.patience.scale(BOOT));
        let what = "waiting in maintenance mode";
        let found = self
            .cluster
            .wait(&mut console, &name, what, deadline, |facts, _| {
                let mut links = facts.addresses.values();
                let has_address = links.any(|of_link| !of_link.is_empty());
                has_address.then(|| facts.pairing.clone()).flatten()
            })?;
        found
            .as_str()
            .parse()
            .context("reading the pairing string off the console")
    }

    /// The secrets of the cluster, in its folder.
    fn secrets(&self, now: Timestamp) -> Result<Secrets> {
        let name = self.plan.create.name.as_str().parse()?;
        let mut secrets = match self.secrets.clone() {
            None => Secrets::generate(name, now)?,
            Some(mut former) => {
                former.complete(name, now)?;
                former
            }
        };
        if self.plan.kubernetes {
            let lease = self.cluster.vms().first().and_then(|vm| vm.lease);
            secrets.set_endpoint(kubernetes::endpoint(lease)?);
        }
        files::write_secret(
            &self.cluster.folder().join("secrets.yaml"),
            &secrets.to_yaml()?,
            Existing::Replace,
        )?;
        Ok(secrets)
    }

    /// Gives a machine its config.
    fn configure(&self, secrets: &Secrets, machine: &Machine<'_>) -> Result<()> {
        let Machine {
            node,
            pairing,
            name,
            role,
        } = machine;
        self.progress
            .step(format!("{}: applying its config", node.name));
        let plan = NodePlan {
            role: *role,
            hostname: name.as_str().parse().context("naming a node")?,
            disk: self.plan.system_disk()?,
            kubernetes: secrets.endpoint().cloned(),
        };
        let documents = secrets.node(&plan, Timestamp::now())?;
        let documents = kubernetes::open(&documents, self.plan.fit.workers, self.patience)?;
        let config = request(documents.to_yaml()?.into_bytes());
        let patience = self.patience.scale(ANSWER);
        on_runtime(give(pairing, &node.address, config, patience)).map(drop)
    }
}

/// What is left to do where Kubernetes is not to begin by itself, on the first of one or several machines.
fn waits(first: &str, several: bool, server: &str) -> String {
    let join = if several {
        ", upon which the others join"
    } else {
        ""
    };
    format!(
        "Kubernetes waits to begin: osctl bootstrap -n {first}{join}, then osctl kubeconfig -n {first} --server {server}"
    )
}

fn node(cluster: &Cluster, name: &Name) -> Result<Node> {
    let forwarded = cluster.vm(name)?.endpoint(API_PORT);
    let address = forwarded.with_context(|| format!("the API of {name} is not forwarded"))?;
    Ok(Node {
        name: name.to_string(),
        address: address.to_string(),
    })
}

fn remember(name: &str, context: Context, file: &ContextFile) -> Result<()> {
    file.change(|contexts| {
        let made = Contexts {
            current: None,
            contexts: [(name.to_owned(), context)].into(),
        };
        contexts.merge(made, true)?;
        contexts.current = Some(name.to_owned());
        Ok(())
    })
}

/// Runs one call from this blocking thread.
pub(super) fn on_runtime<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Handle::current().block_on(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_it_begin_by_hand_is_told_on_which_node() {
        assert_eq!(
            waits("k8s-cp-1", true, "https://127.0.0.1:1"),
            "Kubernetes waits to begin: osctl bootstrap -n k8s-cp-1, upon which the others join, \
             then osctl kubeconfig -n k8s-cp-1 --server https://127.0.0.1:1"
        );
        let alone = waits("k8s-cp-1", false, "https://127.0.0.1:1");
        assert!(alone.contains("-n k8s-cp-1, then"), "{alone}");
    }
}
