//! Objects of one kind as an API server has them: a list of all, and what happens to them from there on.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::time::timeout;

use super::ask::{AskError, Asker};
use super::known::{Event, event, page};

/// How long a watch may be silent. An API server gives a sign of life about every minute (its bookmarks), but does not promise it, so
/// after this it is asked anew from where it was.
const SILENCE: Duration = Duration::from_secs(150);

/// Where objects of a kind are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// The path of the list.
    pub(super) path: &'static str,
    /// How many come in one answer.
    pub(super) page: u32,
}

/// The objects of a kind.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    /// Who asks.
    pub(super) asker: Asker,
    /// Which kind.
    pub(super) kind: Kind,
}

impl Objects {
    /// Gives every object that `selection`, what is added to the question, leaves. As new as what the list is comes back.
    ///
    /// # Errors
    /// The list did not come in to its end.
    pub(super) async fn list(
        &self,
        selection: &str,
        mut each: impl FnMut(Value),
    ) -> Result<String, AskError> {
        let client = self.asker.kubelet().await?;
        let Kind { path, page: size } = self.kind;
        let first = format!("{path}?limit={size}{selection}");
        let mut path = first.clone();
        loop {
            let page = page(client.get(&path).await?)?;
            page.items.into_iter().for_each(&mut each);
            let Some(more) = page.more else {
                return Ok(page.version);
            };
            let more = utf8_percent_encode(&more, NON_ALPHANUMERIC);
            path = format!("{first}&continue={more}");
        }
    }

    /// Gives what happens after a version until that ends; the version to go on from, if there is one. The first thing is that
    /// somebody answers.
    ///
    /// # Errors
    /// Nobody does, or he says something strange.
    pub(super) async fn watch(
        &self,
        selection: &str,
        from: String,
        mut each: impl FnMut(Event),
    ) -> Result<Option<String>, AskError> {
        let client = self.asker.kubelet().await?;
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={from}{selection}",
            self.kind.path
        );
        let mut lines = match client.lines(&path).await {
            Err(error) if error.status() == Some(http::StatusCode::GONE) => return Ok(None),
            other => other?,
        };
        // Whoever answers is well, even if nothing has happened.
        each(Event::Still);
        let mut from = from;
        while let Ok(said) = timeout(SILENCE, lines.next()).await {
            let Some(said) = said? else { break };
            let (event, at) = event(said)?;
            if event == Event::TooOld {
                return Ok(None);
            }
            each(event);
            from = at.unwrap_or(from);
        }
        Ok(Some(from))
    }
}
