//! One cluster that exists: looking at it, and doing things to its machines and their network.
//!
//! Everything that changes something takes the cluster's lock and reads the state anew, so two programs can work on one
//! cluster. Waiting for a console takes no lock.

mod disks;
mod error;

use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::argv::{NETWORK, console_log, second_serial, stem};
use crate::console::{self, Console, Facts};
use crate::deadline::Deadline;
use crate::folder::Folder;
use crate::host::Host;
use crate::launch::Launcher;
use crate::name::Name;
use crate::process::Process;
use crate::qmp::Qmp;
use crate::state::{Forward, State, Vm};
use crate::switch::Switch;
use crate::wire;

pub use error::ClusterError;

/// How long one change may take, the wait for another program's change included.
const CHANGE: Duration = Duration::from_secs(60);

/// How many lines of a console an error repeats.
const TAIL: usize = 25;

/// A cluster, as of when it was opened or last changed through this value.
#[derive(Clone, Debug)]
pub struct Cluster {
    path: PathBuf,
    state: State,
}

/// Whether a machine's process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// It runs.
    On,
    /// It was never started, has been ended or has ended.
    Off,
}

impl Cluster {
    pub(crate) fn new(path: PathBuf, state: State) -> Self {
        Self { path, state }
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.state.name
    }

    /// Its folder: for files that shall go when the cluster goes.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// Its machines, in order.
    pub fn vms(&self) -> &[Vm] {
        &self.state.vms
    }

    /// Whether its network runs.
    pub fn network(&self) -> Power {
        power(self.state.switch)
    }

    /// Whether a machine runs.
    ///
    /// # Errors
    /// When there is no such machine.
    pub fn power(&self, vm: &Name) -> Result<Power, ClusterError> {
        Ok(power(self.vm(vm)?.process))
    }

