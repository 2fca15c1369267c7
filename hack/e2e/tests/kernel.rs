//! What a config says of the kernel, of names and of authorities holds, outlives the daemon, and goes with its documents.

use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::{Agent, Lab, agent, loss, places};
use jiff::Timestamp;
use pki::Authority;
use provision::Medium;

const MEMORY: u32 = 512;

/// A module that no device has and nothing on a node asks for, and a setting that comes with it.
const MODULE: &str = "nf_conntrack";
const ITS_SETTING: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// A setting that every kernel has, and what no kernel begins with.
const SETTING: &str = "/proc/sys/net/core/somaxconn";
const VALUE: &str = "12345";

/// Where programs look for authorities that they believe.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The documents that stay.
const STAYS: &str = "\
---
apiVersion: garboard/v1alpha1
kind: KernelModule
name: nf-conntrack
parameters: {acct: true}
---
apiVersion: garboard/v1alpha1
kind: KernelModule
name: nf_contrack
---
apiVersion: garboard/v1alpha1
kind: Sysctl
name: net.netfilter.nf_conntrack_max
value: 54321
---
apiVersion: garboard/v1alpha1
kind: StaticHost
name: registry.example.org
addresses: [10.0.2.77, \"fd00::77\"]
aliases: [registry]
";

/// The one that goes.
const GOES: &str = "\
---
apiVersion: garboard/v1alpha1
kind: Sysctl
name: net.core.somaxconn
value: 12345
";

#[test]
fn settings_modules_hosts_and_authorities_are_as_the_config_says() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.configure()?;
    let before = agent.ask_one(&format!("read {SETTING}"))?;
    ensure!(before != VALUE, "the kernel begins with {VALUE}");
    ensure!(
        !loaded(&mut agent)?,
        "{MODULE} is there before it was asked for"
    );
    let local = agent.ask("read /etc/hosts")?;

    let file = lab.home().join("node.yaml");
    let first = fs::read_to_string(&file)?;
    let root = Authority::generate("Corporate Root", Timestamp::now())?;
    let root = root.identity().certificate_pem().trim_end().to_owned();
    let stays = format!("{STAYS}{}", trusted(&root));
    fs::write(&file, format!("{first}{stays}{GOES}"))?;
    let applied = lab.osctl("apply --file node.yaml")?.fine()?;
    ensure!(
        applied.contains("create Sysctl `net.core.somaxconn`"),
        "{applied}"
    );
    is_told(&lab)?;
    is_there(&lab, &mut agent, &local)?;
    believes(&lab, &root)?;

    loss::kill(&lab, &mut agent, "machined")?;
    is_told(&lab)?;
    is_there(&lab, &mut agent, &local)?;
    believes(&lab, &root)?;

    fs::write(&file, format!("{first}{stays}"))?;
    let applied = lab.osctl("apply --file node.yaml")?.fine()?;
    ensure!(
        applied.contains("delete Sysctl `net.core.somaxconn`"),
        "{applied}"
    );
    let back = lab
        .change_deadline()
        .until(|| (agent.ask_one(&format!("read {SETTING}")).ok()? == before).then_some(()));
    back.with_context(|| format!("{SETTING} is not {before} again"))?;
    lab.osctl_until("get sysctls", |said| !said.contains("somaxconn"))?;

    fs::write(&file, first)?;
    lab.osctl("apply --file node.yaml")?.fine()?;
    lab.osctl_until("get modulestatus", |said| !said.contains(MODULE))?;
    ensure!(loaded(&mut agent)?, "{MODULE} was unloaded");
    let back = lab
        .change_deadline()
        .until(|| (agent.ask("read /etc/hosts").ok()? == local).then_some(()));
    back.context("a name stays though its document went")?;
    believes(&lab, "")?;
    refused(&lab)
}

/// What the node says of it.
fn is_told(lab: &Lab) -> Result<()> {
    for (line, words) in [
        (
            "get sysctls net.core.somaxconn",
            ["\"applied\"", "\"12345\""],
        ),
        // It comes with the module, so this also says that the one waits for the other.
        (
            "get sysctls net.netfilter.nf_conntrack_max",
            ["\"applied\"", "\"54321\""],
        ),
        (
            "get modulestatus nf_conntrack",
            ["\"loaded\"", "\"acct=Y\""],
        ),
        (
            "get modulestatus nf_contrack",
            ["\"missing\"", "did you mean `nf_conntrack`?"],
        ),
        ("get modules nf_conntrack", ["\"bytes\"", "nf_conntrack"]),
        (
            "get trustedroots corporate",
            ["Corporate Root", "\"error\": \"\""],
        ),
        (
            "get hosts registry.example.org",
            ["\"10.0.2.77\"", "\"fd00::77\""],
        ),
    ] {
        lab.osctl_until(&format!("{line} -o json"), |said| {
            words.iter().all(|word| said.contains(word))
        })?;
    }
    Ok(())
}

/// What the kernel and the files say of it.
fn is_there(lab: &Lab, agent: &mut Agent, local: &[String]) -> Result<()> {
    for (path, value) in [
        (SETTING, VALUE),
        (ITS_SETTING, "54321"),
        ("/sys/module/nf_conntrack/parameters/acct", "Y"),
    ] {
        let is = agent.ask_one(&format!("read {path}"))?;
        ensure!(is == value, "{path} is {is}");
    }
    ensure!(loaded(agent)?, "{MODULE} is not loaded");
    let ours = [
        "10.0.2.77 registry.example.org registry",
        "fd00::77 registry.example.org registry",
    ];
    let wanted: Vec<&str> = local.iter().map(String::as_str).chain(ours).collect();
    // The file follows what is told.
    let mut last = Vec::new();
    let written = lab.change_deadline().until(|| {
        last = agent.ask("read /etc/hosts").ok()?;
        (last == wanted).then_some(())
    });
    written.with_context(|| format!("{last:#?}"))
}

/// A document with an authority.
fn trusted(pem: &str) -> String {
    let lines: String = pem.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "---\napiVersion: garboard/v1alpha1\nkind: TrustedRoots\nname: corporate\ncertificates: |\n{lines}"
    )
}

/// Waits until this is all there is of authorities.
fn believes(lab: &Lab, pem: &str) -> Result<()> {
    lab.osctl_until(&format!("read {ROOTS}"), |said| said.trim_end() == pem)
        .map(drop)
}

fn loaded(agent: &mut Agent) -> Result<bool> {
    let name = format!("{MODULE} ");
    let lines = agent.ask("read /proc/modules")?;
    Ok(lines.iter().any(|line| line.starts_with(&name)))
}

/// What the node stands on is no config's to change, and osctl says so before anything is sent.
fn refused(lab: &Lab) -> Result<()> {
    let bad = "apiVersion: garboard/v1alpha1\nkind: Sysctl\nname: kernel.modprobe\nvalue: /var/x\n";
    fs::write(lab.home().join("bad.yaml"), bad)?;
    let why = lab.osctl("apply --file bad.yaml")?.refused()?;
    ensure!(
        why.contains("bad.yaml:3:7: `kernel.modprobe` cannot be set here"),
        "{why}"
    );
    Ok(())
}
