//! `osctl config confirm|history|diff|rollback`: the configs of before, and the ways back to them.

use anyhow::Result;
use api::v1alpha1 as v1;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::commands::stream::time;
use crate::exit::Changes;
use crate::fleet::Session;
use crate::output::{self, Format};

/// What to do with configs of before.
#[derive(Debug, Subcommand)]
pub(crate) enum Past {
    /// Keep the config that nodes try, which they would leave by themselves
    Confirm {
        /// Only if this generation is the one that is tried
        #[arg(value_name = "N")]
        generation: Option<u64>,
    },
    /// Show the configs that nodes keep: when they were applied, by whom, and what they are now
    ///
    /// `active` is the one that runs, or that is gone back to while another is `trying`; `staged` waits for the next boot;
    /// `rolled-back` was tried or staged and never became the active one. Safe mode goes back to the one that is proven: it
    /// has run for ten minutes.
    History,
    /// Show what is different between two configs of nodes, secrets redacted
    ///
    /// Without N and M, between the one that was active before and the one that runs. Exit code 3 says that they are
    /// different.
    Diff {
        /// The earlier generation
        #[arg(value_name = "N")]
        from: Option<u64>,
        /// The later generation [default: the one that runs]
        #[arg(value_name = "M", requires = "from")]
        to: Option<u64>,
    },
    /// Undo: end a trial, else cancel what is staged, else apply the config of before again
    Rollback(Rollback),
}

/// What to go back to.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Apply this generation again, as a new one
    #[arg(value_name = "N")]
    generation: Option<u64>,
    /// Say what would happen and change nothing; exit code 3 says that there are changes
    #[arg(long)]
    dry_run: bool,
    /// Apply it though it is for a node of another role or cluster, or for a disk that is not there
    #[arg(long)]
    force: bool,
}

/// Does it.
pub(crate) async fn run(session: &Session, past: Past, format: Format) -> Result<()> {
    match past {
        Past::Confirm { generation } => confirm(session, generation, format).await,
        Past::History => history(session, format).await,
        Past::Diff { from, to } => diff(session, from, to, format).await,
        Past::Rollback(rollback) => roll_back(session, &rollback, format).await,
    }
}

#[derive(Serialize)]
struct Confirmed {
    generation: u64,
}

async fn confirm(session: &Session, generation: Option<u64>, format: Format) -> Result<()> {
    let request = v1::ConfirmConfigRequest { generation };
    let call = |channel| async move {
        let mut client = MachineServiceClient::new(channel);
        Ok(client.confirm_config(request).await?.into_inner())
    };
    let answers = session.each_changed(call).await?;
    let answers = answers.map(|it| Confirmed {
        generation: it.generation,
    });
    answers.show(format, |node, it| {
        output::line(&format!("{node}: generation {} is kept", it.generation))
    })
}

/// A generation as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generation {
    generation: u64,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u32>,
    proven: bool,
    mode: String,
    time: String,
    by: String,
    hash: String,
}

impl From<v1::ConfigGeneration> for Generation {
    fn from(said: v1::ConfigGeneration) -> Self {
        Self {
            generation: said.generation,
            seconds_left: (said.state == "trying").then_some(said.seconds_left),
            state: said.state,
            proven: said.proven,
            mode: said.mode,
            time: said.time.as_ref().map(time).unwrap_or_default(),
            by: said.by,
            hash: said.hash,
        }
    }
}

impl Generation {
    fn row(&self) -> Vec<String> {
        let mut state = self.state.clone();
        if let Some(left) = self.seconds_left {
            state.push_str(&format!(" for {left} s"));
        }
        if self.proven {
            let and = if state.is_empty() { "" } else { ", " };
            state.push_str(&format!("{and}proven"));
        }
        // As many digits as git shows of a hash.
        let hash: String = self.hash.chars().take(12).collect();
        vec![
            self.generation.to_string(),
            self.time.clone(),
            state,
            self.mode.clone(),
            self.by.clone(),
            hash,
        ]
    }
}

#[derive(Serialize)]
struct History {
    generations: Vec<Generation>,
}