    /// A machine.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn vm(&self, name: &Name) -> Result<&Vm, ClusterError> {
        self.state.vm(name).ok_or_else(|| ClusterError::NoVm {
            cluster: self.state.name.clone(),
            vm: name.clone(),
        })
    }

    /// The file with everything a machine wrote to its console, over all its starts.
    pub fn console_log(&self, vm: &Name) -> PathBuf {
        self.path.join(console_log(vm))
    }

    /// A reader of a machine's console, from the first line on.
    pub fn console(&self, vm: &Name) -> Console {
        Console::new(self.console_log(vm))
    }

    /// The socket of a machine's console: what is written there is typed. It has room for one at a time, who must read
    /// too: everything that the machine says comes there, and when a few hundred bytes wait, it can say no more.
    pub fn console_input(&self, vm: &Name) -> PathBuf {
        self.path.join(format!("{}.console", stem(vm)))
    }

    /// The other end of a machine's second serial port; it has room for one at a time.
    ///
    /// # Errors
    /// When the machine has none, or is off.
    pub fn second_serial(&self, vm: &Name) -> Result<UnixStream, ClusterError> {
        self.vm(vm)?;
        let process = running(&self.state, vm)?;
        let connected = wire::connect(&self.path, &second_serial(vm), process, soon());
        connected.map_err(|source| ClusterError::SecondSerial {
            vm: vm.clone(),
            source,
        })
    }

    /// The last lines of a machine's console, for messages.
    pub fn console_tail(&self, vm: &Name) -> String {
        console::tail(&self.console_log(vm), TAIL)
    }

    /// Reads a machine's console until `wanted` finds what it looks for in the facts or in a new line. `what` completes
    /// the sentence "it was not ... in time".
    ///
    /// # Errors
    /// When the machine ends or the deadline passes first; the text has the end of the console.
    pub fn wait<T>(
        &self,
        console: &mut Console,
        vm: &Name,
        what: &str,
        deadline: Deadline,
        mut wanted: impl FnMut(&Facts, &[String]) -> Option<T>,
    ) -> Result<T, ClusterError> {
        let process = self.vm(vm)?.process;
        let found = deadline.try_until(|| {
            // Looked at before reading, so that the last words of one that ends are heard.
            let ended = power(process) == Power::Off;
            let lines = console.read().map_err(|source| ClusterError::Console {
                vm: vm.clone(),
                source,
            })?;
            match wanted(console.facts(), &lines) {
                None if ended => Err(ClusterError::Ended {
                    vm: vm.clone(),
                    what: what.to_owned(),
                    tail: self.console_tail(vm),
                }),
                found => Ok(found),
            }
        })?;
        found.ok_or_else(|| ClusterError::Late {
            vm: vm.clone(),
            what: what.to_owned(),
            limit: deadline.limit(),
            tail: self.console_tail(vm),
        })
    }

    /// Pulls a machine's cable: frames are lost in both directions, its card does not notice.
    ///
    /// # Errors
    /// When the network refuses.
    pub fn cut(&mut self, vm: &Name) -> Result<(), ClusterError> {
        self.plug(vm, false)
    }

    /// Plugs a machine's cable in again.
    ///
    /// # Errors
    /// When the network refuses.
    pub fn restore(&mut self, vm: &Name) -> Result<(), ClusterError> {
        self.plug(vm, true)
    }

    fn plug(&mut self, vm: &Name, plugged: bool) -> Result<(), ClusterError> {
        self.change(vm, |folder, state| {
            switch(folder, state)?.plug(vm, plugged)?;
            if let Some(vm) = state.vm_mut(vm) {
                vm.spec.cut = !plugged;
            }
            Ok(())
        })
    }

    /// Makes a machine's cable slow: its frames are held back in both directions and go on together, once per
    /// `interval`. So a frame is late by up to that; who waits for the answer to one before he sends the next waits at
    /// least that long for each. Zero makes the cable quick again, and longer than 71 minutes it never is. It lasts
    /// as long as the cluster's network, whatever becomes of the machine.
    ///
    /// # Errors
    /// When the network refuses.
    pub fn delay(&mut self, vm: &Name, interval: Duration) -> Result<(), ClusterError> {
        self.change(vm, |folder, state| {
            Ok(switch(folder, state)?.delay(vm, interval)?)
        })
    }

    /// Forwards one more port of a machine, to the address it was leased.
    ///
    /// # Errors
    /// When the network refuses, or no port is free.
    pub fn forward(&mut self, vm: &Name, port: u16) -> Result<Forward, ClusterError> {
        self.change(vm, |folder, state| {
            let mut switch = switch(folder, state)?;
            let lease = state.vm(vm).and_then(|vm| vm.lease);
            let to = lease.ok_or_else(|| ClusterError::NoLease { vm: vm.clone() })?;
            let forward = switch.forward(vm, port, to)?;
            if let Some(vm) = state.vm_mut(vm) {
                vm.forwards.push(forward);
            }
            Ok(forward)
        })
    }

    /// Lets a machine's forwards lead to another address, after it has been given one. They keep their place on this
    /// host, and connections that exist stay as they are.
    ///
    /// # Errors
    /// When the network refuses.
    pub fn redirect(&mut self, vm: &Name, to: Ipv4Addr) -> Result<(), ClusterError> {
        self.change(vm, |folder, state| {
            let mut switch = switch(folder, state)?;
            for forward in state.vm_mut(vm).into_iter().flat_map(|vm| &mut vm.forwards) {
                *forward = switch.redirect(vm, *forward, to)?;
            }
            Ok(())
        })
    }

    /// Pulls a machine's power plug.
    ///
    /// # Errors
    /// When its process does not end.
    pub fn switch_off(&mut self, vm: &Name) -> Result<(), ClusterError> {
        self.change(vm, |_, state| {
            let process = state.vm(vm).and_then(|vm| vm.process);
            process
                .map_or(Ok(()), |process| process.kill(soon()))
                .map_err(|source| ClusterError::Off {
                    vm: vm.clone(),
                    source,
                })?;
            if let Some(vm) = state.vm_mut(vm) {
                vm.process = None;
            }
            Ok(())
        })
    }

    /// Starts a machine that is off, as it was made; one that is on stays as it is.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn switch_on(&mut self, host: &Host, vm: &Name) -> Result<(), ClusterError> {
        self.change(vm, |folder, state| {
            if state.vm(vm).is_some_and(Vm::alive) {
                return Ok(());
            }
            // A machine finds the network when it starts, or ends.
            switch(folder, state)?;
            let launcher = Launcher {
                host,
                folder,
                deadline: soon(),
            };
            launcher
                .machine(state, vm)
                .map_err(|source| ClusterError::On {
                    vm: vm.clone(),
                    source,
                })
        })
    }

    /// Presses a machine's reset button.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn reset(&mut self, vm: &Name) -> Result<(), ClusterError> {
        self.control(vm, "system_reset", json!({}))
    }

    /// Presses Ctrl, Alt and Delete on a machine's keyboard, and lets go of them.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn ctrl_alt_delete(&mut self, vm: &Name) -> Result<(), ClusterError> {
        let key = |code| json!({"type": "qcode", "data": code});
        let keys = ["ctrl", "alt", "delete"].map(key);
        self.control(vm, "send-key", json!({ "keys": keys }))
    }

    /// Lets a machine's card lose its carrier, or find it again: unlike with [`Self::cut`], the card notices.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn carrier(&mut self, vm: &Name, up: bool) -> Result<(), ClusterError> {
        self.control(vm, "set_link", json!({"name": NETWORK, "up": up}))
    }

    fn control(&mut self, vm: &Name, command: &str, arguments: Value) -> Result<(), ClusterError> {
        self.change(vm, |folder, state| {
            let process = running(state, vm)?;
            let socket = format!("{}.qmp", stem(vm));
            Qmp::connect(folder, &socket, process, soon())
                .and_then(|mut qmp| qmp.execute(command, arguments))
                .map(drop)
                .map_err(|source| ClusterError::Control {
                    vm: vm.clone(),
                    source,
                })
        })
    }

    /// Does something to a machine under the cluster's lock, on the newest state, and keeps the outcome.
    fn change<T>(
        &mut self,
        vm: &Name,
        change: impl FnOnce(&Path, &mut State) -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        self.vm(vm)?;
        let folder = Folder::lock(&self.path, soon())?;
        self.state = State::load(folder.path())?;
        let outcome = change(folder.path(), &mut self.state);
        // What was done is noted however it ended; why it ended so matters more than that it cannot be noted.
        let saved = self.state.save(folder.path());
        let done = outcome?;
        saved?;
        Ok(done)
    }
}

/// A connection to the network's process, which answers unless it is dead.
fn switch<'a>(folder: &'a Path, state: &State) -> Result<Switch<'a>, ClusterError> {
    let alive = state.switch.filter(|process| process.alive());
    let process = alive.ok_or_else(|| ClusterError::NoNetwork {
        cluster: state.name.clone(),
    })?;
    Ok(Switch::connect(folder, process, soon())?)
}

/// The process of a machine that is on.
fn running(state: &State, vm: &Name) -> Result<Process, ClusterError> {
    let process = state.vm(vm).and_then(|vm| vm.process);
    let alive = process.filter(|process| process.alive());
    alive.ok_or_else(|| ClusterError::IsOff { vm: vm.clone() })
}

fn power(process: Option<Process>) -> Power {
    if process.is_some_and(Process::alive) {
        Power::On
    } else {
        Power::Off
    }
}

fn soon() -> Deadline {
    Deadline::after(CHANGE)
}
