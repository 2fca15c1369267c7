//! Callers in bad faith, or just many: the node stays reachable for others.

mod client;

use std::fs;

use anyhow::{Context, Result, ensure};
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{DmesgRequest, EventsRequest, LogsRequest};
use e2e::{Agent, Lab, Node, agent, places};
use provision::Medium;
use provision::spec::API_PORT;

const MEMORY: u32 = 512;

/// Connections from the machine itself, which costs no port of this host.
const CROWD: usize = 10_000;

/// Callers with three streams each that they do not read.
const DEAF: usize = 30;

/// How much machined may hold after all that, in KiB: several times what it does.
const MOST_MEMORY: u64 = 64 << 10;

#[test]
fn ten_thousand_connections_and_those_who_never_read() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.configure()?;
    let process = agent.ask_one("pid machined")?;

    // Some at a time: each answer of the agent is waited for.
    for _ in 0..10 {
        agent.ask(&format!("flood {API_PORT} {}", CROWD / 10))?;
        lab.osctl("version")?
            .fine()
            .context("while ten thousand connect")?;
    }
    agent.ask("ebb")?;

    deaf_readers(&lab, &node)?;
    ensure!(
        memory(&mut agent)? < MOST_MEMORY,
        "machined holds {} KiB",
        memory(&mut agent)?
    );
    ensure!(
        agent.ask_one("pid machined")? == process,
        "machined did not live through it"
    );
    Ok(())
}

/// Readers with room for next to nothing, while the node has something to tell.
fn deaf_readers(lab: &Lab, node: &Node<'_>) -> Result<()> {
    let secrets = client::Secrets::read(lab)?;
    let (config, api) = (secrets.admin()?, node.api()?);
    client::block_on(lab, async {
        let mut held = Vec::new();
        for _ in 0..DEAF {
            // Each on a connection of its own: what one connection may have at once is limited.
            let channel = client::channel(config.clone(), "node", api).await?;
            let mut calls = MachineServiceClient::new(channel);
            let events = calls
                .events(EventsRequest {
                    follow: true,
                    ..EventsRequest::default()
                })
                .await?;
            let dmesg = calls
                .dmesg(DmesgRequest {
                    follow: true,
                    ..DmesgRequest::default()
                })
                .await?;
            let logs = LogsRequest {
                service: "machined".to_owned(),
                follow: true,
                ..LogsRequest::default()
            };
            held.push((events, dmesg, calls.logs(logs).await?));
        }
        // osctl is a program of its own, so this thread may wait for it.
        for number in 0..20 {
            let file = lab.home().join("node.yaml");
            let text = fs::read_to_string(&file)?;
            let (from, to) = if number % 2 == 0 {
                ("node", "other")
            } else {
                ("other", "node")
            };
            fs::write(
                &file,
                text.replace(&format!("hostname: {from}"), &format!("hostname: {to}")),
            )?;
            lab.osctl(&format!("apply --file node.yaml -n {api}"))?
                .fine()?;
        }
        let last = lab.osctl(&format!("events --tail 3 -n {api}"))?.fine()?;
        ensure!(last.lines().count() == 3, "{last}");
        drop(held);
        Ok(())
    })
}

/// The resident memory of machined in KiB.
fn memory(agent: &mut Agent) -> Result<u64> {
    let all = agent.ask("rss")?;
    let line = all
        .iter()
        .find(|line| line.starts_with("machined "))
        .context("machined")?;
    let word = line.split(' ').find_map(|word| word.strip_prefix("rss="));
    Ok(word.context("its memory")?.parse()?)
}
