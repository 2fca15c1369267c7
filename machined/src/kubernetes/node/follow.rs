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
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::ask::{AskError, Asker};
use super::known::{Known, Nodes, Scope};
use super::objects::{Kind, Objects};

/// How long a watch of the own node alone lasts before all are asked for again.
const ALONE: Duration = Duration::from_secs(60);

/// A node with fifty images of long names has about 20 KiB.
const NODES: Kind = Kind {
    path: "/api/v1/nodes",
    page: 100,
};

/// Tells what it finds until it is cancelled.
pub(super) async fn follow(asker: Asker, own: String, known: watch::Sender<Known>) {
    let again = asker.again;
    let follower = Follower {
        nodes: Objects { asker, kind: NODES },
        own,
        known,
    };
    loop {
        if let Err(error) = follower.round().await {
            let fault = Some(cosi::report(&error));
            follower.known.send_if_modified(|known| {
                let news = known.fault != fault;
                known.fault = fault;
                news
            });
        }
        sleep(again).await;
    }
}

struct Follower {
    nodes: Objects,
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
                    sleep(self.nodes.asker.again).await;
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
        // Of each no more is kept than counts: whole nodes are many times as long.
        let (selection, mut nodes) = (self.selection(scope), Nodes::default());
        let listed = self.nodes.list(&selection, |it| nodes.put(&self.own, &it));
        let version = listed.await?;
        self.change(|known| known.replace(&self.own, scope, nodes));
        Ok(version)
    }

    /// Takes in what happens until that ends; the version to go on from, if there is one.
    async fn watch(&self, scope: Scope, from: String) -> Result<Option<String>, AskError> {
        let selection = self.selection(scope);
        let take = |event| self.change(|known| known.take(&self.own, &event));
        self.nodes.watch(&selection, from, take).await
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
