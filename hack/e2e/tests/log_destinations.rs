//! A node sends its logs to others, who may be away for a while.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::collector::{Collector, Protocol};
use e2e::{Agent, Lab, agent, loss, places};
use jiff::Timestamp;
use provision::{Deadline, Medium};
use serde_json::Value;

const MEMORY: u32 = 512;

/// The longest that a node waits before it calls again.
const PAUSE: Duration = Duration::from_secs(60);

/// What the kernel's log can be written to with.
const KERNEL: &str = "/dev/kmsg";

#[test]
fn lines_of_the_kernel_and_of_services_arrive_also_after_their_receiver_was_away() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let (mut tcp, mut udp) = (
        Collector::new(Protocol::Tcp)?,
        Collector::new(Protocol::Udp)?,
    );
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.open_node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    let documents = [("by-tcp", &tcp), ("by-udp", &udp)]
        .map(|(name, to)| destination(name, &to.url()))
        .concat();
    node.configure_with(&documents)?;

    // First comes what there still is of this boot.
    let first = [("kernel", "Linux version"), ("networkd", "start")];
    for line in tcp.hears(late(&lab), first)? {
        is_whole(&line, "by-tcp")?;
    }
    is(&lab, "by-tcp", "connected")?;
    mark(&mut agent, "while-there")?;
    tcp.hears(late(&lab), [("kernel", "while-there")])?;
    is_whole(
        &heard_by_udp(&lab, &mut agent, &udp, "in-a-packet")?,
        "by-udp",
    )?;

    tcp.leave();
    udp.leave();
    is(&lab, "by-tcp", "failed")?;
    mark(&mut agent, "while-away")?;
    loss::kill(&lab, &mut agent, "networkd")?;
    tcp.come_back()?;
    udp.come_back()?;
    tcp.hears(
        late(&lab),
        [("kernel", "while-away"), ("networkd", "start")],
    )?;
    is(&lab, "by-tcp", "connected")?;
    mark(&mut agent, "there-again")?;
    tcp.hears(late(&lab), [("kernel", "there-again")])?;
    heard_by_udp(&lab, &mut agent, &udp, "packets-again")?;

    // No receiver was away so long that a line had no room to wait.
    let shown = lab.osctl("get logdestinations by-tcp -o json")?.fine()?;
    ensure!(shown.contains("\"lost\": 0"), "{shown}");
    Ok(())
}

/// A document that sends everything there, with its own name on it.
fn destination(name: &str, url: &str) -> String {
    format!(
        "---\napiVersion: garboard/v1alpha1\nkind: LogDestination\nname: {name}\nurl: {url}\ntags: {{to: {name}}}\n"
    )
}

/// Writes a line to the kernel's log.
fn mark(agent: &mut Agent, word: &str) -> Result<()> {
    agent.ask(&format!("write {KERNEL} {word}")).map(drop)
}

/// Waits for a line by UDP, which may lose each of them: another is written until one arrives.
fn heard_by_udp(lab: &Lab, agent: &mut Agent, udp: &Collector, word: &str) -> Result<Value> {
    let mut last = None;
    let heard = late(lab).until(|| {
        let soon = Deadline::after(Duration::from_secs(1));
        let heard = mark(agent, word).and_then(|()| udp.hears(soon, [("kernel", word)]));
        let [line] = heard.map_err(|error| last = Some(error)).ok()?;
        Some(line)
    });
    heard.with_context(|| format!("{last:?}"))
}

/// Whether a line has all that every line has.
fn is_whole(line: &Value, to: &str) -> Result<()> {
    let field = |name| {
        let field = line.get(name).and_then(Value::as_str);
        field.with_context(|| format!("{name} of {line}"))
    };
    field("time")?.parse::<Timestamp>()?;
    ensure!(
        field("node")? == "node" && field("to")? == to && !field("level")?.is_empty(),
        "{line}"
    );
    Ok(())
}

/// Waits until the node says that of a destination.
fn is(lab: &Lab, name: &str, state: &str) -> Result<()> {
    let wanted = format!("\"state\": \"{state}\"");
    let line = format!("get logdestinations {name} -o json");
    lab.osctl_within(late(lab), &line, |said| said.contains(&wanted))
        .map(drop)
}

fn late(lab: &Lab) -> Deadline {
    Deadline::after(PAUSE + lab.patience(PAUSE))
}