async fn history(session: &Session, format: Format) -> Result<()> {
    let call = |channel| async move {
        let mut client = MachineServiceClient::new(channel);
        let answer = client.config_history(v1::ConfigHistoryRequest {}).await?;
        Ok(answer.into_inner())
    };
    let answers = session.each(call).await?;
    let answers = answers.map(|it| History {
        generations: it.generations.into_iter().map(Generation::from).collect(),
    });
    if format != Format::Table {
        return answers.show(format, |_, _| Ok(()));
    }
    let mut headings = vec!["GENERATION", "APPLIED", "STATE", "MODE", "BY", "HASH"];
    let alone = answers.are_of_one();
    if !alone {
        headings.insert(0, "NODE");
    }
    let rows: Vec<Vec<String>> = answers
        .good
        .iter()
        .flat_map(|(node, history)| {
            history.generations.iter().map(move |it| {
                let node = Some(node.clone()).filter(|_| !alone);
                node.into_iter().chain(it.row()).collect()
            })
        })
        .collect();
    output::table(&headings, &rows)?;
    answers.finish()
}

#[derive(Serialize)]
struct Difference {
    from: u64,
    to: u64,
    diff: String,
}

async fn diff(session: &Session, from: Option<u64>, to: Option<u64>, format: Format) -> Result<()> {
    let request = v1::DiffConfigRequest { from, to };
    let call = |channel| async move {
        let mut client = MachineServiceClient::new(channel);
        Ok(client.diff_config(request).await?.into_inner())
    };
    let answers = session.each(call).await?;
    let answers = answers.map(|it| Difference {
        from: it.from,
        to: it.to,
        diff: it.diff,
    });
    let any = answers.good.iter().any(|(_, it)| !it.diff.is_empty());
    answers.show(format, |node, it| {
        let Difference { from, to, diff } = it;
        if diff.is_empty() {
            return output::line(&format!("{node}: generations {from} and {to} say the same"));
        }
        output::line(&format!("{node}: generation {from} to {to}"))?;
        output::raw(diff.as_bytes())
    })?;
    if any { Err(Changes.into()) } else { Ok(()) }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Undone {
    dry_run: bool,
    /// The one that runs now; 0 for none.
    generation: u64,
    done: String,
    changes: Vec<String>,
    warnings: Vec<String>,
}

async fn roll_back(session: &Session, rollback: &Rollback, format: Format) -> Result<()> {
    let Rollback {
        generation,
        dry_run,
        force,
    } = *rollback;
    let request = v1::RollbackConfigRequest {
        generation,
        dry_run,
        force,
    };
    let call = |channel| async move {
        let mut client = MachineServiceClient::new(channel);
        Ok(client.rollback_config(request).await?.into_inner())
    };
    let answers = session.each_changed(call).await?;
    let answers = answers.map(|it| Undone {
        dry_run,
        generation: it.generation,
        done: it.done,
        changes: it.changes,
        warnings: it.warnings,
    });
    let would = dry_run && !answers.good.is_empty();
    answers.show(format, |node, it| {
        let runs = match it.generation {
            0 => "it has no config".to_owned(),
            number => format!("generation {number} runs"),
        };
        output::line(&format!("{node}: {}; {runs}", it.done))?;
        for change in &it.changes {
            output::line(&format!("  {change}"))?;
        }
        for warning in &it.warnings {
            output::note(&format!("{node}: warning: {warning}"));
        }
        Ok(())
    })?;
    if would { Err(Changes.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_a_row() {
        let said = v1::ConfigGeneration {
            generation: 7,
            hash: "0123456789abcdef".to_owned(),
            time: Some(prost_types::Timestamp {
                seconds: 1_790_000_000,
                nanos: 0,
            }),
            by: "admin from 10.0.0.1:1".to_owned(),
            mode: "try".to_owned(),
            state: "trying".to_owned(),
            seconds_left: 42,
            proven: false,
        };
        let row = Generation::from(said.clone()).row();
        let expected = [
            "7",
            "2026-09-21T14:13:20Z",
            "trying for 42 s",
            "try",
            "admin from 10.0.0.1:1",
            "0123456789ab",
        ];
        assert_eq!(row, expected);
        let former = v1::ConfigGeneration {
            state: String::new(),
            time: None,
            proven: true,
            ..said
        };
        let row = Generation::from(former).row();
        assert_eq!(row[1..3], ["", "proven"]);
    }
}
