//! The worker loses its disk, and with it the key that its name belongs to: it is a stranger then, and gets in by what is true alone.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use e2e::kubectl::is_ready;
use provision::{Deadline, Facts};

use crate::machines::{CLUSTER, Machines, PLANE, READY, WORKER};

/// What each stranger brings, and what he is told.
const STRANGERS: [(&str, bool, &str); 3] = [
    (WORKER, false, "wrong token"),
    (PLANE, true, "is a name of the control plane"),
    (WORKER, true, "belongs to a machine with another key"),
];

/// They are refused, and the last of them is let in when the cluster has forgotten who had the name.
pub(crate) fn are_judged(machines: &mut Machines<'_>) -> Result<()> {
    let lab = machines.lab;
    lab.osctl(&format!("reset --wait --disk system -n {WORKER}"))?
        .fine()?;
    for (name, token, told) in STRANGERS {
        stranger(machines, name, token, told)
            .with_context(|| format!("{name}, the token is right: {token}"))?;
        audited(machines, name, told)?;
    }
    machines.kubectl.run(&format!("delete node {WORKER}"))?;
    machines
        .kubectl
        .until(&format!("get node {WORKER}"), is_ready)
        .map(drop)
}

/// Gives the machine such a config; it says why it is refused.
fn stranger(machines: &mut Machines<'_>, name: &str, token: bool, told: &str) -> Result<()> {
    let lab = machines.lab;
    let cluster = lab.clusters().open(&CLUSTER.parse()?)?;
    let own = cluster.folder().join("secrets.yaml");
    let secrets = lab.home().join("secrets-of-stranger.yaml");
    let text = fs::read_to_string(own).context("reading the secrets")?;
    fs::write(&secrets, if token { text } else { other_token(&text)? })?;
    let make = format!("gen config {name} --role worker --file stranger.yaml --force --secrets");
    let words = make.split(' ').map(str::to_owned);
    let more = [
        secrets.display().to_string(),
        "--system-disk".to_owned(),
        "serial == \"system\"".to_owned(),
    ];
    lab.osctl_with(words.chain(more))?.fine()?;
    let deadline = Deadline::after(lab.patience(READY));
    let node = machines.node_mut(WORKER)?;
    let listens = |it: &Facts| it.pairing.is_some() && it.api.is_some();
    let facts = node.shows("waiting to be paired with", deadline, listens)?;
    let pairing = facts.pairing.context("a pairing string")?;
    let (api, pairing) = (node.api()?, pairing.as_str());
    lab.osctl(&format!(
        "apply --file stranger.yaml --nodes {api} --pairing {pairing}"
    ))?
    .fine()?;
    let refused = |it: &Facts| it.waiting.iter().any(|it| it.contains(told));
    node.shows("refused", deadline, refused).map(drop)
}

/// The secrets with another token: the same characters in another order, but for the last one, of which not every bit counts.
fn other_token(secrets: &str) -> Result<String> {
    let ours = secrets.split("joinToken: ").nth(1);
    let ours = ours.and_then(|it| it.lines().next());
    let ours = ours.context("the secrets have no token")?;
    let (most, last) = ours
        .split_at_checked(ours.len().saturating_sub(2))
        .context("a token is ASCII")?;
    let other: String = most.chars().rev().collect();
    Ok(secrets.replace(ours, &format!("{other}{last}")))
}

/// The control plane wrote down who was refused, and why.
fn audited(machines: &Machines<'_>, name: &str, told: &str) -> Result<()> {
    let line = format!("logs machined -n {PLANE}");
    let record = |it: &str| {
        it.contains("audit")
            && it.contains("JoinService/Issue")
            && it.contains(name)
            && it.contains(told)
    };
    let said = machines.lab.osctl(&line)?.fine()?;
    ensure!(said.lines().any(record), "no record of {told:?}");
    Ok(())
}
