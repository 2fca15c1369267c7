//! A clock that jumps while the node runs: certificates follow it, and nothing falls over.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Agent, Lab, agent, loss, places};
use provision::{Deadline, Medium};

const MEMORY: u32 = 512;

const HOUR: i64 = 3600;

/// Longer than a node's own certificate is good for.
const FAR: i64 = 48 * HOUR;

/// Longer than any certificate, that of the authority included.
const AGES: i64 = 20 * 365 * 24 * HOUR;

/// How long a node may take to find out that its clock was set: it looks once a minute.
const FOLLOWS: Duration = Duration::from_secs(90);

#[test]
fn a_clock_that_jumps_breaks_nothing_that_time_does_not_mend() -> Result<()> {
    let lab = Lab::new(1)?;
    let image = places::cloud()?;
    let mut vm = image.vm("node".parse()?, MEMORY, Medium::Direct, false)?;
    agent::equip(&lab, &mut vm)?;
    let mut node = lab.node(&image, vm)?;
    let mut agent = Agent::meet(&lab, &node)?;
    node.configure()?;
    let daemons = loss::daemons(&mut agent)?;

    // Certificates are back-dated by an hour, so neither side minds this one.
    for by in [HOUR / 2, -HOUR / 2] {
        agent.ask(&format!("clock {by}"))?;
        lab.osctl("version")?.fine()?;
    }

    // The node's new certificate is not good yet for who has the right time, which tells that there is one.
    agent.ask(&format!("clock {FAR}"))?;
    refuses(&lab, "compare the clocks")?;
    agent.ask(&format!("clock -{FAR}"))?;
    answers(&lab)?;

    // Now the caller's certificate is not good yet, then not any more, which is the same to TLS.
    for by in [-AGES, AGES] {
        agent.ask(&format!("clock {by}"))?;
        refuses(&lab, "one of the two clocks is wrong")?;
        agent.ask(&format!("clock {}", -by))?;
        answers(&lab)?;
    }

    ensure!(
        loss::daemons(&mut agent)? == daemons,
        "a daemon did not bear it"
    );
    let services = lab.osctl("get services -o json")?.fine()?;
    ensure!(!services.contains("failed"), "{services}");
    Ok(())
}

/// Waits until the API is of no use to who has the right time, and `osctl` says why.
fn refuses(lab: &Lab, why: &str) -> Result<()> {
    let mut last = None;
    let refused = Deadline::after(lab.patience(FOLLOWS)).until(|| {
        let said = lab.osctl("version").ok()?;
        let refused = said.code == Some(1) && said.err.contains(why);
        last = Some(said);
        refused.then_some(())
    });
    ensure!(refused.is_some(), "{last:?}");
    Ok(())
}

/// Waits until the API answers to who has the right time.
fn answers(lab: &Lab) -> Result<()> {
    let deadline = Deadline::after(lab.patience(FOLLOWS));
    lab.osctl_within(deadline, "version", |_| true).map(drop)
}
