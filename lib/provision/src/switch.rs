//! The running network of a cluster: leases, forwards, pulled cables, slow ones.
//!
//! A cable is whole, pulled or slow; it does not lose one frame in ten. QEMU has filters that hold frames back, copy
//! and redirect them, and none that loses some: a lossy cable would need a process of ours in the way of every frame.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::argv::{OUT, SWITCH, hub_port, slow, stem};
use crate::deadline::Deadline;
use crate::lease;
use crate::name::Name;
use crate::process::Process;
use crate::qmp::{Qmp, QmpError};
use crate::state::{Forward, Vm};
use crate::wire;

/// How often another free port is tried when somebody takes the one we had found.
const PORT_TRIES: u32 = 8;

/// How long one question for a lease waits; the answer takes a millisecond.
const CLAIM: Duration = Duration::from_secs(2);

/// What the network could not do.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The process cannot be asked.
    #[error("the network of the cluster cannot be changed")]
    Ask(#[from] QmpError),
    /// No lease for a machine.
    #[error("the network gave no lease for {vm}")]
    Lease {
        /// The machine.
        vm: Name,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No free port on this host.
    #[error("no free port on the loopback of this host")]
    NoPort(#[source] io::Error),
    /// A port cannot be forwarded.
    #[error("cannot forward {host} to port {port} of {vm}: {reason}")]
    Forward {
        /// The machine.
        vm: Name,
        /// Its port.
        port: u16,
        /// The place on this host.
        host: SocketAddr,
        /// QEMU's words.
        reason: String,
    },
}

/// An open control connection to the network.
pub(crate) struct Switch<'a> {
    folder: &'a Path,
    process: Process,
    qmp: Qmp,
    deadline: Deadline,
}

impl<'a> Switch<'a> {
    /// Connects, waiting until the process answers.
    pub(crate) fn connect(
        folder: &'a Path,
        process: Process,
        deadline: Deadline,
    ) -> Result<Self, SwitchError> {
        let qmp = Qmp::connect(folder, &format!("{SWITCH}.qmp"), process, deadline)?;
        Ok(Self {
            folder,
            process,
            qmp,
            deadline,
        })
    }

    /// Asks for a machine's lease in its name; only before it has started, since its port has room for one.
    ///
    /// Asked again when there is no answer: the port begins to listen some time after the process answers.
    pub(crate) fn claim(&mut self, vm: &Vm) -> Result<Ipv4Addr, SwitchError> {
        let socket = format!("{}.net", stem(&vm.spec.name));
        let lease = self.process.ask(self.deadline, || {
            let mac = vm.mac_bytes().ok_or(io::ErrorKind::InvalidData)?;
            let once = self.deadline.at_most(CLAIM);
            let mut stream = wire::connect(self.folder, &socket, self.process, once)?;
            lease::claim(&mut stream, mac, once)
        });
        lease.map_err(|source| SwitchError::Lease {
            vm: vm.spec.name.clone(),
            source,
        })
    }

    /// Forwards a port of a machine from a free port of this host.
    pub(crate) fn forward(
        &mut self,
        vm: &Name,
        port: u16,
        to: Ipv4Addr,
    ) -> Result<Forward, SwitchError> {
        let mut tries = 1..=PORT_TRIES;
        loop {
            let host = free_port().map_err(SwitchError::NoPort)?;
            match self.forward_from(vm, port, host, to) {
                Err(SwitchError::Forward { .. }) if tries.next().is_some() => {}
                outcome => return outcome,
            }
        }
    }

    fn forward_from(
        &mut self,
        vm: &Name,
        port: u16,
        host: SocketAddr,
        to: Ipv4Addr,
    ) -> Result<Forward, SwitchError> {
        let rule = format!(
            "hostfwd_add {OUT} tcp:{}:{}-{to}:{port}",
            host.ip(),
            host.port()
        );
        let reason = self.qmp.monitor(&rule)?;
        if reason.is_empty() {
            Ok(Forward { port, host, to })
        } else {
            Err(SwitchError::Forward {
                vm: vm.clone(),
                port,
                host,
                reason,
            })
        }
    }

    /// Lets a forward lead to another address; connections that exist stay as they are.
    pub(crate) fn redirect(
        &mut self,
        vm: &Name,
        forward: Forward,
        to: Ipv4Addr,
    ) -> Result<Forward, SwitchError> {
        let (ip, port) = (forward.host.ip(), forward.host.port());
        // It says in prose that it is done, so what it says is no error; a rule that stayed makes the next step fail.
        self.qmp
            .monitor(&format!("hostfwd_remove {OUT} tcp:{ip}:{port}"))?;
        self.forward_from(vm, forward.port, forward.host, to)
    }

    /// Pulls a machine's cable inside the hub, or plugs it in: frames are lost in both directions, and the machine's
    /// card does not notice.
    pub(crate) fn plug(&mut self, vm: &Name, plugged: bool) -> Result<(), SwitchError> {
        let arguments = json!({"name": hub_port(vm), "up": plugged});
        self.qmp.execute("set_link", arguments)?;
        Ok(())
    }

    /// Holds the frames of a machine back in both directions and lets them go together, once per `interval`; with zero
    /// they pass at once again, those that were held first.
    pub(crate) fn delay(&mut self, vm: &Name, interval: Duration) -> Result<(), SwitchError> {
        let id = slow(vm);
        // Asked, not remembered: a change that was interrupted leaves no note.
        let objects = match self.qmp.execute("qom-list", json!({"path": "/objects"})) {
            // There is no such folder before there was an object.
            Err(QmpError::Refused { .. }) => Value::Null,
            listed => listed?,
        };
        let named = |object: &Value| object.get("name").and_then(Value::as_str) == Some(&id);
        if objects.as_array().is_some_and(|all| all.iter().any(named)) {
            self.qmp.execute("object-del", json!({"id": id}))?;
        }
        if interval.is_zero() {
            return Ok(());
        }
        // QEMU counts microseconds in 32 bits, and takes no zero.
        let interval = u32::try_from(interval.as_micros())
            .unwrap_or(u32::MAX)
            .max(1);
        let filter = json!({
            "qom-type": "filter-buffer",
            "id": id,
            "netdev": stem(vm),
            "queue": "all",
            "interval": interval,
        });
        self.qmp.execute("object-add", filter)?;
        Ok(())
    }
}

/// A port that is free now. Somebody may take it before we do, which the caller must expect.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
