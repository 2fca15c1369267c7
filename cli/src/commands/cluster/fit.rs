//! How many machines there are, and what each of them gets of this computer. Pure.
//!
//! What somebody says counts. The rest follows from what this computer has: machines together get half of the memory that is free
//! and as many processors as there are, within what a node of Kubernetes needs and what a small cluster can use.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use config::Role;
use provision::spec::MOST_VMS;
use provision::{Accel, Room};

use crate::exit::usage;
use crate::output;

/// A machine without Kubernetes.
const BARE: Machine = Machine {
    cpus: 1,
    memory: 1024,
};

/// The least memory of a control plane with a few pods, in MiB.
pub(super) const LEAST_PLANE: u32 = 2048;

/// The least memory of a worker: its own programs take half of it.
pub(super) const LEAST_WORKER: u32 = 1024;

/// The most memory that a machine gets unasked.
const MOST_MEMORY: u32 = 4096;

/// What this computer keeps for itself: QEMU takes some beside what machines see, and somebody works here.
const KEPT: u32 = 1024;

/// Memory is given in such steps.
const STEP: u32 = 256;

/// The least processors of a control plane: with one, its parts wait for each other all the time.
const LEAST_CPUS: u32 = 2;

/// The most that a machine gets unasked.
const MOST_CPUS: u32 = 4;

/// What somebody said of the machines.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Asked {
    /// How many control planes, 1 to 9
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(super) control_planes: u8,
    /// How many workers; a cluster has 16 machines at most [default: none; with Kubernetes one, where this computer has room for it]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(0..=15))]
    pub(super) workers: Option<u8>,
    /// Processors of each machine [default: 1; with Kubernetes as many as this computer can spare, 2 to 4]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=255))]
    pub(super) cpus: Option<u32>,
    /// Memory of each machine in MiB, 128 or more [default: 1024; with Kubernetes a share of half of what is free, 2048 or more
    /// for a control plane and 1024 or more for a worker, up to 4096]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(128..=1_048_576))]
    pub(super) memory: Option<u32>,
}

/// One machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// Its processors.
    pub(super) cpus: u32,
    /// Its memory in MiB.
    pub(super) memory: u32,
}

/// All machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// How many control planes.
    pub(super) planes: u8,
    /// How many workers.
    pub(super) workers: u8,
    plane: Machine,
    worker: Machine,
}

impl Fit {
    /// Machines that run the bare system.
    pub(super) fn bare(asked: Asked) -> Self {
        let machine = asked.or(BARE);
        Self {
            planes: asked.control_planes,
            workers: asked.workers.unwrap_or(0),
            plane: machine,
            worker: machine,
        }
    }

    /// Machines that run Kubernetes.
    pub(super) fn kubernetes(asked: Asked, room: Room, accel: Accel) -> Self {
        let workers = asked.workers.unwrap_or_else(|| u8::from(fits(asked, room)));
        let machines = u32::from(asked.control_planes) + u32::from(workers);
        let memory = room.memory / 2 / machines / STEP * STEP;
        let cpus = room.processors / machines;
        let machine = |least: Machine| {
            asked.or(Machine {
                cpus: cpus.clamp(least.cpus, MOST_CPUS),
                memory: memory.clamp(least.memory, MOST_MEMORY),
            })
        };
        Self {
            planes: asked.control_planes,
            workers,
            plane: machine(Machine {
                cpus: LEAST_CPUS,
                memory: LEAST_PLANE,
            }),
            worker: machine(Machine {
                // A processor of a machine that is translated takes a whole one of this computer.
                cpus: match accel {
                    Accel::Kvm => LEAST_CPUS,
                    Accel::Tcg => 1,
                },
                memory: LEAST_WORKER,
            }),
        }
    }

    /// Refuses more machines than a network has room for.
    pub(super) fn check(&self) -> Result<()> {
        let machines = usize::from(self.planes) + usize::from(self.workers);
        if machines > MOST_VMS {
            return Err(usage(format!(
                "a local cluster has {MOST_VMS} machines at most, not {machines}; make --control-planes or --workers less"
            )));
        }
        Ok(())
    }

    /// A machine of this role.
    pub(super) fn machine(&self, role: Role) -> Machine {
        match role {
            Role::ControlPlane => self.plane,
            Role::Worker => self.worker,
        }
    }

    /// What was chosen and why, for people.
    pub(super) fn why(&self, asked: Asked, room: Room) -> String {
        let Room { processors, memory } = room;
        let has = format!(
            "this computer has {} and {memory} MiB of free memory",
            processors_of(processors)
        );
        let mut chosen = of(self.planes, "control plane", self.plane);
        if self.workers > 0 {
            chosen = format!("{chosen}, {}", of(self.workers, "worker", self.worker));
        }
        let needed = u64::from(self.planes) * u64::from(self.plane.memory)
            + u64::from(self.workers) * u64::from(self.worker.memory);
        let beyond = if needed > u64::from(memory) {
            "; in time they may take more than is free"
        } else if self.workers == 0 && asked.workers.is_none() {
            "; a worker does not fit beside it, --workers 1 makes one all the same"
        } else {
            ""
        };
        format!("{has}: {chosen}{beyond}")
    }

    /// How long things take here.
    pub(super) fn patience(&self, accel: Accel, room: Room) -> Patience {
        let count = |count: u8, machine: Machine| u32::from(count) * machine.cpus;
        let cpus = count(self.planes, self.plane) + count(self.workers, self.worker);
        Patience {
            accel,
            crowd: cpus.div_ceil(room.processors.max(1)).max(1),
        }
    }
}

/// Whether there is room for a worker beside the control planes.
fn fits(asked: Asked, room: Room) -> bool {
    let memory = |least: u32| asked.memory.unwrap_or(least);
    let planes = u32::from(asked.control_planes).saturating_mul(memory(LEAST_PLANE));
    let needed = planes.saturating_add(memory(LEAST_WORKER));
    room.processors >= LEAST_CPUS && room.memory >= needed.saturating_add(KEPT)
}

fn processors_of(count: u32) -> String {
    output::counted(count.try_into().unwrap_or(usize::MAX), "processor")
}

/// So many machines of a kind, in words.
fn of(count: u8, kind: &str, Machine { cpus, memory }: Machine) -> String {
    let machines = output::counted(count.into(), kind);
    let each = if count == 1 { "" } else { " each" };
    format!(
        "{machines} with {} and {memory} MiB{each}",
        processors_of(cpus)
    )
}

impl Asked {
    /// What was said, or this.
    fn or(self, machine: Machine) -> Machine {
        Machine {
            cpus: self.cpus.unwrap_or(machine.cpus),
            memory: self.memory.unwrap_or(machine.memory),
        }
    }
}

/// How much longer things take than on an idle host whose processor runs machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    accel: Accel,
    /// How many processors of machines share one of this computer's.
    crowd: u32,
}

impl Patience {
    /// A time measured there, made fit for here.
    pub(super) fn scale(self, time: Duration) -> Duration {
        self.accel.scale(time) * self.crowd
    }
}

#[cfg(test)]
mod tests;
