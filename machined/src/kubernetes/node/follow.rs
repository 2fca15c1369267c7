//! Follows what the cluster says of its nodes: a list of them, and what happens to them from there on.
//!
//! ```text
//!             +------- broken, or too old to go on -------+
//!             v                                           |
//!   list of all --------------------------------> watch from its version --+
//!     | forbidden                                         ^   ended, silent |
//!     v                                                   +-----------------+
//!   list of the own one --> watch it until it ends, and try all again
//! ```
//!
//! A kubelet may read its own node by itself, and others once the cluster's rules let nodes. It never ends; cancelling it is safe,
//! as what it knows is where it was put.

use std::time::Duration;

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::ask::{AskError, Asker};
use super::known::{Event, Known, Nodes, Scope, event, page};

/// So many nodes come in one answer: a node with fifty images of long names has about 20 KiB.
const PAGE: u32 = 100;

/// How long a watch may be silent. An API server gives a sign of life about every minute (its bookmarks), but does not promise it, so
/// after this it is asked anew from where it was.
const SILENCE: Duration = Duration::from_secs(150);

/// How long a watch of the own node alone lasts before all are asked for again.
const ALONE: Duration = Duration::from_secs(60);

/// Where nodes are.
const NODES: &str = "/api/v1/nodes";

/// Tells what it finds until it is cancelled.
pub(super) async fn follow(asker: Asker, own: String, known: watch::Sender<Known>) {
    let follower = Follower { asker, own, known };
    loop {
        if let Err(error) = follower.round().await {
            let fault = Some(cosi::report(&error));
            follower.known.send_if_modified(|known| {
                let news = known.fault != fault;
                known.fault = fault;
                news
            });
        }
        sleep(follower.asker.again).await;
    }
}

struct Follower {
    asker: Asker,
    own: String,
    known: watch::Sender<Known>,
}

impl Follower {
    /// From a list to what cannot be gone on from.
    async fn round(&self) -> Result<(), AskError> {
        let (scope, version) = match self.list(Scope::All).await {
            Err(AskError::Client(error)) if error.status() == Some(StatusCode::FORBIDDEN) => {
                (Scope::Own, self.list(Scope::Own).await?)
            }
            other => (Scope::All, other?),
        };
        match scope {
            Scope::All => {
                let mut from = version;
                while let Some(version) = self.watch(scope, from).await? {
                    from = version;
                    sleep(self.asker.again).await;
                }
                Ok(())
            }
            Scope::Own => match timeout(ALONE, self.watch(scope, version)).await {
                Ok(ended) => ended.map(drop),
                Err(_) => Ok(()),
            },
        }
    }

    /// Takes in the list; as new as what it is comes back.
    async fn list(&self, scope: Scope) -> Result<String, AskError> {
        let client = self.asker.kubelet().await?;
        let first = format!("{NODES}?limit={PAGE}{}", self.selection(scope));
        let mut path = first.clone();
        // Of each part no more is kept than counts: whole nodes are many times as long.
        let mut nodes = Nodes::default();
        loop {
            let page = page(&client.get(&path).await?, &self.own, &mut nodes)?;
            let Some(more) = page.more else {
                self.change(|known| known.replace(&self.own, scope, nodes));
                return Ok(page.version);
            };
            let more = utf8_percent_encode(&more, NON_ALPHANUMERIC);
            path = format!("{first}&continue={more}");
        }
    }

    /// Takes in what happens until that ends; the version to go on from, if there is one.
    async fn watch(&self, scope: Scope, from: String) -> Result<Option<String>, AskError> {
        let client = self.asker.kubelet().await?;
        let path = format!(
            "{NODES}?watch=true&allowWatchBookmarks=true&resourceVersion={from}{}",
            self.selection(scope)
        );
        let mut lines = match client.lines(&path).await {
            Err(error) if error.status() == Some(StatusCode::GONE) => return Ok(None),
            other => other?,
        };
        // Whoever answers is well, even if nothing has happened.
        self.change(|known| known.fault = None);
        let mut from = from;
        while let Ok(said) = timeout(SILENCE, lines.next()).await {
            let Some(said) = said? else { break };
            let (event, at) = event(said)?;
            if event == Event::TooOld {
                return Ok(None);
            }
            self.change(|known| known.take(&self.own, &event));
            from = at.unwrap_or(from);
        }
        Ok(Some(from))
    }

    fn selection(&self, scope: Scope) -> String {
        match scope {
            Scope::All => String::new(),
            Scope::Own => format!("&fieldSelector=metadata.name%3D{}", self.own),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        self.known.send_if_modified(|known| {
            let before = known.clone();
            change(known);
            *known != before
        });
    }
}

#[cfg(test)]
mod tests;
