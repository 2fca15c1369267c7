//! Several nodes at once.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::lab::CREATE;
use e2e::{Lab, Terminal, places};

#[test]
fn a_worker_joins_in_and_a_dead_node_does_not_hide_the_other() -> Result<()> {
    let lab = Lab::new(2)?;
    let image = places::cloud_folder()?;
    let image = image.to_str().context("a path of UTF-8")?;
    let line = format!(
        "cluster create --name duo --no-kubernetes --workers 1 --memory 512 --image {image}"
    );
    lab.osctl_for(CREATE, &line)?.fine()?;
    let (plane, worker) = ("duo-cp-1", "duo-worker-1");
    let both = lab.osctl("version")?.fine()?;
    let row = |node: &str| {
        both.lines()
            .any(|line| line.starts_with(node) && line.contains("running"))
    };
    ensure!(row(plane) && row(worker), "{both}");
    let links = lab
        .osctl(&format!("get links eth0 -n {plane},{worker}"))?
        .fine()?;
    ensure!(
        links.lines().filter(|line| line.contains("eth0")).count() == 2,
        "{links}"
    );

    let unnamed = lab.osctl("reboot")?.refused()?;
    ensure!(
        unnamed.contains(plane) && unnamed.contains(worker),
        "{unnamed}"
    );

    let mut cluster = lab.clusters().open(&"duo".parse()?)?;
    cluster.switch_off(&worker.parse()?)?;
    // Long enough for the one that answers; the other takes all of it.
    let patience = lab.patience(Duration::from_secs(3)).as_secs();
    let said = lab.osctl(&format!("version --timeout {patience}"))?;
    ensure!(
        said.out.contains(plane) && !said.out.contains(worker),
        "{said:?}"
    );
    let complaint = said.refused()?;
    ensure!(
        complaint.contains(worker) && complaint.contains("1 of 2"),
        "{complaint}"
    );

    // The one that is off keeps the dashboard from nothing.
    let line = format!("dashboard --timeout {patience}");
    let terminal = Terminal::start(lab.home(), &line)?;
    terminal.shows(&[plane, "machined", "silent"], lab.change_deadline())?;
    terminal.ends_by("q", lab.change_deadline())?;
    let blind = lab.osctl("dashboard")?.refused()?;
    ensure!(blind.contains("needs a terminal"), "{blind}");
    Ok(())
}
