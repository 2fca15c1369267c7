//! What our processes weigh when nothing happens, and the smallest machine that a node comes up in.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Agent, Lab, Node, agent, places};
use provision::{Deadline, Disk, Image, Medium, VmSpec};

use crate::row::Row;

/// How long a node is left alone before it is looked at.
const IDLE: Duration = Duration::from_secs(120);
/// The machine whose processes are looked at.
const MEMORY: u32 = 512;
/// Machines that are tried, in MiB: in steps below which nobody sizes machines.
const STEP: u32 = 32;
const LEAST: u32 = 64;
const MOST: u32 = 512;
/// What is ours.
const PROCESSES: [&str; 3] = ["init", "machined", "networkd"];

/// The node's disk: room for its partitions, and a file with holes on the host.
const DISK: u64 = 4 << 30;

/// One document of every kind that makes a node keep something, listen or ask. The server is nobody's (RFC 5737), so the
/// clock is asked for again and again.
const EVERYTHING: &str = "---
apiVersion: garboard/v1alpha1
kind: SystemDisk
match: serial == \"system\"
---
apiVersion: garboard/v1alpha1
kind: Time
servers: [192.0.2.1, 192.0.2.2, 192.0.2.3]
---
apiVersion: garboard/v1alpha1
kind: Resolver
servers: [192.0.2.53]
---
apiVersion: garboard/v1alpha1
kind: StaticHost
name: registry.example.org
addresses: [192.0.2.5]
---
apiVersion: garboard/v1alpha1
kind: Sysctl
name: net.core.somaxconn
value: 32768
";

/// What a node is given.
#[derive(Clone, Copy, Debug)]
enum Load {
    /// The smallest config, and no disk.
    Least,
    /// A disk, and all that a config can ask for.
    Everything,
}

impl Load {
    /// A machine for it.
    fn machine(self, image: &Image, name: &str, memory: u32) -> Result<VmSpec> {
        let mut vm = image.vm(name.parse()?, memory, Medium::Direct, false)?;
        match self {
            Self::Least => {}
            Self::Everything => vm.disks.push(Disk::system(DISK)),
        }
        Ok(vm)
    }

    /// Gives a node its config, and waits until it has what that asks for.
    fn give(self, lab: &Lab, node: &mut Node<'_>) -> Result<()> {
        match self {
            Self::Least => node.configure().map(drop),
            Self::Everything => {
                node.configure_with(EVERYTHING)?;
                ["STATE", "EPHEMERAL"].into_iter().try_for_each(|volume| {
                    let ready = |said: &str| said.contains("\"phase\": \"ready\"");
                    let line = format!("get volumes {volume} -o json");
                    lab.osctl_until(&line, ready).map(drop)
                })
            }
        }
    }
}

pub(crate) fn measure() -> Result<Vec<Row>> {
    let mut rows = weigh("memory", Load::Least)?;
    rows.extend(weigh("memory.full", Load::Everything)?);
    for (name, load) in [
        ("memory.machine", Load::Least),
        ("memory.machine.disk", Load::Everything),
    ] {
        let bytes = u64::from(smallest(load)?) << 20;
        rows.push(Row::bytes(name, bytes).budget(256.0));
    }
    Ok(rows)
}

/// The processes of a node that runs its config and has been left alone.
fn weigh(prefix: &str, load: Load) -> Result<Vec<Row>> {
    let image = places::cloud()?;
    let lab = Lab::new(1)?.quiet();
    let mut vm = load.machine(&image, "idle", MEMORY)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    load.give(&lab, &mut node)?;
    let mut agent = Agent::meet(&lab, &node)?;
    Deadline::after(IDLE).until(|| None::<()>);
    rows(prefix, &agent.ask("rss")?)
}

