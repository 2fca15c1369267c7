//! A test's own place: its folders, its clusters, its nodes.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use provision::spec::API_PORT;
use provision::{
    Cluster, ClusterSpec, Clusters, Console, Deadline, Facts, Host, Image, Name, VmSpec,
};
use tempfile::TempDir;

use crate::osctl::{self, Running, Said};
use crate::slots::{self, Slots};

/// From power on to an answering API on a processor that helps; a node boots in a few seconds there.
const BOOT: Duration = Duration::from_secs(20);

/// From one state of a running node to the next.
const CHANGE: Duration = Duration::from_secs(8);

/// Folders of one test, and everything it starts in them. Dropping it ends all of that and prints the end of every
/// console, which the test harness shows when the test fails.
#[derive(Debug)]
pub struct Lab {
    home: TempDir,
    clusters: Clusters,
    host: Host,
    quiet: bool,
    _slots: Slots,
}

impl Lab {
    /// A lab for so many machines at once.
    ///
    /// # Errors
    /// When this host lacks something.
    pub fn new(machines: usize) -> Result<Self> {
        let slots = slots::take(machines);
        let home = tempfile::tempdir().context("making a folder")?;
        let clusters = Clusters::at(&home.path().join("data/garboard/clusters"))?;
        Ok(Self {
            home,
            clusters,
            host: Host::detect()?,
            quiet: false,
            _slots: slots,
        })
    }

    /// The same, printing no consoles: for who is no test and says himself what went wrong.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The folder that is `osctl`'s home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The clusters of this lab, the same that its `osctl` sees.
    pub fn clusters(&self) -> &Clusters {
        &self.clusters
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Runs `osctl` in this lab.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn osctl(&self, line: &str) -> Result<Said> {
        osctl::run(self.home(), line.split_whitespace())
    }

    /// Starts an `osctl` that goes on until it is dropped; one that is not read stands still when nobody takes what it says.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_osctl(&self, line: &str, read: bool) -> Result<Running> {
        osctl::start(self.home(), line.split_whitespace(), read)
    }

    /// Runs `osctl` again and again until it goes well; what it said last when time is up.
    ///
    /// # Errors
    /// When it never went well.
    pub fn osctl_until_fine(&self, line: &str) -> Result<String> {
        let limit = Instant::now() + self.patience(CHANGE);
        loop {
            let said = self.osctl(line)?;
            if said.code == Some(0) || Instant::now() > limit {
                return said.fine();
            }
        }
    }

    /// A time for a processor that helps, made fit for how machines run here.
    pub fn patience(&self, time: Duration) -> Duration {
        self.host.accel.accel.scale(time)
    }

    /// The deadline of a boot that begins now.
    pub fn boot_deadline(&self) -> Deadline {
        Deadline::after(self.patience(BOOT))
    }

    /// The deadline of a change that begins now.
    pub fn change_deadline(&self) -> Deadline {
        Deadline::after(self.patience(CHANGE))
    }

    /// A cluster of one machine.
    ///
    /// # Errors
    /// When it does not start.
    pub fn node(&self, image: &Image, vm: VmSpec) -> Result<Node<'_>> {
        let name = vm.name.clone();
        let spec = ClusterSpec {
            name: name.clone(),
            tftp: image.tftp().ok(),
            vms: vec![vm],
        };
        let cluster = self.clusters.create(&self.host, &spec)?;
        Ok(Node::new(self, cluster, name))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in self.clusters.list().unwrap_or_default() {
            // Always: whether the test fails is not known yet, and of one that passes nobody sees it.
            if !self.quiet {
                print_consoles(&self.clusters, &name);
            }
            if let Err(error) = self.clusters.destroy(&name) {
                complain(&format!("cluster {name} stays: {error}"));
            }
        }
    }
}

fn print_consoles(clusters: &Clusters, name: &Name) {
    let Ok(cluster) = clusters.open(name) else {
        return;
    };
    for vm in cluster.vms() {
        let name = &vm.spec.name;
        complain(&format!(
            "--- console of {name}\n{}\n---",
            cluster.console_tail(name)
        ));
    }
}

#[expect(
    clippy::print_stderr,
    reason = "this is a test's report, and the test harness captures it"
)]
fn complain(text: &str) {
    eprintln!("{text}");
}

