//! What our processes weigh when nothing happens, and the smallest machine that a node comes up in.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Agent, Lab, agent, places};
use provision::{Deadline, Medium};

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

pub(crate) fn measure() -> Result<Vec<Row>> {
    let mut rows = weigh()?;
    rows.push(Row::bytes("memory.machine", u64::from(smallest()?) << 20).budget(256.0));
    Ok(rows)
}

/// The processes of a node that runs a config and has been left alone.
fn weigh() -> Result<Vec<Row>> {
    let image = places::cloud()?;
    let lab = Lab::new(1)?.quiet();
    let mut vm = image.vm("idle".parse()?, MEMORY, Medium::Direct, false)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    node.configure()?;
    let mut agent = Agent::meet(&lab, &node)?;
    Deadline::after(IDLE).until(|| None::<()>);
    let told = agent.ask("rss")?;
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
            format!("memory.pss.{name}"),
            weight.proportional,
        ));
        let resident = Row::bytes(format!("memory.rss.{name}"), weight.resident);
        rows.push(if name == "init" {
            resident.budget(2.0)
        } else {
            resident
        });
    }
    rows.push(Row::bytes("memory.pss", sum).budget(24.0));
    Ok(rows)
}

/// A line of the agent's: `NAME PID rss=KIB pss=KIB`.
struct Weight<'a> {
    name: &'a str,
    resident: u64,
    proportional: u64,
}

impl<'a> Weight<'a> {
    fn parse(line: &'a str) -> Option<Self> {
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
fn smallest() -> Result<u32> {
    ensure!(comes_up(MOST)?, "no node comes up in {MOST} MiB");
    let (mut fails, mut works) = (LEAST - STEP, MOST);
    while works - fails > STEP {
        let middle = (fails + works) / 2 / STEP * STEP;
        if comes_up(middle)? {
            works = middle;
        } else {
            fails = middle;
        }
    }
    Ok(works)
}

/// Whether a node of this much memory takes a config and runs it.
fn comes_up(memory: u32) -> Result<bool> {
    let image = places::cloud()?;
    let lab = Lab::new(1)?.quiet();
    let vm = image.vm("small".parse()?, memory, Medium::Direct, false)?;
    let mut node = lab.node(&image, vm)?;
    Ok(node.configure().is_ok())
}

#[cfg(test)]
mod tests {
    use super::Weight;

    #[test]
    fn reads_what_the_agent_says() {
        let weight = Weight::parse("machined 71 rss=9000 pss=8192").unwrap();
        assert_eq!(
            (weight.name, weight.resident, weight.proportional),
            ("machined", 9000 << 10, 8 << 20)
        );
        assert!(Weight::parse("machined 71").is_none());
    }
}
