//! Several nodes at once: every node gets its answer, and one that fails does not hide the others.

mod any;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;
use tonic::Status;
use tonic::transport::Channel;

use crate::connect::{self, Target};
use crate::context::{Context, ContextFile};
use crate::exit::usage;
use crate::explain::sentence;
use crate::output::{self, Format};

/// What every command that speaks to nodes needs.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The context in use.
    pub(crate) context: Context,
    /// What `-n` named.
    pub(crate) asked: Vec<String>,
    /// How long one node may take to answer.
    pub(crate) patience: Duration,
}

impl Session {
    /// The session of a context whose certificate holds at `now`. A node that is named twice is one node.
    pub(crate) fn new(
        file: &ContextFile,
        name: Option<&str>,
        mut asked: Vec<String>,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Self> {
        let (name, context) = file.pick(name)?;
        context.check(&name, now)?;
        let mut seen = BTreeSet::new();
        asked.retain(|name| seen.insert(name.clone()));
        Ok(Self {
            context,
            asked,
            patience,
        })
    }

    /// Calls every node asked for, at once, and gives the results of those that answered; the others are reported, and
    /// make the command fail after the results are shown.
    pub(crate) async fn each<T, F>(&self, call: impl Fn(Channel) -> F) -> Result<Answers<T>>
    where
        F: Future<Output = Result<T>>,
    {
        self.each_of(connect::targets(&self.context, &self.asked)?, call)
            .await
    }

    /// As [`each`](Self::each), for a command that changes something.
    pub(crate) async fn each_changed<T, F>(&self, call: impl Fn(Channel) -> F) -> Result<Answers<T>>
    where
        F: Future<Output = Result<T>>,
    {
        self.each_of(
            connect::targets_of_a_change(&self.context, &self.asked)?,
            call,
        )
        .await
    }

    /// As [`each`](Self::each), for what takes as long as it takes: every wait in it has its own end.
    pub(crate) async fn each_in_its_own_time<T, F>(
        &self,
        call: impl Fn(String, Channel) -> F,
    ) -> Result<Answers<T>>
    where
        F: Future<Output = Result<T>>,
    {
        let targets = connect::targets(&self.context, &self.asked)?;
        let names = targets
            .into_iter()
            .map(|target| (target.name.clone(), target));
        let connect = |_, target: Target| async move {
            connect::connect(&self.context, &target, self.patience).await
        };
        let connected = Answers::new(names.collect(), Vec::new())
            .then(connect)
            .await;
        Ok(connected.then(call).await)
    }

    async fn each_of<T, F>(
        &self,
        targets: Vec<Target>,
        call: impl Fn(Channel) -> F,
    ) -> Result<Answers<T>>
    where
        F: Future<Output = Result<T>>,
    {
        let calls = targets.iter().map(|target| self.call(target, &call));
        let results = join_all(calls).await;
        let mut answers = Answers::new(Vec::new(), Vec::new());
        for (target, result) in targets.into_iter().zip(results) {
            match result {
                Ok(answer) => answers.good.push((target.name, answer)),
                Err(error) => answers.failed.push((target.name, error)),
            }
        }
        Ok(answers)
    }

    /// Calls one node, which has so long to answer and no longer.
    async fn call<T, F>(&self, target: &Target, call: impl Fn(Channel) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let channel = connect::connect(&self.context, target, self.patience).await?;
        within(self.patience, call(channel)).await
    }

    /// The nodes that a command is for.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let targets = connect::targets(&self.context, &self.asked)?;
        Ok(targets.into_iter().map(|it| it.name).collect())
    }

    /// The one node that a command is for, which changes it.
    pub(crate) fn one_changed(&self) -> Result<String> {
        let targets = connect::targets_of_a_change(&self.context, &self.asked)?;
        match targets.as_slice() {
            [target] => Ok(target.name.clone()),
            _ => Err(one_of(&targets)),
        }
    }

    /// Calls a node by its name: one of the answers once more, or the one the command is for.
    pub(crate) async fn again<T, F>(&self, name: &str, call: impl Fn(Channel) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        self.call(&connect::target(&self.context, name)?, call)
            .await
    }

    /// The nodes that a command is for, which changes them.
    pub(crate) fn all_changed(&self) -> Result<Vec<Target>> {
        connect::targets_of_a_change(&self.context, &self.asked)
    }

    /// Waits for an answer, but not for ever.
    pub(crate) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<T> {
        within(self.patience, async { Ok(answer.await?) }).await
    }

