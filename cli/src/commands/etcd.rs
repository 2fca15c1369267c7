//! `osctl etcd`: members, alarms and copies of what keeps the state of the Kubernetes cluster.
//!
//! What any member can tell is asked of the nodes one after the other until one can; what is about one member is asked of
//! its node. Workers have no etcd, and are left out unless they were named.

pub(crate) mod snapshot;
mod snapshots;
mod table;

use std::time::Duration;

use anyhow::{Context as _, Result};
use api::v1alpha1 as v1;
use api::v1alpha1::etcd_service_client::EtcdServiceClient;
use clap::Subcommand;
use serde::Serialize;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::connect;
use crate::fleet::{Answers, Session, within};
use crate::output::{self, Format, size};
use crate::progress::Progress;

/// What a member may take to defragment; the node itself gives up after ten minutes.
const DEFRAGMENT: Duration = Duration::from_secs(11 * 60);

/// What there is to do about etcd.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the members of the cluster
    Members,
    /// Show how the members are: who leads, how much each keeps
    Status,
    /// Show what is wrong until somebody says that it is over, or say so
    Alarms {
        #[command(subcommand)]
        command: Option<Alarms>,
    },
    /// Have all members forget the history: what was changed or deleted, not what is there
    ///
    /// The API server does so by itself every five minutes, but cannot while there is an alarm NOSPACE. `defrag` gives the space
    /// back.
    Compact,
    /// Have members give back what their files of data do not use, one after the other
    ///
    /// A member answers nobody while it does, and the API server on its node neither.
    Defrag,
    /// Have the members of nodes give the lead to others, before something is done to their nodes
    ForfeitLeadership,
    /// Have a node leave: its member is removed, and its etcd ends until `join`
    ///
    /// The API server on the node ends with it. Before a reset it is not needed, which has the node leave by itself. The last
    /// member that votes cannot leave.
    Leave,
    /// Have a node join again that left or was removed; its old data is moved away
    Join,
    /// Remove a member whose node is gone for good
    ///
    /// One that is up is refused: `leave` on its node has it leave.
    RemoveMember {
        /// Its name, or its id, as `osctl etcd members` has them
        member: String,
    },
    /// Copy all that etcd keeps into a file
    ///
    /// The file is for you alone to read, since all secrets of the cluster are in it, and is there whole or not at all. Whether
    /// it is what etcd sent is checked as it comes in. `osctl bootstrap --recover-from` begins a cluster from it.
    Snapshot(snapshots::ToFile),
    /// Show the snapshots that nodes take by themselves and keep, or copy one into a file
    ///
    /// The document `Etcd` says when they are taken and how many stay.
    Snapshots {
        #[command(subcommand)]
        command: Option<snapshots::Command>,
    },
}

/// What to do about alarms.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Alarms {
    /// Show them
    List,
    /// Say that they are over; those whose reason is still there come again
    Disarm,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: Command, format: Format) -> Result<()> {
    match command {
        Command::Members => members(session, format).await,
        Command::Status => status(session, format).await,
        Command::Alarms { command } => match command.unwrap_or(Alarms::List) {
            Alarms::List => alarms(session, format).await,
            Alarms::Disarm => disarm(session, format).await,
        },
        Command::Compact => compact(session, format).await,
        Command::Defrag => defrag(session, format).await,
        Command::ForfeitLeadership => forfeit(session, format).await,
        Command::Leave => leave(session, format).await,
        Command::Join => join(session, format).await,
        Command::RemoveMember { member } => remove(session, &member, format).await,
        Command::Snapshot(into) => {
            snapshot::run(session, &snapshot::Source::Now, &into, format).await
        }
        Command::Snapshots { command } => {
            let command = command.unwrap_or(snapshots::Command::List);
            snapshots::run(session, command, format).await
        }
    }
}

fn client(channel: Channel) -> EtcdServiceClient<Channel> {
    EtcdServiceClient::new(channel)
}

async fn members(session: &Session, format: Format) -> Result<()> {
    let ask = |channel| async move {
        let answer = client(channel).members(v1::EtcdMembersRequest {}).await?;
        Ok(answer.into_inner())
    };
    let (_, answer) = session.any(ask).await?;
    table::members(&answer, format)
}

async fn alarms(session: &Session, format: Format) -> Result<()> {
    let ask = |channel| async move {
        let answer = client(channel).alarms(v1::EtcdAlarmsRequest {}).await?;
        Ok(answer.into_inner().alarms)
    };
    let (_, alarms) = session.any(ask).await?;
    table::alarms(&alarms, format, "there are no alarms")
}

