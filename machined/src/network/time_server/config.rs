//! From the names of time servers to their addresses.
//!
//! Names are looked up by tasks of this controller, which end with it: a name server that does not answer holds up nobody. What a
//! name led to last stands until it leads elsewhere, so a name server that is away for a while costs no time server.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use cosi::{Controller, Cx, Dirty, Error, Outcome, Source};
use futures_util::stream;
use resources::net::{MERGED, ResolverSpec, StaticHostSpec, TIME, TimeServerSpec, TimeSpec};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::network::lookup::{Found, Lookup};

/// Of one name; a pool gives four.
const MOST_ADDRESSES: usize = 4;
/// How long what a name led to is taken for granted: servers of pools come and go.
const FRESH: Duration = Duration::from_secs(30 * 60);
/// After a name led nowhere; doubled every time.
const FIRST_AGAIN: Duration = Duration::from_secs(2);
/// The most it is doubled to.
const LAST_AGAIN: Duration = Duration::from_secs(5 * 60);

/// What is known of a name.
#[derive(Debug)]
struct Name {
    addresses: Vec<IpAddr>,
    /// Why it led nowhere last time.
    error: Option<String>,
    failures: u32,
    again: Instant,
    asking: bool,
}

/// The controller.
#[derive(Debug)]
pub struct Config {
    lookup: Lookup,
    names: BTreeMap<String, Name>,
    /// The lookups under way; dropped with the controller.
    tasks: JoinSet<(String, Found)>,
    /// Counts lookups that have ended.
    ended: watch::Sender<u64>,
}

cosi::declare! {
    Config as "network.time-server.config" {
        reads TimeSpec: MERGED;
        reads ResolverSpec: MERGED;
        reads StaticHostSpec: MERGED;
        writes TimeServerSpec;
    }
}

impl Config {
    /// Looks names up this way.
    #[must_use]
    pub fn new(lookup: Lookup) -> Self {
        Self {
            lookup,
            names: BTreeMap::new(),
            tasks: JoinSet::new(),
            ended: watch::Sender::new(0),
        }
    }

    /// Takes in what lookups have found.
    fn collect(&mut self, now: Instant) {
        while let Some(ended) = self.tasks.try_join_next() {
            // One that panicked is the lookup's own fault, and its name is asked for again.
            let Ok((name, found)) = ended else { continue };
            let Some(name) = self.names.get_mut(&name) else {
                continue;
            };
            name.asking = false;
            match found {
                Ok(addresses) if !addresses.is_empty() => {
                    name.addresses = addresses.into_iter().take(MOST_ADDRESSES).collect();
                    name.error = None;
                    name.failures = 0;
                    name.again = now + FRESH;
                }
                nowhere => {
                    let reason = nowhere
                        .err()
                        .unwrap_or_else(|| "it has no address".to_owned());
                    name.error = Some(reason);
                    name.again =
                        now + (FIRST_AGAIN * 2_u32.pow(name.failures.min(8))).min(LAST_AGAIN);
                    name.failures += 1;
                }
            }
        }
    }

    /// Asks for what is not known, or not any more. `anew`: the name servers are others than before.
    fn ask(&mut self, wanted: &[String], anew: bool, now: Instant) {
        self.names.retain(|name, _| wanted.contains(name));
        for wanted in wanted {
            let name = self.names.entry(wanted.clone()).or_insert_with(|| Name {
                addresses: Vec::new(),
                error: None,
                failures: 0,
                again: now,
                asking: false,
            });
            if anew {
                name.failures = 0;
                name.again = now;
            }
            if name.asking || name.again > now {
                continue;
            }
            name.asking = true;
            let (found, ended) = (self.lookup.name(wanted.clone()), self.ended.clone());
            let wanted = wanted.clone();
            self.tasks.spawn(async move {
                let found = found.await;
                ended.send_modify(|it| *it = it.wrapping_add(1));
                (wanted, found)
            });
        }
    }

    /// When something is to be asked for next.
    fn next(&self) -> Option<Instant> {
        let idle = self.names.values().filter(|it| !it.asking);
        idle.map(|it| it.again).min()
    }
}

/// The addresses of servers: each once, by the first name that leads there.
fn specs(
    servers: &[String],
    found: impl Fn(&str) -> Vec<IpAddr>,
) -> BTreeMap<String, TimeServerSpec> {
    let mut specs = BTreeMap::new();
    for server in servers {
        let addresses = match server.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => found(server),
        };
        for address in addresses {
            let spec = TimeServerSpec {
                address,
                server: server.clone(),
            };
            specs.entry(address.to_string()).or_insert(spec);
        }
    }
    specs
}

impl Controller for Config {
    fn sources(&mut self) -> Vec<Source> {
        let ended = stream::unfold(self.ended.subscribe(), |mut ended| async move {
            ended.changed().await.ok()?;
            Some(((), ended))
        });
        vec![Box::pin(ended)]
    }

    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, dirty: &Dirty) -> Result<Outcome, Error> {
        // Without a word of anybody what was asked before stays.
        let Some(spec) = cx.get::<TimeSpec>(TIME) else {
            return Ok(Outcome::Done);
        };
        let now = Instant::now();
        self.collect(now);
        let servers: &[String] = match spec.spec.enabled {
            true => &spec.spec.servers,
            false => &[],
        };
        let names: Vec<String> = servers
            .iter()
            .filter(|it| it.parse::<IpAddr>().is_err())
            .cloned()
            .collect();
        let anew = dirty.ids::<ResolverSpec>().next().is_some()
            || dirty.ids::<StaticHostSpec>().next().is_some();
        self.ask(&names, anew, now);
        let known = |name: &str| self.names.get(name).map(|it| it.addresses.clone());
        let specs = specs(servers, |name| known(name).unwrap_or_default());
        cx.replace::<TimeServerSpec>();
        for (id, spec) in specs {
            cx.put(id, spec);
        }
        for (name, known) in &self.names {
            if let Some(error) = &known.error {
                tracing::debug!(name, error, "time server not found");
            }
        }
        Ok(match self.next() {
            Some(at) => Outcome::Requeue(at.saturating_duration_since(now)),
            None => Outcome::Done,
        })
    }
}
