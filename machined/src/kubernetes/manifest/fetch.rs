//! Fetches the manifests that the config has no more of than where they are.
//!
//! Each is fetched by a task of this controller, once while the node runs and the config says the same of it; one that could not be
//! fetched, or is no manifest, is tried again later each time. Until then it has no objects, and a reason why.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::config::{Documents, KubernetesManifestConfig, KubernetesObjects, KubernetesObjectsError};
use aws_lc_rs::digest::{SHA256, digest};
use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use data_encoding::HEXLOWER;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::Uri;
use resources::config::MachineConfig;
use resources::kubernetes::{KUBERNETES, KubernetesSpec, Manifest};
use resources::net::{MERGED, ResolverSpec, StaticHostSpec};
use resources::runtime::TrustedRootsSpec;
use store::{Spec as _, Store};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::id;
use crate::network::fetch::{authorities, fetch, shown};
use crate::network::lookup::Resolvers;

/// The longest manifest, in bytes: the largest that projects publish, with the schemas of dozens of kinds, have three quarters of it.
const MOST: usize = 4 * 1024 * 1024;

/// After the first failure; doubled every time.
const FIRST_AGAIN: Duration = Duration::from_secs(2);
/// The most it is doubled to.
const LAST_AGAIN: Duration = Duration::from_secs(5 * 60);
/// So often that the last is reached.
const DOUBLINGS: u32 = 8;

/// The bytes behind a URL; why there are none is for a person.
type Fetched = Result<Vec<u8>, String>;

/// A way to fetch what is behind a URL.
#[derive(Clone)]
pub struct Way(Arc<dyn Fn(String) -> BoxFuture<'static, Fetched> + Send + Sync>);

impl Way {
    /// This way.
    pub fn new(
        with: impl Fn(String) -> BoxFuture<'static, Fetched> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(with))
    }

    /// The node's own: it believes the authorities that browsers believe and those of its config, and asks its name servers, as they
    /// are then.
    #[must_use]
    pub fn of(store: Store) -> Self {
        Self::new(move |url| {
            let snapshot = store.snapshot();
            let resolvers = Resolvers::of(&snapshot);
            let roots =
                snapshot.list_as::<TrustedRootsSpec>(TrustedRootsSpec::DEFINITION.namespace);
            let roots: Vec<_> = roots.map(|it| it.spec.certificates.clone()).collect();
            Box::pin(async move {
                let url: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
                let tls = authorities(roots.iter().map(String::as_str));
                let tls = tls.map_err(|error| cosi::report(&error))?;
                let fetched = fetch(&url, MOST, &resolvers, Some(&tls)).await;
                fetched
                    .map_err(|error| format!("fetching {}: {}", shown(&url), cosi::report(&error)))
            })
        })
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").finish_non_exhaustive()
    }
}

/// Why what was fetched is no manifest.
#[derive(Debug, Error)]
enum ReadError {
    #[error(
        "what was fetched has the SHA-256 {0}, not the one of the config; nothing of it is created"
    )]
    Sum(String),
    #[error("what was fetched is no text")]
    Text,
    #[error("what was fetched is no manifest, and nothing of it is created: {0}")]
    Objects(KubernetesObjectsError),
}

/// The objects of what was fetched, each in JSON.
fn read(bytes: Vec<u8>, sha256: Option<&str>) -> Result<Vec<String>, ReadError> {
    let sum = HEXLOWER.encode(digest(&SHA256, &bytes).as_ref());
    if sha256.is_some_and(|it| it != sum) {
        return Err(ReadError::Sum(sum));
    }
    let text = String::from_utf8(bytes).map_err(|_| ReadError::Text)?;
    let objects: KubernetesObjects = text.parse().map_err(ReadError::Objects)?;
    Ok(objects.objects().iter().map(ToString::to_string).collect())
}

/// What the config says of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    url: String,
    sha256: Option<String>,
}

fn wanted(documents: &Documents) -> BTreeMap<String, Wanted> {
    let wanted = |it: &KubernetesManifestConfig| {
        let wanted = Wanted {
            url: it.url.as_ref()?.to_string(),
            sha256: it.sha256.as_ref().map(ToString::to_string),
        };
        Some((id(&it.name), wanted))
    };
    documents
        .kubernetes_manifests()
        .filter_map(wanted)
        .collect()
}

