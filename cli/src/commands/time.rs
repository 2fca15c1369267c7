//! `osctl time`: what the clocks of nodes show, against this computer's, and whom they go by.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use api::v1alpha1::TimeRequest;
use api::v1alpha1::inspect_service_client::InspectServiceClient;
use clap::Args;
use cosi::wire::Client;
use jiff::{SignedDuration, Timestamp};
use resources::net::TimeStatus;
use serde::Serialize;
use store::{Registry, Spec};
use tonic::transport::Channel;

use crate::fleet::Session;
use crate::output::{self, Format};

/// How often a node is asked; the quickest answer says most.
const QUESTIONS: usize = 4;

/// A node's clock.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Clock {
    /// What it showed.
    time: Timestamp,
    /// How far it is ahead of this computer's, in nanoseconds.
    ahead_nanos: i64,
    /// How far that may be off, either way.
    error_nanos: u64,
    /// Whom it goes by, by the node's own word.
    status: TimeStatus,
}

/// One question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exchange {
    /// When it was sent, by this computer's clock.
    sent: Timestamp,
    /// How long it took.
    took: Duration,
    /// What the node's clock showed meanwhile.
    showed: Timestamp,
}

impl Exchange {
    /// How far the node's clock is ahead of this computer's, and how far that may be off.
    fn ahead(self) -> (SignedDuration, Duration) {
        let half = self.took / 2;
        // Both within what a clock can show, so their difference is too.
        let middle = SignedDuration::try_from(half).unwrap_or_default();
        (self.showed.duration_since(self.sent) - middle, half)
    }
}

/// What is asked of clocks.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Time {
    /// Fail unless the clock of every node goes by a time server
    #[arg(long)]
    check: bool,
}

/// Asks the nodes, and shows what they say.
pub(crate) async fn run(session: &Session, time: Time, format: Format) -> Result<()> {
    let answers = session.each(clock).await?;
    if format != Format::Table {
        output::values_per_node(format, &answers.good)?;
    } else if !answers.good.is_empty() {
        let lines = table(&answers.good, answers.are_of_one());
        output::line(&lines.join("\n"))?;
    }
    let judged = answers.then(|_, clock| async move {
        if time.check {
            judge(&clock.status)
        } else {
            Ok(())
        }
    });
    judged.await.finish()
}

/// An error unless somebody vouches for the clock.
fn judge(status: &TimeStatus) -> Result<()> {
    let hint = "`osctl get timeservers` shows what its servers answer";
    match (status.synchronized, &*status.reason) {
        (true, _) => Ok(()),
        (false, "") => bail!("nobody vouches for its clock ({hint})"),
        (false, reason) => bail!("nobody vouches for its clock: {reason} ({hint})"),
    }
}

async fn clock(channel: Channel) -> Result<Clock> {
    let mut registry = Registry::new();
    registry.register::<TimeStatus>()?;
    let state = Client::new(channel.clone(), Arc::new(registry));
    let found = state
        .list_as::<TimeStatus>(TimeStatus::DEFINITION.namespace)
        .await?;
    let status = found.first().map(|it| (*it.spec).clone());
    let mut inspect = InspectServiceClient::new(channel);
    let mut best: Option<Exchange> = None;
    for _ in 0..QUESTIONS {
        let (sent, begun) = (Timestamp::now(), Instant::now());
        let answer = inspect.time(TimeRequest {}).await?.into_inner();
        let took = begun.elapsed();
        let time = answer.time.context("the node's answer holds no time")?;
        let showed = Timestamp::new(time.seconds, time.nanos)?;
        if best.is_none_or(|it| took < it.took) {
            best = Some(Exchange { sent, took, showed });
        }
    }
    let exchange = best.context("the node was not asked")?;
    let (ahead, error) = exchange.ahead();
    Ok(Clock {
        time: exchange.showed,
        ahead_nanos: i64::try_from(ahead.as_nanos()).unwrap_or(i64::MAX),
        error_nanos: u64::try_from(error.as_nanos()).unwrap_or(u64::MAX),
        status: status.unwrap_or_default(),
    })
}

fn table(clocks: &[(String, Clock)], of_one: bool) -> Vec<String> {
    let node = (!of_one).then_some("NODE").into_iter();
    let headings: Vec<_> = node.chain(["TIME", "AHEAD OF HERE", "GOES BY"]).collect();
    let rows: Vec<Vec<String>> = clocks
        .iter()
        .map(|(name, clock)| {
            let name = (!of_one).then(|| name.clone()).into_iter();
            name.chain(cells(clock)).collect()
        })
        .collect();
    output::drawn(&headings, &rows)
}

fn cells(clock: &Clock) -> [String; 3] {
    let ahead = output::signed_span(clock.ahead_nanos);
    let error = output::span(Duration::from_nanos(clock.error_nanos));
    let status = &clock.status;
    let goes_by = match (status.synchronized, &*status.reason) {
        (true, _) => format!(
            "{} (stratum {})",
            status.server,
            status.stratum.saturating_sub(1)
        ),
        (false, "") => "nobody".to_owned(),
        (false, reason) => format!("nobody: {reason}"),
    };
    [
        output::second(clock.time),
        format!("{ahead} ± {error}"),
        goes_by,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(ahead_nanos: i64, status: TimeStatus) -> Clock {
        Clock {
            time: Timestamp::new(1_800_000_000, 123_456_789).unwrap(),
            ahead_nanos,
            error_nanos: 412_345,
            status,
        }
    }

    #[test]
    fn a_node_is_ahead_by_what_it_showed_in_the_middle() {
        let at = |nanos| Timestamp::from_nanosecond(nanos).unwrap();
        let exchange = Exchange {
            sent: at(1_000_000_000),
            took: Duration::from_millis(10),
            showed: at(1_002_000_000),
        };
        let (ahead, error) = exchange.ahead();
        assert_eq!(ahead, SignedDuration::from_millis(-3));
        assert_eq!(error, Duration::from_millis(5));
    }

    #[test]
    fn a_clock_that_goes_by_nobodys_fails_the_check() {
        let right = TimeStatus {
            synchronized: true,
            ..TimeStatus::default()
        };
        judge(&right).expect("somebody vouches for it");
        let judged = |reason: &str| {
            let status = TimeStatus {
                reason: reason.to_owned(),
                ..TimeStatus::default()
            };
            judge(&status).expect_err("nobody does").to_string()
        };
        assert!(judged("").starts_with("nobody vouches for its clock (`osctl get"));
        let off = judged("the config turns it off");
        assert!(
            off.contains(": the config turns it off (`osctl get"),
            "{off}"
        );
    }

    #[test]
    fn the_table_says_how_far_and_by_whom() {
        let right = TimeStatus {
            synchronized: true,
            server: "time.cloudflare.com".to_owned(),
            stratum: 4,
            ..TimeStatus::default()
        };
        let lost = TimeStatus {
            reason: "no answer from 10.0.0.1".to_owned(),
            ..TimeStatus::default()
        };
        let clocks = [
            ("cp-1".to_owned(), clock(-12_345_678, right)),
            ("cp-2".to_owned(), clock(90_500_000_000, lost)),
        ];
        let lines = [
            "NODE  TIME                  AHEAD OF HERE      GOES BY",
            "cp-1  2027-01-15T08:00:00Z  -12.3 ms ± 412 µs  time.cloudflare.com (stratum 3)",
            "cp-2  2027-01-15T08:00:00Z  90.5 s ± 412 µs    nobody: no answer from 10.0.0.1",
        ];
        assert_eq!(table(&clocks, false), lines);
    }
}
