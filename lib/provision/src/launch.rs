//! Starting a cluster's processes, each written down before and after.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::argv::{self, Identity, Means, SWITCH, stem};
use crate::console;
use crate::deadline::Deadline;
use crate::disk::{self, DiskError};
use crate::fence::{ARGUMENT, FENCE, Sides};
use crate::host::{Firmware, Host, HostError};
use crate::name::Name;
use crate::process::{Process, ProcessError};
use crate::qmp::{Qmp, QmpError};
use crate::spec::ClusterSpec;
use crate::state::{State, StateError};
use crate::switch::{Switch, SwitchError};

/// How many lines of a process's messages an error repeats.
const TAIL: usize = 10;

/// How long a process may take to end after it has closed its control socket.
const LAST_GASP: Duration = Duration::from_secs(2);

/// The kernel's source of random UUIDs.
const UUIDS: &str = "/proc/sys/kernel/random/uuid";

/// Why a process of a cluster did not come up.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Something is missing on this host.
    #[error("this host lacks something")]
    Host(#[from] HostError),
    /// No random UUIDs.
    #[error("cannot read {UUIDS}")]
    Uuid(#[source] io::Error),
    /// No sockets for the network.
    #[error("the sockets of the network cannot be made")]
    Fence(#[source] io::Error),
    /// The notes cannot be kept.
    #[error("the cluster's state cannot be kept")]
    State(#[from] StateError),
    /// The disks cannot be made.
    #[error("the disks of {vm} cannot be made")]
    Disks {
        /// The machine.
        vm: Name,
        /// Why.
        #[source]
        source: DiskError,
    },
    /// The process cannot be started.
    #[error("{what} cannot be started")]
    Process {
        /// The machine, or the network.
        what: String,
        /// Why.
        #[source]
        source: ProcessError,
    },
    /// It started and ended.
    #[error("{what} ended at once; QEMU said:\n{said}")]
    Ended {
        /// The machine, or the network.
        what: String,
        /// The end of its messages.
        said: String,
    },
    /// It started and does not answer.
    #[error("{what} does not answer; QEMU said:\n{said}")]
    Silent {
        /// The machine, or the network.
        what: String,
        /// The end of its messages.
        said: String,
        /// Why.
        #[source]
        source: QmpError,
    },
    /// The network does not do its part.
    #[error("the network of the cluster is not ready")]
    Switch(#[from] SwitchError),
    /// The copy of the firmware's variables.
    #[error("cannot copy {} for {vm}", vars.display())]
    Vars {
        /// The machine.
        vm: Name,
        /// The template.
        vars: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Whether a process that broke off a conversation is at its end.
fn ends(process: Process) -> bool {
    Deadline::after(LAST_GASP)
        .until(|| (!process.alive()).then_some(()))
        .is_some()
}

/// Starts processes of one cluster, whose folder the caller has locked.
pub(crate) struct Launcher<'a> {
    pub(crate) host: &'a Host,
    pub(crate) folder: &'a Path,
    pub(crate) deadline: Deadline,
}

impl Launcher<'_> {
    /// The state of a cluster of which nothing runs yet.
    pub(crate) fn fresh(&self, spec: &ClusterSpec) -> Result<State, LaunchError> {
        let uuid = || fs::read_to_string(UUIDS).map(|text| text.trim().to_owned());
        State::new(spec, uuid).map_err(LaunchError::Uuid)
    }

    /// Makes the disks that machines have of their own, once for the whole life of the cluster.
    pub(crate) fn disks(&self, state: &State) -> Result<(), LaunchError> {
        state.save(self.folder)?;
        for vm in &state.vms {
            disk::make(self.folder, &vm.spec).map_err(|source| LaunchError::Disks {
                vm: vm.spec.name.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Starts the network, then learns every machine's address and forwards its ports.
    pub(crate) fn network(&self, state: &mut State) -> Result<(), LaunchError> {
        let names: Vec<Name> = state.vms.iter().map(|vm| vm.spec.name.clone()).collect();
        let fence = self.host.fence.as_deref().filter(|_| names.len() > 1);
        if let Some(program) = fence {
            self.fence(program)?;
        }
        let out = argv::Out {
            tftp: state.tftp.as_deref(),
            fenced: fence.is_some(),
            closed: state.closed,
        };
        let argv = argv::switch(&state.name, self.folder, out, &names);
        state.save(self.folder)?;
        let process = self.process("the network", SWITCH, &argv)?;
        state.switch = Some(process);
        state.save(self.folder)?;
        self.answering("the network", SWITCH, process)?;

        let mut switch = Switch::connect(self.folder, process, self.deadline)?;
        // QEMU 7.2 dies of a frame for a port that is not listening yet, and an offer goes to all ports: each is
        // unplugged until its own lease has shown that it listens.
        for vm in &state.vms {
            switch.plug(&vm.spec.name, false)?;
        }
        for vm in &mut state.vms {
            switch.plug(&vm.spec.name, true)?;
            let lease = switch.claim(vm)?;
            vm.lease = Some(lease);
            for port in &vm.spec.ports {
                vm.forwards
                    .push(switch.forward(&vm.spec.name, *port, lease)?);
            }
            if vm.spec.cut {
                switch.plug(&vm.spec.name, false)?;
            }
        }
        state.save(self.folder)?;
        Ok(())
    }

    /// Starts the fence. It needs no note: it ends with the network, and is among the processes of the folder until then.
    fn fence(&self, program: &Path) -> Result<(), LaunchError> {
        let sides = Sides::listen(self.folder).map_err(LaunchError::Fence)?;
        let argv = [
            ARGUMENT.into(),
            "-pidfile".into(),
            self.folder.join(format!("{FENCE}.pid")).into_os_string(),
        ];
        let files = (sides.inner.into(), sides.outer.into());
        let log = self.log(FENCE);
        self.end_unnoted(FENCE)
            .and_then(|()| Process::start_between(program, &argv, self.folder, &log, Some(files)))
            .map_err(|source| LaunchError::Process {
                what: "the network".to_owned(),
                source,
            })?;
        Ok(())
    }

    /// Starts a machine and waits until QEMU answers for it.
    pub(crate) fn machine(&self, state: &mut State, name: &Name) -> Result<(), LaunchError> {
        let cluster = state.name.clone();
        let Some(vm) = state.vm_mut(name) else {
            return Ok(());
        };
        let firmware = vm.spec.uefi.then(|| self.host.firmware()).transpose()?;
        if let Some(firmware) = &firmware {
            self.variables(name, firmware)?;
        }
        let identity = Identity {
            cluster: &cluster,
            mac: &vm.mac,
            uuid: &vm.uuid,
        };
        let means = Means {
            accel: self.host.accel.accel,
            version: self.host.version,
            firmware: firmware.as_ref(),
            folder: self.folder,
        };
        let argv = argv::machine(&vm.spec, identity, means);
        let stem = stem(name);
        vm.process = None;
        state.save(self.folder)?;
        let process = self.process(name.as_str(), &stem, &argv)?;
        if let Some(vm) = state.vm_mut(name) {
            vm.process = Some(process);
        }
        state.save(self.folder)?;
        self.answering(name.as_str(), &stem, process)
    }

    fn process(
        &self,
        what: &str,
        stem: &str,
        argv: &[std::ffi::OsString],
    ) -> Result<Process, LaunchError> {
        // A socket that an earlier process left behind shall not be taken for this one's.
        drop(fs::remove_file(self.folder.join(format!("{stem}.qmp"))));
        self.end_unnoted(stem)
            .and_then(|()| Process::start(&self.host.qemu, argv, self.folder, &self.log(stem)))
            .map_err(|source| LaunchError::Process {
                what: what.to_owned(),
                source,
            })
    }

    /// Who died between starting a process and writing it down has left one behind.
    fn end_unnoted(&self, stem: &str) -> Result<(), ProcessError> {
        let file = self.folder.join(format!("{stem}.pid"));
        Process::of_file(&file)?
            .into_iter()
            .try_for_each(|process| process.kill(self.deadline))
    }

    /// Waits until QEMU answers on its control socket, or has ended.
    fn answering(&self, what: &str, stem: &str, process: Process) -> Result<(), LaunchError> {
        let socket = format!("{stem}.qmp");
        let connected = Qmp::connect(self.folder, &socket, process, self.deadline);
        let said = || console::tail(&self.log(stem), TAIL);
        let what = || what.to_owned();
        match connected {
            Ok(_) => Ok(()),
            // One that is ending breaks the conversation off.
            Err(_) if ends(process) => Err(LaunchError::Ended {
                what: what(),
                said: said(),
            }),
            Err(source) => Err(LaunchError::Silent {
                what: what(),
                said: said(),
                source,
            }),
        }
    }

    fn log(&self, stem: &str) -> PathBuf {
        self.folder.join(format!("{stem}.log"))
    }

    /// A machine's own variables, made once: they survive its restarts as in a real one.
    fn variables(&self, vm: &Name, firmware: &Firmware) -> Result<(), LaunchError> {
        let path = self.folder.join(format!("{}.vars", stem(vm)));
        if path.exists() {
            return Ok(());
        }
        // Read and written, not copied: the template is read-only where it is installed, the copy must not be. Under its
        // name when it is whole, since it is not made again: a full disk or a crash leaves a half.
        let half = path.with_extension("vars.new");
        fs::read(&firmware.vars)
            .and_then(|bytes| fs::write(&half, bytes))
            .and_then(|()| File::open(&half)?.sync_all())
            .and_then(|()| fs::rename(&half, &path))
            .map_err(|source| LaunchError::Vars {
                vm: vm.clone(),
                vars: firmware.vars.clone(),
                source,
            })
    }
}
