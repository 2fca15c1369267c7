//! What protects a node that has no config yet, and what it needs not to have.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::{Agent, Lab, Node, agent, places};
use provision::{Boot, Deadline, Facts, Medium, VmSpec};

const MEMORY: u32 = 512;

/// The secrets that a pairing string has room for before it is replaced.
const TRIES: usize = 5;

fn direct() -> Result<VmSpec> {
    let image = places::cloud()?;
    Ok(image.vm("node".parse()?, MEMORY, Medium::Direct, false)?)
}

fn start(lab: &Lab, vm: VmSpec) -> Result<Node<'_>> {
    lab.node(&places::cloud()?, vm)
}

/// Another pairing string: one group replaced by the same letters in the alphabet's next place.
fn altered(pairing: &str, group: usize) -> String {
    let mut groups: Vec<String> = pairing.split('-').map(str::to_owned).collect();
    if let Some(group) = groups.get_mut(group) {
        *group = if group == "0000" { "1111" } else { "0000" }.to_owned();
    }
    groups.join("-")
}

fn apply(lab: &Lab, node: &Node<'_>, pairing: &str) -> Result<e2e::Said> {
    let api = node.api()?;
    lab.osctl(&format!(
        "apply --file node.yaml --nodes {api} --pairing {pairing}"
    ))
}

fn documents(lab: &Lab) -> Result<()> {
    lab.osctl("gen secrets --file secrets.yaml")?.fine()?;
    lab.osctl("gen config node --file node.yaml")?.fine()?;
    Ok(())
}

#[test]
fn a_key_that_is_not_the_nodes_gets_no_secret() -> Result<()> {
    let lab = Lab::new(1)?;
    documents(&lab)?;
    let mut node = start(&lab, direct()?)?;
    let pairing = node.pairing()?;
    // What an operator sees when somebody else answers in the node's place: the string's first half does not fit.
    for _ in 0..=TRIES {
        apply(&lab, &node, &altered(&pairing, 0))?.refused()?;
    }
    let after = node.pairing()?;
    ensure!(
        after == pairing,
        "no try reached the node, so the string stays"
    );
    apply(&lab, &node, &pairing)?.fine()?;
    Ok(())
}

#[test]
fn wrong_secrets_are_refused_and_five_make_a_new_one() -> Result<()> {
    let lab = Lab::new(1)?;
    documents(&lab)?;
    let mut node = start(&lab, direct()?)?;
    let pairing = node.pairing()?;
    for _ in 0..TRIES {
        apply(&lab, &node, &altered(&pairing, 5))?.refused()?;
    }
    let facts = node.shows(
        "showing a new pairing string",
        lab.change_deadline(),
        |facts| {
            let shown = facts.pairing.as_ref().map(provision::Pairing::as_str);
            shown.is_some_and(|shown| shown != pairing)
        },
    )?;
    apply(&lab, &node, &pairing)?.refused()?;
    let fresh = facts.pairing.context("a new string")?;
    apply(&lab, &node, fresh.as_str())?.fine()?;
    Ok(())
}

/// Pairing carries the operator's time, so a certificate made now holds on a machine whose clock is far off.
fn clock(says: &str) -> Result<()> {
    let lab = Lab::new(1)?;
    let mut vm = direct()?;
    vm.clock = Some(says.to_owned());
    start(&lab, vm)?.configure()?;
    Ok(())
}

#[test]
fn a_clock_that_says_1970() -> Result<()> {
    clock("1970-01-01T00:00:00")
}

#[test]
fn a_clock_that_says_2099() -> Result<()> {
    clock("2099-01-01T00:00:00")
}

