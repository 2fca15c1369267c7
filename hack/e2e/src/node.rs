//! One machine of a lab: what its console shows and says, and what a person does with it first.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use provision::spec::API_PORT;
use provision::{Cluster, Console, Deadline, Facts, Name};

use crate::lab::Lab;

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

    /// What its console says from its first line on.
    pub fn from_power_on(&self) -> Since<'_> {
        self.since(self.cluster.console(&self.name))
    }

    /// Does something to it, and forgets what its console has shown before: only what follows counts, for what is given
    /// and for [`Self::shows`].
    ///
    /// There is no other way to wait for a line, so that one from before is never taken for an answer. A drawing that
    /// had begun still comes, though; whoever waits for a word that was drawn before must first have seen the drawing
    /// that took it back.
    ///
    /// # Errors
    /// When it cannot be done, or the console cannot be read.
    pub fn after(
        &mut self,
        action: impl FnOnce(&mut Cluster, &Name) -> Result<()>,
    ) -> Result<Since<'_>> {
        self.console.forget()?;
        let console = self.console.clone();
        action(&mut self.cluster, &self.name)?;
        Ok(self.since(console))
    }

    /// Pulls its power plug: whatever it had not yet given to its disks is lost.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn power_cut(&mut self) -> Result<()> {
        Ok(self.cluster.switch_off(&self.name)?)
    }

    /// Starts it again, with the disks that it had; gives what its console says from then on, and for [`Self::shows`] too
    /// only that counts.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self) -> Result<Since<'_>> {
        let host = self.lab.host();
        self.after(|cluster, name| Ok(cluster.switch_on(host, name)?))
    }

    /// The file behind a disk of its own, for looking at and changing while it is off; `number` counts all its disks,
    /// from 0 on.
    ///
    /// # Errors
    /// When it has no such disk.
    pub fn disk_file(&self, number: usize) -> Result<PathBuf> {
        Ok(self.cluster.disk(&self.name, number)?)
    }

    /// Somebody at its console who types.
    ///
    /// # Errors
    /// When its console cannot be reached.
    pub fn keyboard(&self) -> Result<Keyboard> {
        let socket = self.cluster.console_input(&self.name);
        let typed = UnixStream::connect(&socket).context("sitting down at a console")?;
        let mut shown = typed.try_clone().context("a second end of a socket")?;
        // One who did not read would keep the machine from saying anything. It ends with the keyboard or the machine.
        thread::spawn(move || io::copy(&mut shown, &mut io::sink()));
        Ok(Keyboard { typed })
    }

    fn since(&self, console: Console) -> Since<'_> {
        Since {
            cluster: &self.cluster,
            name: &self.name,
            console,
            unheard: VecDeque::new(),
        }
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
        self.configure_with("")
    }

    /// The same with more documents, each after a line `---`.
    ///
    /// # Errors
    /// When any step fails.
    pub fn configure_with(&mut self, documents: &str) -> Result<String> {
        let apply = self.prepare(documents)?;
        self.lab.osctl(&apply)?.fine()?;
        self.configured()
    }

    /// The same with documents that the node refuses with these words unless it is forced.
    ///
    /// # Errors
    /// When it takes them, says something else, or any step fails.
    pub fn configure_by_force(&mut self, documents: &str, told: &str) -> Result<String> {
        let apply = self.prepare(documents)?;
        let refused = self.lab.osctl(&apply)?;
        ensure!(
            refused.code == Some(1)
                && refused.err.contains(told)
                && refused.err.contains("--force"),
            "{refused:?}"
        );
        self.lab.osctl(&format!("{apply} --force"))?.fine()?;
        self.configured()
    }

    /// Makes a config and a context; the order that applies it.
    fn prepare(&mut self, documents: &str) -> Result<String> {
        let pairing = self.pairing()?;
        let (lab, name, api) = (self.lab, &self.name, self.api()?);
        lab.osctl("gen secrets --file secrets.yaml")?.fine()?;
        lab.osctl(&format!("gen config {name} --file {name}.yaml"))?
            .fine()?;
        let file = lab.home().join(format!("{name}.yaml"));
        let config = fs::read_to_string(&file).context("reading the config that was made")?;
        fs::write(&file, config + documents).context("writing the config")?;
        lab.osctl(&format!("gen crt --name {name} --node {name}={api}"))?
            .fine()?;
        Ok(format!(
            "apply --file {name}.yaml --nodes {api} --pairing {pairing}"
        ))
    }

    /// Waits until it runs with its config.
    fn configured(&mut self) -> Result<String> {
        let lab = self.lab;
        let said = lab.osctl_until("version -o json", |said| {
            said.contains("\"stage\": \"running\"")
        })?;
        self.shows("running", lab.change_deadline(), |facts| {
            facts.stage.as_deref() == Some("running")
        })?;
        Ok(said)
    }

    /// Gives it the config of [`Self::configure`] once more, after it has lost that.
    ///
    /// # Errors
    /// When it does not wait for one, or does not take it.
    pub fn configure_again(&mut self) -> Result<()> {
        let (pairing, api) = (self.pairing()?, self.api()?);
        let (lab, name) = (self.lab, &self.name);
        let apply = format!("apply --file {name}.yaml -n {api} --pairing {pairing}");
        lab.osctl(&apply)?.fine()?;
        lab.osctl_until_fine("version").map(drop)
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

/// What the console of a machine says from some moment on.
#[derive(Debug)]
pub struct Since<'n> {
    cluster: &'n Cluster,
    name: &'n Name,
    console: Console,
    /// Lines that came together with one that was waited for.
    unheard: VecDeque<String>,
}

impl Since<'_> {
    /// Waits until a line holds a text; gives the line. What follows it is left for the next call.
    ///
    /// # Errors
    /// When none does in time, or the machine ends.
    pub fn says(&mut self, text: &str, deadline: Deadline) -> Result<String> {
        let what = format!("heard to say {text:?}");
        let (console, unheard) = (&mut self.console, &mut self.unheard);
        let heard = |_: &Facts, lines: &[String]| {
            unheard.extend(lines.iter().cloned());
            std::iter::from_fn(|| unheard.pop_front()).find(|line| line.contains(text))
        };
        Ok(self
            .cluster
            .wait(console, self.name, &what, deadline, heard)?)
    }
}

/// The keyboard at the console of a machine, until it is dropped. QEMU may lose what was typed right before that, and while
/// somebody sits there who cannot read fast enough it writes some characters twice to its log, as it writes to the log
/// also what it is going to say once more.
#[derive(Debug)]
pub struct Keyboard {
    typed: UnixStream,
}

impl Keyboard {
    /// Types.
    ///
    /// # Errors
    /// When the machine has ended.
    pub fn types(&mut self, keys: &[u8]) -> Result<()> {
        io::Write::write_all(&mut self.typed, keys).context("typing on a console")
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // A machine that has ended has closed it already.
        self.typed.shutdown(Shutdown::Both).ok();
    }
}
