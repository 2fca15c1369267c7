//! Who may do what on a running node, over the real port. The whole matrix, every method for every role, is compared
//! with the table in machined's own tests; this is a sample of it through everything in between.

mod client;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use api::v1alpha1::VersionRequest;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use e2e::{Lab, places};
use jiff::{SignedDuration, Timestamp};
use pki::{Authority, Role, Roles, tls};
use provision::Medium;
use rustls::ClientConfig;

const MEMORY: u32 = 512;

/// What a role asks for, and whether it is given.
const SAMPLE: [(&str, &str, bool); 23] = [
    ("admin", "apply --dry-run --file node.yaml", true),
    ("admin", "config show --reveal-secrets", true),
    ("operator", "logs machined", true),
    ("admin", "read /etc/os-release", true),
    ("operator", "ls /etc", true),
    ("operator", "read /etc/os-release", false),
    ("operator", "apply --dry-run --file node.yaml", false),
    ("operator", "config show --reveal-secrets", false),
    ("reader", "get links", true),
    ("reader", "config show", true),
    ("reader", "dmesg", true),
    ("reader", "processes --sort memory", true),
    ("reader", "memory", true),
    ("reader", "mounts", true),
    ("reader", "netstat --listening", true),
    ("reader", "time", true),
    ("reader", "ls /etc", false),
    ("reader", "config show --reveal-secrets", false),
    ("reader", "reboot", false),
    ("reader", "shutdown", false),
    ("etcd-backup", "version", true),
    ("etcd-backup", "get links", false),
    ("etcd-backup", "processes", false),
];

#[test]
fn everybody_may_what_the_table_says() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut node = lab.node(
        &image,
        image.vm("node".parse()?, MEMORY, Medium::Direct, false)?,
    )?;
    node.configure()?;
    let api = node.api()?;
    for role in ["admin", "operator", "reader", "etcd-backup"] {
        lab.osctl(&format!(
            "gen crt --name as-{role} --role {role} --node node={api}"
        ))?
        .fine()?;
    }
    for (role, command, allowed) in SAMPLE {
        let said = lab.osctl(&format!("{command} --context as-{role}"))?;
        if allowed {
            said.fine()?;
        } else {
            let why = said.refused()?;
            ensure!(
                why.contains(&format!("the role garboard:{role}")) || why.contains("admin"),
                "{role}: {command}: {why}"
            );
        }
    }
    let shown = lab.osctl("config show --context as-reader")?.fine()?;
    ensure!(
        shown.contains("kind: ApiTrust") && !shown.contains("PRIVATE KEY"),
        "{shown}"
    );
    inside(&lab)?;
    files(&lab)?;
    support(&lab)?;
    strangers(&lab, api)?;
    let said = lab.osctl("version -o json")?.fine()?;
    ensure!(said.contains("running"), "{said}");
    Ok(())
}

