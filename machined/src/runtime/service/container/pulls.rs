//! Has containerd pull and unpack what services are to be started from, and drop what none is any more.
//!
//! Whatever is cut short here is found by containerd the next time: what it has fetched, and the views by their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use containerd::Client;
use cosi::Source;
use futures_util::future::{AbortHandle, BoxFuture, abortable};
use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use thiserror::Error;
use tokio::sync::watch;

use super::image::{ImageError, Run, read};
use crate::runtime::service::rules::Name;

/// The label of views that are ours; its value is the service.
const LABEL: &str = "garboard/service";

/// What a service can be started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime::service) struct Image {
    /// The digest by which its registry knows it.
    pub(in crate::runtime::service) digest: String,
    /// What containerd calls the view of it.
    pub(in crate::runtime::service) key: String,
    /// The folders of its layers, the uppermost first.
    pub(in crate::runtime::service) layers: Vec<PathBuf>,
    /// What it has run.
    pub(in crate::runtime::service) run: Run,
}

/// A pull that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime::service) struct Order {
    /// No other order has it.
    pub(in crate::runtime::service) number: u64,
    /// What.
    pub(in crate::runtime::service) reference: String,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::runtime::service) struct Wanted {
    /// What services wait for.
    pub(in crate::runtime::service) orders: BTreeMap<Name, Order>,
    /// The views that are used; absent while that is not known.
    pub(in crate::runtime::service) keep: Option<BTreeSet<String>>,
}

/// What has become of a pull; why not, in words.
type Outcome = Result<Arc<Image>, String>;

/// What has become of pulls that somebody still waits for.
#[derive(Clone, Debug, Default)]
pub(in crate::runtime::service) struct Known(Arc<Mutex<BTreeMap<Name, (u64, Outcome)>>>);

impl Known {
    /// What has become of an order.
    pub(in crate::runtime::service) fn of(&self, name: &Name, number: u64) -> Option<Outcome> {
        let known = self.locked();
        let known = known.get(name).filter(|(of, _)| *of == number);
        known.map(|(_, outcome)| outcome.clone())
    }

    pub(in crate::runtime::service) fn note(&self, name: Name, number: u64, outcome: Outcome) {
        self.locked().insert(name, (number, outcome));
    }

