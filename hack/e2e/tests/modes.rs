//! Configs that are tried, staged and undone, and one that comes with the machine.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Result, bail, ensure};
use e2e::{Lab, Node, places};
use provision::{Boot, Disk, Medium};
use serde_json::Value;

const MEMORY: u32 = 512;

const DISK: u64 = 4 << 30;

const SYSTEM_DISK: &str =
    "---\napiVersion: garboard/v1alpha1\nkind: SystemDisk\nmatch: serial == \"system\"\n";

/// By gzip and base64: a Hostname document with the name `argued`.
const ARGUED: &str = "H4sIAAAAAAACA0ssyAxLLSrOzM+zUkhPLErKTyxK0S8zTMwpyEg05MrOzEuxUvDILy7JS8xN5cqAMqwUEovSS1NTuADt3ABpPgAAAA==";

#[test]
fn a_trial_ends_by_itself_or_with_the_power_and_what_is_staged_waits() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    vm.disks.push(Disk::system(DISK));
    let mut node = lab.node(&image, vm)?;
    node.configure_with(SYSTEM_DISK)?;
    kept(&lab)?;
    let api = node.api()?;
    for name in ["tried", "staged"] {
        rename(&lab, name)?;
    }

    give(
        &lab,
        api,
        "tried",
        "--mode try --for 10s",
        "trying generation",
    )?;
    // Whether somebody saw the name in these seconds says nothing.
    lab.osctl_until(&format!("config history -o json -n {api}"), |said| {
        said.contains("\"rolled-back\"")
    })?;
    is_called(&lab, api, "node")?;
    ensure!(states(&lab, api)? == ["active", "rolled-back"]);

    give(
        &lab,
        api,
        "tried",
        "--mode try --for 12h",
        "trying generation",
    )?;
    is_called(&lab, api, "tried")?;
    node.power_cut()?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    is_called(&lab, api, "node")?;

    give(
        &lab,
        api,
        "tried",
        "--mode try --for 12h",
        "trying generation",
    )?;
    is_called(&lab, api, "tried")?;
    lab.osctl(&format!("config confirm -n {api}"))?.fine()?;
    staged(&lab, &mut node)
}

/// It waits for the next boot, and is undone after that.
fn staged(lab: &Lab, node: &mut Node<'_>) -> Result<()> {
    let api = node.api()?;
    give(lab, api, "staged", "--mode staged", "for the next boot")?;
    let staged = states(lab, api)?;
    ensure!(
        staged.ends_with(&["active".to_owned(), "staged".to_owned()]),
        "{staged:?}"
    );
    is_called(lab, api, "tried")?;
    node.power_cut()?;
    node.start()?.says("Linux version", lab.boot_deadline())?;
    is_called(lab, api, "staged")?;

    let undone = lab.osctl(&format!("config rollback -n {api}"))?.fine()?;
    ensure!(undone.contains("change Hostname"), "{undone}");
    is_called(lab, api, "tried")?;
    let diff = lab.osctl(&format!("config diff -n {api}"))?;
    ensure!(
        diff.code == Some(3) && diff.out.contains("-hostname: staged\n+hostname: tried"),
        "{diff:?}"
    );
    Ok(())
}

#[test]
fn a_config_on_the_kernels_command_line_is_taken() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    let Boot::Direct { cmdline, .. } = &mut vm.boot else {
        bail!("the machine does not start directly");
    };
    cmdline.push_str(&format!(" garboard.config=base64:{ARGUED}"));
    let mut node = lab.node(&image, vm)?;
    node.shows("argued", lab.boot_deadline(), |facts| {
        facts.name.as_deref() == Some("argued")
    })?;
    // It names no authority, so a person is still waited for.
    node.maintenance().map(drop)
}

/// Waits until configs are kept on the node's disk.
fn kept(lab: &Lab) -> Result<()> {
    lab.osctl_until("get conditions -o json", |said| {
        said.contains("kept on STATE")
    })
    .map(drop)
}

/// Writes the node's config with another name.
fn rename(lab: &Lab, name: &str) -> Result<()> {
    let text = fs::read_to_string(lab.home().join("node.yaml"))?;
    ensure!(text.contains("hostname: node\n"), "{text}");
    let text = text.replace("hostname: node\n", &format!("hostname: {name}\n"));
    Ok(fs::write(lab.home().join(format!("{name}.yaml")), text)?)
}

/// Applies one of these, by address: the certificate goes with the name.
fn give(lab: &Lab, api: SocketAddr, name: &str, how: &str, said: &str) -> Result<()> {
    let line = format!("config apply -n {api} --file {name}.yaml {how}");
    let applied = lab.osctl(&line)?.fine()?;
    ensure!(applied.contains(said), "{applied}");
    Ok(())
}

fn is_called(lab: &Lab, api: SocketAddr, name: &str) -> Result<()> {
    let wanted = format!("\"hostname\": \"{name}\"");
    lab.osctl_until(&format!("version -o json -n {api}"), |said| {
        said.contains(&wanted)
    })
    .map(drop)
}

/// What every kept generation is, oldest first.
fn states(lab: &Lab, api: SocketAddr) -> Result<Vec<String>> {
    let said = lab
        .osctl(&format!("config history -o json -n {api}"))?
        .fine()?;
    let nodes: Value = serde_json::from_str(&said)?;
    let all = nodes.pointer("/0/generations").and_then(Value::as_array);
    let states = all.into_iter().flatten().filter_map(|it| it.get("state"));
    Ok(states
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect())
}
