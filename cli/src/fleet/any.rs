//! What any node can tell or do: nodes are asked one after the other.

use std::error::Error as _;

use anyhow::{Context as _, Result, bail};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::{Late, Session, within};
use crate::connect;
use crate::explain::sentence;
use crate::output;

impl Session {
    /// Asks the nodes one after the other until one can tell: for what any of them knows. Gives its name, too.
    pub(crate) async fn any<T, F>(&self, call: impl Fn(Channel) -> F) -> Result<(String, T)>
    where
        F: Future<Output = Result<T>>,
    {
        self.any_of(Asked::ToTell, call).await
    }

    /// The same for what any of them can do, once.
    pub(crate) async fn any_changed<T, F>(&self, call: impl Fn(Channel) -> F) -> Result<(String, T)>
    where
        F: Future<Output = Result<T>>,
    {
        self.any_of(Asked::ToChange, call).await
    }

    async fn any_of<T, F>(&self, what: Asked, call: impl Fn(Channel) -> F) -> Result<(String, T)>
    where
        F: Future<Output = Result<T>>,
    {
        let (mut failures, mut strangers) = (Vec::new(), Vec::new());
        for target in connect::targets(&self.context, &self.asked)? {
            let name = target.name.clone();
            let channel = connect::connect(&self.context, &target, self.patience).await;
            let channel = match channel {
                Ok(channel) => channel,
                Err(error) => {
                    failures.push(error.context(name));
                    continue;
                }
            };
            let error = match within(self.patience, call(channel)).await {
                Ok(answer) => return Ok((name, answer)),
                Err(error) => error,
            };
            match next(&error, what) {
                Next::Ask => failures.push(error.context(name)),
                Next::AskWhoHasIt => strangers.push(error.context(name)),
                Next::End => return Err(error.context(name)),
            }
        }
        if failures.len() > 1 {
            for error in &failures {
                output::note(&format!("osctl: {}", sentence(error)));
            }
            bail!("none of {} nodes answered as it should", failures.len());
        }
        let why = failures.pop().or_else(|| strangers.into_iter().next());
        Err(why.context("no node to speak to")?)
    }
}

/// What any node is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// To tell something.
    ToTell,
    /// To change something, which must not be done twice.
    ToChange,
}

/// What to do when a node that was reached fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It cannot now: ask the next.
    Ask,
    /// It is none of those that can: ask the next, and say nothing of it.
    AskWhoHasIt,
    /// It has answered, or what it was to do may be done.
    End,
}

fn next(error: &anyhow::Error, what: Asked) -> Next {
    let again = match what {
        Asked::ToTell => Next::Ask,
        Asked::ToChange => Next::End,
    };
    let status = match error.downcast_ref::<Status>() {
        Some(status) => status,
        None if error.is::<Late>() => return again,
        None => return Next::End,
    };
    match status.code() {
        // Made on this side: the connection broke on the way there or back.
        _ if status.source().is_some() => again,
        Code::Unavailable => Next::Ask,
        Code::Unimplemented => Next::AskWhoHasIt,
        _ => Next::End,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_not_asked_for_where_it_may_be_done() {
        let broke = || Status::from_error(Box::new(std::io::Error::other("it hung up")));
        let cases: [(anyhow::Error, Next, Next); 6] = [
            (Late(10).into(), Next::Ask, Next::End),
            (broke().into(), Next::Ask, Next::End),
            (Status::unavailable("").into(), Next::Ask, Next::Ask),
            (
                Status::unimplemented("").into(),
                Next::AskWhoHasIt,
                Next::AskWhoHasIt,
            ),
            (Status::not_found("").into(), Next::End, Next::End),
            (Status::permission_denied("").into(), Next::End, Next::End),
        ];
        for (error, told, changed) in cases {
            assert_eq!(next(&error, Asked::ToTell), told, "{error:?}");
            assert_eq!(next(&error, Asked::ToChange), changed, "{error:?}");
        }
    }
}