/// What the agent says of all processes, as rows about ours.
fn rows(prefix: &str, told: &[String]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut sum = 0;
    for name in PROCESSES {
        let weight = told
            .iter()
            .filter_map(|line| Weight::parse(line))
            .find(|it| it.name == name);
        let weight = weight.with_context(|| format!("no {name} among {told:?}"))?;
        sum += weight.proportional;
        rows.push(Row::bytes(
            format!("{prefix}.pss.{name}"),
            weight.proportional,
        ));
        let resident = Row::bytes(format!("{prefix}.rss.{name}"), weight.resident);
        rows.push(if name == "init" {
            resident.budget(2.0)
        } else {
            resident
        });
    }
    rows.push(Row::bytes(format!("{prefix}.pss"), sum).budget(24.0));
    Ok(rows)
}

/// A line of the agent's: `NAME PID rss=KIB pss=KIB`.
pub(crate) struct Weight<'a> {
    /// The name that the kernel knows.
    pub(crate) name: &'a str,
    /// What of it is in memory, in bytes.
    pub(crate) resident: u64,
    /// Its share of that, in bytes.
    pub(crate) proportional: u64,
}

impl<'a> Weight<'a> {
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let name = words.next()?;
        let (_, resident, proportional) = (words.next()?, words.next()?, words.next()?);
        let bytes = |word: &str, key| Some(word.strip_prefix(key)?.parse::<u64>().ok()? << 10);
        Some(Self {
            name,
            resident: bytes(resident, "rss=")?,
            proportional: bytes(proportional, "pss=")?,
        })
    }
}

/// Halves the range until it is one step wide: a node that comes up in some memory does so in more.
fn smallest(load: Load) -> Result<u32> {
    ensure!(comes_up(load, MOST)?, "no node comes up in {MOST} MiB");
    least(|memory| comes_up(load, memory))
}

/// The least memory that works, which [`MOST`] does.
fn least(mut works: impl FnMut(u32) -> Result<bool>) -> Result<u32> {
    let (mut fails, mut enough) = (LEAST - STEP, MOST);
    while enough - fails > STEP {
        let middle = (fails + enough) / 2 / STEP * STEP;
        if works(middle)? {
            enough = middle;
        } else {
            fails = middle;
        }
    }
    Ok(enough)
}

/// Whether a node of this much memory takes a config and does what it asks for.
fn comes_up(load: Load, memory: u32) -> Result<bool> {
    let image = places::cloud()?;
    let lab = Lab::new(1)?.quiet();
    let vm = load.machine(&image, "small", memory)?;
    let mut node = lab.node(&image, vm)?;
    Ok(load.give(&lab, &mut node).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_agent_says() {
        let weight = Weight::parse("machined 71 rss=9000 pss=8192").unwrap();
        assert_eq!(
            (weight.name, weight.resident, weight.proportional),
            ("machined", 9000 << 10, 8 << 20)
        );
        assert!(Weight::parse("machined 71").is_none());
    }

    #[test]
    fn finds_the_least_memory_in_steps() {
        for enough in (LEAST..=MOST).step_by(32) {
            assert_eq!(least(|memory| Ok(memory >= enough)).unwrap(), enough);
            assert_eq!(least(|memory| Ok(memory > enough - STEP)).unwrap(), enough);
        }
    }

    #[test]
    fn adds_up_what_is_ours() {
        let told = [
            "init 1 rss=1024 pss=512",
            "agent 2 rss=9 pss=9",
            "machined 3 rss=4096 pss=2048",
        ];
        let told = [&told[..], &["networkd 4 rss=2048 pss=1024"]]
            .concat()
            .into_iter()
            .map(str::to_owned);
        let told: Vec<_> = told.collect();
        let last = rows("memory.full", &told).unwrap().pop();
        assert_eq!(
            last,
            Some(Row::bytes("memory.full.pss", 3584 << 10).budget(24.0))
        );
        assert!(rows("memory", &told[1..]).is_err(), "init is missing");
    }

    #[test]
    fn everything_is_a_right_config() {
        ::config::check("bench", EVERYTHING.as_bytes()).unwrap();
    }
}