/// One machine of a lab.
#[derive(Debug)]
pub struct Node<'a> {
    lab: &'a Lab,
    /// The cluster it is in.
    pub cluster: Cluster,
    /// Its name.
    pub name: Name,
    console: Console,
}

impl<'a> Node<'a> {
    /// A machine of a cluster that exists.
    pub fn new(lab: &'a Lab, cluster: Cluster, name: Name) -> Self {
        let console = cluster.console(&name);
        Self {
            lab,
            cluster,
            name,
            console,
        }
    }

    /// Where its API is reached from this host.
    ///
    /// # Errors
    /// When its port is not forwarded.
    pub fn api(&self) -> Result<SocketAddr> {
        let vm = self.cluster.vm(&self.name)?;
        vm.endpoint(API_PORT)
            .with_context(|| format!("{} has no forward for its API", self.name))
    }

    /// Reads its console until the facts on it are right; gives them.
    ///
    /// # Errors
    /// When they are not in time, or the machine ends.
    pub fn shows(
        &mut self,
        what: &str,
        deadline: Deadline,
        right: impl Fn(&Facts) -> bool,
    ) -> Result<Facts> {
        let seen = |facts: &Facts, _: &[String]| right(facts).then(|| facts.clone());
        Ok(self
            .cluster
            .wait(&mut self.console, &self.name, what, deadline, seen)?)
    }

    /// Reads its console until a new line holds a text; gives the line.
    ///
    /// # Errors
    /// When none does in time, or the machine ends.
    pub fn says(&mut self, text: &str, deadline: Deadline) -> Result<String> {
        let what = format!("heard to say {text:?}");
        let heard =
            |_: &Facts, lines: &[String]| lines.iter().find(|line| line.contains(text)).cloned();
        Ok(self
            .cluster
            .wait(&mut self.console, &self.name, &what, deadline, heard)?)
    }

    /// Forgets what its console has shown so far, as before a restart: only what follows counts.
    ///
    /// # Errors
    /// When the console cannot be read.
    pub fn forget(&mut self) -> Result<()> {
        Ok(self.console.forget()?)
    }

    /// Waits until it asks for pairing and its API answers.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn maintenance(&mut self) -> Result<Facts> {
        let ready = |facts: &Facts| {
            facts.stage.as_deref() == Some("maintenance")
                && facts.pairing.is_some()
                && facts.api.is_some()
                && facts.ipv4().is_some()
        };
        self.shows("waiting for pairing", self.lab.boot_deadline(), ready)
    }

    /// The pairing string on its console.
    ///
    /// # Errors
    /// When it shows none.
    pub fn pairing(&mut self) -> Result<String> {
        let facts = self.maintenance()?;
        let pairing = facts
            .pairing
            .context("a node in maintenance without a pairing string")?;
        Ok(pairing.as_str().to_owned())
    }

    /// Gives it a first config as a person does: secrets, config, context, then apply with the pairing string; waits
    /// until it answers by certificate. Gives what `osctl version` said.
    ///
    /// # Errors
    /// When any step fails.
    pub fn configure(&mut self) -> Result<String> {
        let pairing = self.pairing()?;
        let (lab, name, api) = (self.lab, &self.name, self.api()?);
        lab.osctl("gen secrets --file secrets.yaml")?.fine()?;
        lab.osctl(&format!("gen config {name} --file {name}.yaml"))?
            .fine()?;
        lab.osctl(&format!("gen crt --name {name} --node {name}={api}"))?
            .fine()?;
        lab.osctl(&format!(
            "apply --file {name}.yaml --nodes {api} --pairing {pairing}"
        ))?
        .fine()?;
        let said = lab.osctl_until_fine("version -o json")?;
        self.shows("running", lab.change_deadline(), |facts| {
            facts.stage.as_deref() == Some("running")
        })?;
        Ok(said)
    }

    /// Waits until it has shut down, so that its machine is off.
    ///
    /// # Errors
    /// When it is still on in the end.
    pub fn is_off(&mut self) -> Result<()> {
        let never = |_: &Facts, _: &[String]| None::<()>;
        let deadline = self.lab.change_deadline();
        let waited = self
            .cluster
            .wait(&mut self.console, &self.name, "off", deadline, never);
        match waited {
            Err(provision::ClusterError::Ended { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(()) => bail!("{} said what nobody listened for", self.name),
        }
    }
}