/// What a reader sees of the node's inside is this node's.
fn inside(lab: &Lab) -> Result<()> {
    for (command, wanted) in [
        ("processes", r#""command": "machined""#),
        ("processes", r#""command": "networkd""#),
        ("mounts", r#""filesystem": "squashfs""#),
        ("netstat --listening", r#"50000""#),
        ("netstat --listening", r#""command": "machined""#),
        ("memory", r#""totalBytes""#),
        ("time", r#""aheadNanos""#),
    ] {
        let said = lab
            .osctl(&format!("{command} -o json --context as-reader"))?
            .fine()?;
        ensure!(said.contains(wanted), "{command}: no {wanted} in {said}");
    }
    Ok(())
}

/// A folder comes as it is, links included, and a file as reading it says.
fn files(lab: &Lab) -> Result<()> {
    let context = "--context as-admin";
    let listed = lab.osctl(&format!("ls /etc {context}"))?.fine()?;
    ensure!(listed.contains("os-release"), "{listed}");
    lab.osctl(&format!("cp /etc copied {context}"))?.fine()?;
    let read = lab
        .osctl(&format!("read /etc/os-release {context}"))?
        .fine()?;
    let link = std::fs::read_link(lab.home().join("copied/os-release"))?;
    ensure!(link == Path::new("../usr/lib/os-release"), "{link:?}");
    lab.osctl(&format!("cp /usr/lib/os-release . {context}"))?
        .fine()?;
    ensure!(std::fs::read_to_string(lab.home().join("os-release"))? == read);
    ensure!(read.contains("Garboard"), "{read}");
    lab.osctl(&format!("cp /proc/version . {context}"))?
        .fine()?;
    let version = std::fs::read_to_string(lab.home().join("version"))?;
    ensure!(version.starts_with("Linux version"), "{version}");
    let again = lab
        .osctl(&format!("cp /proc/version . {context}"))?
        .refused()?;
    ensure!(again.contains("exists"), "{again}");
    let folder = lab.osctl(&format!("read /etc {context}"))?.refused()?;
    ensure!(folder.contains("osctl ls /etc"), "{folder}");
    let missing = lab.osctl(&format!("cp /no/where . {context}"))?.refused()?;
    ensure!(missing.contains("there is no /no/where"), "{missing}");
    Ok(())
}

/// Whoever may read can collect what helps others to help, and no secret is in it.
fn support(lab: &Lab) -> Result<()> {
    let bundle = "support bundle.tar.gz --context as-reader";
    let said = lab.osctl(bundle)?.fine()?;
    ensure!(said.contains("wrote bundle.tar.gz"), "{said}");
    let listed = unpacked(lab, "-tzf")?;
    for part in [
        "config.yaml",
        "dmesg.log",
        "events.log",
        "logs/machined.log",
        "logs/networkd.log",
        "processes.yaml",
        "resources/linkstatuses.net.garboard.yaml",
        "version.yaml",
    ] {
        let wanted = format!("support/node/{part}\n");
        ensure!(listed.contains(&wanted), "no {part} in {listed}");
    }
    ensure!(!listed.contains("errors.txt"), "{listed}");
    let all = unpacked(lab, "-xzOf")?;
    ensure!(all.contains("kind: ApiTrust") && !all.contains("PRIVATE KEY"));
    ensure!(lab.osctl(bundle)?.refused()?.contains("exists"));
    Ok(())
}

/// What tar says of the bundle.
fn unpacked(lab: &Lab, how: &str) -> Result<String> {
    let said = Command::new("tar")
        .args([how, "bundle.tar.gz"])
        .current_dir(lab.home())
        .output()?;
    ensure!(said.status.success(), "tar {how}: {}", said.status);
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

/// Whom the node does not know at all gets no answer, whatever he claims to be.
fn strangers(lab: &Lab, api: SocketAddr) -> Result<()> {
    let client::Secrets { authority, nodes } = client::Secrets::read(lab)?;
    let (now, minutes) = (Timestamp::now(), SignedDuration::from_mins);
    let admin = Roles::from_organizations([Role::Admin.organization()]);

    // The same way in works with a certificate that is right: what refuses below is what is meant.
    let right = authority.issue_client("right", admin, minutes(10), now)?;
    ensure!(asks(lab, tls::client(&nodes, &right)?, api).is_ok());

    let foreign =
        Authority::generate("garboard", now)?.issue_client("foreign", admin, minutes(10), now)?;
    let late = authority.issue_client("late", admin, minutes(10), now - minutes(30))?;
    let nobody = tls::anonymous_client(&nodes)?;
    for (who, config) in [
        ("foreign", tls::client(&nodes, &foreign)?),
        ("late", tls::client(&nodes, &late)?),
        ("nobody", nobody),
    ] {
        let error = asks(lab, config, api)
            .err()
            .with_context(|| format!("{who} got an answer"))?;
        let why = format!("{error:#} {error:?}");
        ensure!(
            why.contains("alert") || why.contains("ertificate"),
            "{who}: {why}"
        );
    }
    Ok(())
}

fn asks(lab: &Lab, config: Arc<ClientConfig>, api: SocketAddr) -> Result<()> {
    client::block_on(lab, async {
        let channel = client::channel(config, "node", api).await?;
        MachineServiceClient::new(channel)
            .version(VersionRequest {})
            .await?;
        Ok(())
    })
}
