//! `osctl health`.

mod checks;
mod etcd;
mod facts;
mod workload;

use std::time::Duration;

use anyhow::{Result, bail};
use futures_util::future::join_all;
use tokio::time::timeout;

use self::checks::{Node, Outcome, outcomes};
use self::facts::Facts;
use crate::explain::sentence;
use crate::fleet::Session;
use crate::output::{self, Format};
use crate::progress::Progress;
use crate::tries::{self, Pace};

/// How long one node has to tell everything about itself; what does not answer by then is not well.
const ANSWER: Duration = Duration::from_secs(10);

/// How all are looked after; a look always ends before it is given up.
const PACE: Pace = Pace {
    interval: Duration::from_secs(3),
    longest: Duration::from_secs(15),
};

/// How long to wait.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// How many seconds to wait until all checks are passed; 0 looks once
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    wait: u64,
}

/// Looks, and waits.
pub(super) async fn run(session: &Session, command: &Check, format: Format) -> Result<()> {
    let names = session.names()?;
    let mut last = outcomes(&look(session, &names).await);
    if command.wait > 0 && !passed(&last) {
        let progress = Progress::new();
        let mut said = String::new();
        let ask = || async { Ok(outcomes(&look(session, &names).await)) };
        let waited = tries::until(PACE, ask, |seen: Result<Vec<Outcome>>| {
            // A look that was given up says nothing; another one is under way.
            last = seen.ok()?;
            let Some(waits) = missing(&last) else {
                return Some(());
            };
            if waits != said {
                progress.step(format!("waits for {waits}"));
                said = waits;
            }
            None
        });
        // When time is up, what was seen last is shown.
        let limit = Duration::from_secs(command.wait);
        timeout(limit, waited).await.unwrap_or_default();
    }
    show(&last, format)
}

/// All nodes, at once.
async fn look(session: &Session, names: &[String]) -> Vec<Node> {
    let asked = names.iter().map(|name| async {
        let answer = timeout(ANSWER, session.again(name, Facts::of)).await;
        let answer = match answer {
            Ok(answer) => answer.map_err(|error| sentence(&error)),
            Err(_) => Err(format!("no answer in {} s", ANSWER.as_secs())),
        };
        (name.clone(), answer)
    });
    join_all(asked).await
}

fn passed(all: &[Outcome]) -> bool {
    all.iter().all(|it| it.passed)
}

/// The first thing that is missing.
fn missing(all: &[Outcome]) -> Option<String> {
    let first = all.iter().find(|it| !it.passed)?;
    let failure = first.failures.first()?;
    Some(format!(
        "{}: {}: {}",
        first.check, failure.node, failure.reason
    ))
}

/// All checks; an error when one is not passed.
fn show(all: &[Outcome], format: Format) -> Result<()> {
    if format == Format::Table {
        for line in lines(all) {
            output::line(&line)?;
        }
    } else {
        output::value(format, &all)?;
    }
    match all.iter().find(|it| !it.passed) {
        None => Ok(()),
        Some(first) => bail!(
            "the cluster is not well: the first check that fails is {:?}; `{}` tells more",
            first.check,
            next(first)
        ),
    }
}

/// The command that tells more, with the node where it needs one.
fn next(outcome: &Outcome) -> String {
    let command = outcome.next;
    let node = outcome.failures.first().map(|it| it.node.as_str());
    match node {
        Some(node) if command.starts_with("osctl logs ") => format!("{command} -n {node}"),
        Some(node) if command == "kubectl uncordon" => format!("{command} {node}"),
        _ => command.to_owned(),
    }
}

/// A line for each check, and one for each node that did not pass it.
fn lines(all: &[Outcome]) -> Vec<String> {
    let mut lines = Vec::new();
    for outcome in all {
        let result = if outcome.passed { "ok" } else { "fails" };
        lines.push(format!("{:<14} {result}", outcome.check));
        for failure in &outcome.failures {
            let (node, reason) = (&failure.node, output::printable(&failure.reason));
            lines.push(format!("  {node}: {reason}"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_a_line_and_those_that_fail_say_why() {
        let nodes = [("cp-1".to_owned(), Err("refused".to_owned()))];
        let all = outcomes(&nodes);
        let lines = lines(&all);
        assert_eq!(
            lines[..3],
            [
                "api            fails",
                "  cp-1: refused",
                "stage          ok"
            ]
        );
        assert_eq!(missing(&all).as_deref(), Some("api: cp-1: refused"));
        let mut etcd = all[0].clone();
        etcd.next = "osctl logs etcd";
        assert_eq!(next(&etcd), "osctl logs etcd -n cp-1");
        let error = show(&all, Format::Json).expect_err("it is not well");
        assert!(
            error.to_string().contains("`osctl version` tells more"),
            "{error}"
        );
    }
}