#[test]
fn without_a_dhcp_answer_the_node_waits_and_takes_a_late_one() -> Result<()> {
    let lab = Lab::new(1)?;
    let mut vm = direct()?;
    vm.cut = true;
    let mut node = start(&lab, vm)?;
    node.shows(
        "in maintenance without an address",
        lab.boot_deadline(),
        |facts| facts.stage.as_deref() == Some("maintenance") && facts.pairing.is_some(),
    )?;
    let name = node.name.clone();
    node.cluster.restore(&name)?;
    // Tries are up to a minute apart by then (RFC 2131 §4.1: 64 s).
    let late = Deadline::after(Duration::from_secs(70) + lab.patience(Duration::from_secs(10)));
    let facts = node.shows("given an address", late, |facts| facts.ipv4().is_some())?;
    ensure!(facts.ipv4() == node.cluster.vm(&name)?.lease);
    node.configure()?;
    Ok(())
}

#[test]
fn asked_for_on_the_command_line_it_waits_whatever_the_keyboard_says() -> Result<()> {
    let lab = Lab::new(1)?;
    let mut vm = direct()?;
    agent::equip(&lab, &mut vm)?;
    let Boot::Direct { cmdline, .. } = &mut vm.boot else {
        bail!("this machine boots otherwise");
    };
    cmdline.push_str(" garboard.mode=maintenance");
    let mut node = start(&lab, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    let pairing = waits_as_asked(&lab, &mut node)?;
    let process = agent.ask_one("pid machined")?;

    // The echo says that the line has made of it what it makes of it; the enter after it ends what is echoed.
    let mut keyboard = node.keyboard()?;
    node.after(|_, _| keyboard.types(b"\x03\n"))?
        .says("^C", lab.change_deadline())?;
    // What is read from here on is read by its letters.
    drop(keyboard);
    partial(&lab, &mut node, &pairing)?;
    ensure!(
        agent.ask_one("pid machined")? == process,
        "Ctrl-C on the console ended machined"
    );

    let deadline = lab.boot_deadline();
    let mut said = node.after(|cluster, name| Ok(cluster.ctrl_alt_delete(name)?))?;
    // In order: the daemons are told, the disks are synced, and then it starts again.
    said.says("init: syncing disks", deadline)?;
    said.says("init: reboot at the end of everything", deadline)?;
    said.says("reboot: Restarting system", deadline)?;
    said.says("Linux version", deadline)?;
    waits_as_asked(&lab, &mut node)?;
    // A config that is given after it was asked to wait is run.
    node.configure()?;
    Ok(())
}

/// Waits until it is in maintenance for the kernel command line's sake; gives the pairing string.
fn waits_as_asked(lab: &Lab, node: &mut Node<'_>) -> Result<String> {
    let asked = |text: &String| text.contains("asked for on the kernel command line");
    node.shows(
        "waiting as it was asked to",
        lab.boot_deadline(),
        |facts: &Facts| facts.waiting.iter().any(asked),
    )?;
    node.pairing()
}

/// A config that says who the node is, but not who may call it, leaves it in maintenance with the way in that it had.
fn partial(lab: &Lab, node: &mut Node<'_>, pairing: &str) -> Result<()> {
    let api = node.api()?;
    for (name, generation) in [("partial", 1), ("again", 2)] {
        fs::write(
            lab.home().join("partial.yaml"),
            format!("apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: {name}\n"),
        )?;
        let applied = lab
            .osctl(&format!(
                "apply --file partial.yaml --nodes {api} --pairing {pairing}"
            ))?
            .fine()?;
        ensure!(
            applied.contains(&format!("applied generation {generation}")),
            "{applied}"
        );
        let facts = node.shows(
            "called by its new name and waiting",
            lab.change_deadline(),
            |facts| facts.name.as_deref() == Some(name) && facts.pairing.is_some(),
        )?;
        let shown = facts.pairing.as_ref().map(provision::Pairing::as_str);
        ensure!(
            shown == Some(pairing) && facts.stage.as_deref() == Some("maintenance"),
            "not with the pairing string as before: {facts:?}"
        );
    }
    Ok(())
}