    /// Calls the one node that the command is for, which only shows something: it ends as well when nobody reads that
    /// any more, though nothing more may come that could not be written.
    pub(crate) async fn one<F>(&self, call: impl FnOnce(String, Channel) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let mut targets = connect::targets(&self.context, &self.asked)?;
        if targets.len() > 1 {
            return Err(one_of(&targets));
        }
        let target = targets.pop().context("no node to speak to")?;
        let shown = async {
            let channel = connect::connect(&self.context, &target, self.patience).await?;
            call(target.name.clone(), channel).await
        };
        tokio::select! {
            shown = shown => shown.with_context(|| target.name.clone()),
            gone = output::reader_gone() => Err(gone.into()),
        }
    }
}

/// A node that was reached has not answered in time; what it was to do, it may do yet.
#[derive(Debug, Error)]
#[error("no answer in {0} s; --timeout gives it longer")]
struct Late(u64);

/// Several nodes were named where one is meant.
fn one_of(targets: &[Target]) -> anyhow::Error {
    let names: Vec<_> = targets.iter().map(|target| target.name.as_str()).collect();
    usage(format!(
        "this is for one node; choose it with -n: {}",
        names.join(", ")
    ))
}

/// Waits for an answer so long and no longer.
pub(crate) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answered) => answered,
        Err(_) => Err(Late(patience.as_secs()).into()),
    }
}

/// What the nodes answered.
#[derive(Debug)]
pub(crate) struct Answers<T> {
    /// Nodes that answered, with their answers.
    pub(crate) good: Vec<(String, T)>,
    failed: Vec<(String, anyhow::Error)>,
}

impl<T> Answers<T> {
    /// Answers of some nodes and failures of others.
    pub(crate) fn new(good: Vec<(String, T)>, failed: Vec<(String, anyhow::Error)>) -> Self {
        Self { good, failed }
    }

    /// Whether a single node was asked, so that nobody needs to be told which one answered.
    pub(crate) fn are_of_one(&self) -> bool {
        self.good.len() + self.failed.len() == 1
    }

    /// The same answers in another form.
    pub(crate) fn map<U>(self, form: impl Fn(T) -> U) -> Answers<U> {
        let good = self.good.into_iter();
        let good = good.map(|(node, answer)| (node, form(answer))).collect();
        Answers::new(good, self.failed)
    }

    /// Goes on with the nodes that answered, all at once; who fails at this has failed.
    pub(crate) async fn then<U, F>(self, call: impl Fn(String, T) -> F) -> Answers<U>
    where
        F: Future<Output = Result<U>>,
    {
        let calls = self.good.into_iter().map(|(node, answer)| {
            let call = call(node.clone(), answer);
            async { (node, call.await) }
        });
        let mut after = Answers::new(Vec::new(), self.failed);
        for (node, result) in join_all(calls).await {
            match result {
                Ok(answer) => after.good.push((node, answer)),
                Err(error) => after.failed.push((node, error)),
            }
        }
        after
    }

    /// Shows the answers, in a table as it says how, and reports the nodes that failed.
    pub(crate) fn show(self, format: Format, table: impl Fn(&str, &T) -> Result<()>) -> Result<()>
    where
        T: Serialize,
    {
        if format == Format::Table {
            for (node, answer) in &self.good {
                table(node, answer)?;
            }
        } else {
            output::values_per_node(format, &self.good)?;
        }
        self.finish()
    }

    /// Shows what became of each node, in a few words.
    pub(crate) fn tell(self, format: Format) -> Result<()>
    where
        T: Display + Serialize,
    {
        #[derive(Serialize)]
        struct Done<T> {
            result: T,
        }
        let answers = self.map(|result| Done { result });
        answers.show(format, |node, done| {
            output::line(&format!("{node}: {}", done.result))
        })
    }

    /// Reports the nodes that failed; an error when there are any.
    pub(crate) fn finish(mut self) -> Result<()> {
        let asked = self.good.len() + self.failed.len();
        if asked == 1 {
            return match self.failed.pop() {
                Some((node, error)) => Err(error.context(node)),
                None => Ok(()),
            };
        }
        for (node, error) in &self.failed {
            output::note(&format!("osctl: {node}: {}", sentence(error)));
        }
        match self.failed.len() {
            0 => Ok(()),
            failed => bail!("{failed} of {asked} nodes did not answer as they should"),
        }
    }
}