    fn keep(&self, orders: &BTreeMap<Name, Order>) {
        let ordered = |name: &Name, number: u64| {
            let order = orders.get(name);
            order.is_some_and(|order| order.number == number)
        };
        self.locked()
            .retain(|name, (number, _)| ordered(name, *number));
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Name, (u64, Outcome)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a service cannot be started from its image now.
#[derive(Debug, Error)]
enum PullError {
    #[error(transparent)]
    Containerd(#[from] containerd::Error),
    #[error("the image {0} was pulled and is not there; it may have been removed at once")]
    Gone(String),
    #[error("the image {0}")]
    Image(String, #[source] ImageError),
}

/// Pulls an image unless it is there, and has its layers kept.
async fn pull(client: &Client, name: &Name, reference: &str) -> Result<Image, PullError> {
    let image = match client.image(reference).await? {
        Some(image) => image,
        None => {
            tracing::info!(service = %name, image = reference, "pulls its image");
            client.pull(reference).await?;
            let image = client.image(reference).await?;
            image.ok_or_else(|| PullError::Gone(reference.to_owned()))?
        }
    };
    let config = client.content(&image.config).await?;
    let (run, chain) = read(&image.config, &config)
        .map_err(|error| PullError::Image(reference.to_owned(), error))?;
    // The same for the same, so that one is found that was made and not noted.
    let key = format!("garboard-{name}-{}", chain.digits());
    let labels = BTreeMap::from([(LABEL.to_owned(), name.to_string())]);
    let layers = client.view(&key, &chain.to_string(), &labels).await?;
    Ok(Image {
        digest: image.digest,
        key,
        layers: layers.folders().to_vec(),
        run,
    })
}

/// Drops the views that nobody uses.
async fn drop_others(client: &Client, keep: &BTreeSet<String>) -> Result<(), containerd::Error> {
    for key in client.labelled(LABEL).await? {
        if !keep.contains(&key) {
            tracing::info!(
                key,
                "nothing is started from this view of an image any more"
            );
            client.remove(&key).await?;
        }
    }
    Ok(())
}

/// Work that has been done.
enum Done {
    /// Given up: nobody waits for it.
    Aborted,
    Pulled(Name, u64, Outcome),
    Dropped,
}

/// Pulls what is wanted and wakes when one has come to an end, well or not. It owns the pulls: they end with it.
pub(in crate::runtime::service) fn source(
    wanted: watch::Receiver<Wanted>,
    known: Known,
    socket: PathBuf,
) -> Source {
    let puller = Puller {
        wanted,
        known,
        socket,
        client: None,
        running: BTreeMap::new(),
        dropping: false,
        dropped: None,
    };
    let state = (puller, FuturesUnordered::new());
    Box::pin(stream::unfold(state, |(mut puller, mut work)| async move {
        loop {
            puller.begin(&work);
            tokio::select! {
                changed = puller.wanted.changed() => changed.ok()?,
                Some(done) = work.next(), if !work.is_empty() => {
                    if puller.done(done) {
                        return Some(((), (puller, work)));
                    }
                }
            }
        }
    }))
}

type Work = FuturesUnordered<BoxFuture<'static, Done>>;

struct Puller {
    wanted: watch::Receiver<Wanted>,
    known: Known,
    socket: PathBuf,
    client: Option<Client>,
    running: BTreeMap<Name, (u64, AbortHandle)>,
    /// Nothing is pulled meanwhile: what is made for it would be dropped.
    dropping: bool,
    /// What was kept when others were dropped last.
    dropped: Option<BTreeSet<String>>,
}

impl Puller {
    /// Begins what is wanted and not under way, and gives up what is not wanted any more.
    fn begin(&mut self, work: &Work) {
        let Wanted { orders, keep } = self.wanted.borrow_and_update().clone();
        self.known.keep(&orders);
        self.running.retain(|name, (number, handle)| {
            let stays = orders.get(name).is_some_and(|it| it.number == *number);
            if !stays {
                handle.abort();
            }
            stays
        });
        if keep.is_none() {
            self.dropped = None;
        }
        if self.dropping {
            return;
        }
        for (name, order) in orders {
            let known = self.known.of(&name, order.number).is_some();
            if !known && !self.running.contains_key(&name) {
                self.pull(name, order, work);
            }
        }
        if let Some(keep) = keep
            && self.running.is_empty()
            && self.dropped.as_ref() != Some(&keep)
        {
            self.dropping = true;
            self.dropped = Some(keep.clone());
            let client = self.client();
            work.push(Box::pin(async move {
                if let Err(error) = drop_others(&client, &keep).await {
                    let error = cosi::report(&error);
                    tracing::warn!(error, "views of images that nobody uses are left for later");
                }
                Done::Dropped
            }));
        }
    }

    fn pull(&mut self, name: Name, order: Order, work: &Work) {
        let (client, number) = (self.client(), order.number);
        let of = name.clone();
        let (pulled, handle) = abortable(async move {
            let pulled = pull(&client, &of, &order.reference).await;
            (of, pulled)
        });
        self.running.insert(name, (number, handle));
        work.push(Box::pin(async move {
            match pulled.await {
                Ok((name, pulled)) => {
                    let outcome = pulled.map(Arc::new).map_err(|error| cosi::report(&error));
                    Done::Pulled(name, number, outcome)
                }
                Err(_) => Done::Aborted,
            }
        }));
    }

    fn client(&mut self) -> Client {
        let socket = &self.socket;
        self.client
            .get_or_insert_with(|| Client::new(socket))
            .clone()
    }

    /// Whether somebody waits for it.
    fn done(&mut self, done: Done) -> bool {
        match done {
            Done::Aborted => false,
            Done::Dropped => {
                self.dropping = false;
                false
            }
            Done::Pulled(name, number, outcome) => {
                let ours = self.running.get(&name).is_some_and(|it| it.0 == number);
                if ours {
                    self.running.remove(&name);
                    self.known.note(name, number, outcome);
                }
                ours
            }
        }
    }
}