/// What is known of a manifest.
#[derive(Debug)]
struct Known {
    wanted: Wanted,
    manifest: Manifest,
    failures: u32,
    /// When it is fetched next; none when it is not, or is being fetched.
    again: Option<Instant>,
}

/// The controller.
#[derive(Debug)]
pub struct Fetch {
    way: Way,
    known: BTreeMap<String, Known>,
    /// What is being fetched; dropped with the controller.
    tasks: JoinSet<(String, Wanted, Result<Vec<String>, String>)>,
    /// Counts those that have ended.
    ended: watch::Sender<u64>,
}

cosi::declare! {
    Fetch as "kubernetes.manifest.fetch" {
        reads MachineConfig;
        reads KubernetesSpec;
        reads TrustedRootsSpec;
        reads ResolverSpec: MERGED;
        reads StaticHostSpec: MERGED;
        shares Manifest;
    }
}

impl Fetch {
    /// Fetches this way.
    #[must_use]
    pub fn new(way: Way) -> Self {
        Self {
            way,
            known: BTreeMap::new(),
            tasks: JoinSet::new(),
            ended: watch::Sender::new(0),
        }
    }

    /// Takes in what was fetched.
    fn collect(&mut self, now: Instant) {
        while let Some(ended) = self.tasks.try_join_next() {
            let Ok((id, wanted, fetched)) = ended else {
                continue;
            };
            // The config may say something else of it by now.
            let known = self.known.get_mut(&id);
            let Some(known) = known.filter(|it| it.wanted == wanted) else {
                continue;
            };
            match fetched {
                Ok(objects) => {
                    known.manifest = Manifest {
                        objects,
                        reason: String::new(),
                    };
                }
                Err(reason) => {
                    tracing::warn!(manifest = id, reason, "manifest not fetched");
                    known.manifest.reason = reason;
                    let pause = FIRST_AGAIN * 2_u32.pow(known.failures.min(DOUBLINGS));
                    known.again = Some(now + pause.min(LAST_AGAIN));
                    known.failures += 1;
                }
            }
        }
    }

    /// Fetches what is to be fetched now. `anew`: what hindered it may be over.
    fn begin(&mut self, wanted: BTreeMap<String, Wanted>, anew: bool, now: Instant) {
        self.known
            .retain(|id, it| wanted.get(id) == Some(&it.wanted));
        for (id, wanted) in wanted {
            let known = self.known.entry(id.clone()).or_insert_with(|| Known {
                wanted: wanted.clone(),
                manifest: Manifest {
                    objects: Vec::new(),
                    reason: "it is being fetched".to_owned(),
                },
                failures: 0,
                again: Some(now),
            });
            let due = known.again.is_some_and(|it| anew || it <= now);
            if !due {
                continue;
            }
            known.again = None;
            if anew {
                known.failures = 0;
            }
            let (fetched, ended) = ((self.way.0)(wanted.url.clone()), self.ended.clone());
            self.tasks.spawn(async move {
                let fetched = fetched.await.and_then(|bytes| {
                    let objects = read(bytes, wanted.sha256.as_deref());
                    objects.map_err(|error| cosi::report(&error))
                });
                ended.send_modify(|it| *it = it.wrapping_add(1));
                (id, wanted, fetched)
            });
        }
    }
}

impl Controller for Fetch {
    fn sources(&mut self) -> Vec<Source> {
        let ended = stream::unfold(self.ended.subscribe(), |mut ended| async move {
            ended.changed().await.ok()?;
            Some(((), ended))
        });
        vec![Box::pin(ended)]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        let now = Instant::now();
        self.collect(now);
        let cluster = cx.get::<KubernetesSpec>(KUBERNETES);
        let wanted = match cluster.filter(|it| it.spec.control_plane) {
            Some(_) => {
                let documents = crate::config::documents(cx.parts().0)?;
                wanted(&documents)
            }
            None => BTreeMap::new(),
        };
        let anew = dirty.ids::<TrustedRootsSpec>().next().is_some()
            || dirty.ids::<ResolverSpec>().next().is_some()
            || dirty.ids::<StaticHostSpec>().next().is_some();
        self.begin(wanted, anew, now);
        cx.replace::<Manifest>();
        for (id, known) in &self.known {
            cx.put(id.clone(), known.manifest.clone());
        }
        let next = self.known.values().filter_map(|it| it.again).min();
        Ok(match next {
            Some(at) => Outcome::Requeue(at.saturating_duration_since(now)),
            None => Outcome::Done,
        })
    }
}

#[cfg(test)]
mod tests;