async fn disarm(session: &Session, format: Format) -> Result<()> {
    let ask = |channel| async move {
        let request = v1::EtcdDisarmAlarmsRequest {};
        Ok(client(channel).disarm_alarms(request).await?.into_inner())
    };
    let (_, answer) = session.any_changed(ask).await?;
    table::alarms(&answer.alarms, format, "there were no alarms to disarm")
}

async fn compact(session: &Session, format: Format) -> Result<()> {
    #[derive(Serialize)]
    struct Compacted {
        revision: u64,
    }
    let ask = |channel| async move {
        let request = v1::EtcdCompactRequest {};
        Ok(client(channel).compact(request).await?.into_inner())
    };
    let (_, answer) = session.any_changed(ask).await?;
    let revision = answer.revision;
    if format != Format::Table {
        return output::value(format, &Compacted { revision });
    }
    output::line(&format!(
        "the history up to revision {revision} is forgotten; `osctl etcd defrag` gives its space back"
    ))
}

async fn remove(session: &Session, member: &str, format: Format) -> Result<()> {
    let ask = |channel| async move {
        let request = v1::EtcdRemoveMemberRequest {
            member: member.to_owned(),
        };
        Ok(client(channel).remove_member(request).await?.into_inner())
    };
    let (_, answer) = session.any_changed(ask).await?;
    let removed = answer.member.unwrap_or_default();
    if format != Format::Table {
        return output::value(format, &table::Member::of(&removed));
    }
    let name = match removed.name.as_str() {
        "" => "one that never started",
        name => name,
    };
    output::line(&format!("removed member {} ({name})", removed.id))
}

/// What a node that was not named answers when it has no etcd.
fn if_any<T>(answer: Result<T, Status>, named: bool) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if status.code() == Code::Unimplemented && !named => Ok(None),
        Err(status) => Err(status.into()),
    }
}

async fn status(session: &Session, format: Format) -> Result<()> {
    let named = !session.asked.is_empty();
    let answers = session.each(|channel| async move {
        let answer = client(channel).status(v1::EtcdStatusRequest {}).await;
        Ok(if_any(answer, named)?.map(tonic::Response::into_inner))
    });
    let mut answers = answers.await?;
    answers.good.retain(|(_, status)| status.is_some());
    table::status(answers.map(Option::unwrap_or_default), format)
}

async fn forfeit(session: &Session, format: Format) -> Result<()> {
    let answers = session.each_changed(|channel| async move {
        let request = v1::EtcdForfeitLeadershipRequest {};
        let leader = client(channel).forfeit_leadership(request).await?;
        Ok(match leader.into_inner().leader.as_str() {
            "" => "its member did not lead".to_owned(),
            leader => format!("{leader} leads now"),
        })
    });
    answers.await?.tell(format)
}

async fn leave(session: &Session, format: Format) -> Result<()> {
    let answers = session.each_changed(|channel| async move {
        let request = v1::EtcdLeaveRequest {};
        let answer = client(channel).leave(request).await?.into_inner();
        Ok(match answer.before {
            true => "had left before",
            false => "has left",
        }
        .to_owned())
    });
    answers.await?.tell(format)
}

async fn join(session: &Session, format: Format) -> Result<()> {
    let answers = session.each_changed(|channel| async move {
        let request = v1::EtcdJoinRequest {};
        let answer = client(channel).join(request).await?.into_inner();
        Ok(match answer.before {
            true => "is on its way already",
            false => "joins; `osctl etcd members` shows how far it is",
        }
        .to_owned())
    });
    answers.await?.tell(format)
}

/// One member after the other: the cluster has to do without the one at hand.
async fn defrag(session: &Session, format: Format) -> Result<()> {
    let progress = Progress::new();
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for target in session.all_changed()? {
        let node = target.name.clone();
        progress.tell(format!("{node}: defragments"));
        let asked = async {
            let channel = connect::connect(&session.context, &target, session.patience).await?;
            let request = v1::EtcdDefragmentRequest {};
            let answer = client(channel).defragment(request).await?;
            let v1::EtcdDefragmentResponse { before, after } = answer.into_inner();
            Ok(format!("{} before, {} now", size(before), size(after)))
        };
        match within(DEFRAGMENT, asked).await {
            Ok(done) => good.push((node, done)),
            Err(error) => {
                failed.push((
                    node,
                    error.context("the members after it are left as they are"),
                ));
                break;
            }
        }
    }
    drop(progress);
    Answers::new(good, failed)
        .tell(format)
        .context("defragmenting")
}
