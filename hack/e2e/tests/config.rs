//! What an operator does with the config of a node, and what the node makes of it.

mod client;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use api::v1alpha1::ApplyConfigRequest;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use e2e::{Agent, Lab, Node, agent, loss, places};
use provision::Medium;
use tonic::Code;

const MEMORY: u32 = 512;

/// An address of the cluster's network that its DHCP server does not give.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 99);

#[test]
fn a_static_address_a_new_name_and_what_is_refused() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    first(&lab, &mut node)?;
    let api = node.api()?;

    lab.osctl_until("get addresses -o json", |said| {
        said.contains("10.0.2.99/24")
    })?;
    let leased = node.cluster.vm(&node.name)?.lease.context("a lease")?;
    let leased = leased.to_string();
    // DHCP is off on a link with an address of its own.
    lab.osctl_until("get addresses -o json", |said| !said.contains(&leased))?;
    lab.osctl_until("get links eth0 -o json", |said| {
        said.contains("\"mtu\": 1400")
    })?;

    watched(&lab, &mut node)?;
    refused(&lab, node.api()?)?;
    agent.ask("monitor")?;
    for daemon in ["networkd", "machined"] {
        loss::kill(&lab, &mut agent, daemon)?;
        loss::nothing_was_removed(&mut agent).with_context(|| format!("{daemon} was killed"))?;
    }

    // By address from here on: the certificate goes with the name.
    edit(&lab, "hostname: node", "hostname: renamed")?;
    let dry = lab.osctl("apply --dry-run --file node.yaml")?;
    ensure!(
        dry.code == Some(3)
            && dry.out.contains("nothing was changed")
            && dry.out.contains("change Hostname"),
        "{dry:?}"
    );
    let version = lab.osctl("version -o json")?.fine()?;
    ensure!(
        version.contains("\"hostname\": \"node\""),
        "a dry run changed the name: {version}"
    );
    let second = lab.osctl("apply --file node.yaml")?.fine()?;
    ensure!(
        second.contains("applied generation 2") && second.contains("change Hostname"),
        "{second}"
    );
    lab.osctl_until(&format!("version -o json -n {api}"), |said| {
        said.contains("\"hostname\": \"renamed\"")
    })?;
    node.shows("renamed", lab.change_deadline(), |facts| {
        facts.name.as_deref() == Some("renamed")
    })?;
    let again = lab
        .osctl(&format!("apply --file node.yaml -n {api}"))?
        .fine()?;
    ensure!(!again.contains("change Hostname"), "{again}");
    patched(&lab, api)
}

/// A patch is tried, then made, and changes nothing the second time.
fn patched(lab: &Lab, api: SocketAddr) -> Result<()> {
    let patch = r#"{"kind":"Hostname","hostname":"patched"}"#;
    let tried = lab.osctl(&format!("config patch --dry-run -n {api} -p {patch}"))?;
    ensure!(
        tried.code == Some(3) && tried.out.contains("-hostname: renamed\n+hostname: patched"),
        "{tried:?}"
    );
    for expected in ["applied generation 3", "generation 3 runs"] {
        let said = lab.osctl(&format!("config patch -n {api} -p {patch}"))?;
        let said = said.fine()?;
        ensure!(said.contains(expected), "{said}");
    }
    let named = |said: &str| said.contains("\"hostname\": \"patched\"");
    lab.osctl_until(&format!("version -o json -n {api}"), named)
        .map(drop)
}

/// The first config, with an address that is not the leased one, so that the way to the node changes under way.
fn first(lab: &Lab, node: &mut Node<'_>) -> Result<()> {
    let (pairing, api) = (node.pairing()?, node.api()?);
    lab.osctl("gen secrets")?.fine()?;
    lab.osctl("gen config node")?.fine()?;
    lab.osctl(&format!("gen crt --name node --node node={api}"))?
        .fine()?;
    let file = lab.home().join("node.yaml");
    let mut documents = fs::read_to_string(&file)?;
    documents.push_str(
        "---\napiVersion: garboard/v1alpha1\nkind: Link\nname: eth0\nmtu: 1400\naddresses:\n  - 10.0.2.99/24\n\
         routes:\n  - to: 0.0.0.0/0\n    via: 10.0.2.2\n",
    );
    fs::write(&file, documents)?;
    let applied = lab
        .osctl(&format!(
            "apply --file node.yaml -n {api} --pairing {pairing}"
        ))?
        .fine()?;
    ensure!(applied.contains("applied generation 1"), "{applied}");
    ensure!(applied.contains("create Link `eth0`"), "{applied}");
    let name = node.name.clone();
    node.cluster.redirect(&name, ADDRESS)?;
    let named = |said: &str| said.contains("\"hostname\": \"node\"");
    lab.osctl_until("version -o json", named).map(drop)
}

/// A card that loses its carrier and finds it again is seen by who watches.
fn watched(lab: &Lab, node: &mut Node<'_>) -> Result<()> {
    let watch = lab.start_osctl("get links eth0 --watch", true)?;
    let first = watch.says("eth0", lab.change_deadline())?;
    ensure!(first.contains("up "), "{first}");
    // It was drawn as down while the machine booted. Only the last drawing has the new address, and not the leased one.
    node.shows("drawn with eth0 up", lab.change_deadline(), |facts| {
        let up = facts.links.get("eth0").is_some_and(|state| state == "up");
        up && facts.ipv4() == Some(ADDRESS)
    })?;
    node.after(|cluster, name| Ok(cluster.carrier(name, false)?))?
        .says("link eth0 down", lab.change_deadline())?;
    // What it says of it over the network comes when the way is there again.
    let name = node.name.clone();
    node.cluster.carrier(&name, true)?;
    let down = watch.says("down", lab.change_deadline())?;
    ensure!(down.starts_with("updated"), "{down}");
    watch.says("up ", lab.change_deadline())?;
    Ok(())
}

/// By osctl before it is sent; by the node when something else sends it.
fn refused(lab: &Lab, api: SocketAddr) -> Result<()> {
    let good = fs::read_to_string(lab.home().join("node.yaml"))?;
    let line = good.lines().count() + 4;
    let bad = format!("{good}---\napiVersion: garboard/v1alpha1\nkind: Hostname\nhostnam: other\n");
    fs::write(lab.home().join("bad.yaml"), &bad)?;
    let why = lab.osctl("apply --file bad.yaml")?.refused()?;
    ensure!(why.contains(&format!("bad.yaml:{line}:1")), "{why}");
    ensure!(
        why.contains("hostname"),
        "the nearest name is missing: {why}"
    );
    let config = client::Secrets::read(lab)?.admin()?;
    let status = client::block_on(lab, async {
        let mut calls = MachineServiceClient::new(client::channel(config, "node", api).await?);
        let documents = bad.into_bytes();
        let request = ApplyConfigRequest {
            documents,
            ..ApplyConfigRequest::default()
        };
        calls
            .apply_config(request)
            .await
            .err()
            .context("the node took it")
    })?;
    ensure!(status.code() == Code::InvalidArgument, "{status:?}");
    ensure!(
        status.message().contains(&format!("{line}:1")),
        "{status:?}"
    );
    Ok(())
}

fn edit(lab: &Lab, from: &str, to: &str) -> Result<()> {
    let file = lab.home().join("node.yaml");
    let text = fs::read_to_string(&file)?;
    ensure!(text.contains(from), "{from:?} is not in {text}");
    fs::write(&file, text.replace(from, to))?;
    Ok(())
}
