//! Has a worker get its certificates, and others when half of their life is over.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::config::{Documents, Host, JoinConfig, KubernetesConfig, KubernetesTrustConfig};
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use jiff::Timestamp;
use pki::renewal::Reason;
use pki::{RequestError, Trust, TrustError};
use resources::config::MachineConfig;
use resources::kubernetes::{CertificateStatus, ControlPlane, KUBERNETES, KubernetesSpec};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::Condition;
use thiserror::Error as ThisError;
use tokio::time::Instant;

use super::ask::{Issued, Keys, Server, Worker};
use super::kept::{KeepError, Kept, MACHINE as MACHINE_FILE};
use super::plan::{Wanted, holds, reason};
use super::{FOLDER, Held, JOIN, Joined, MACHINE};
use crate::block::volume::apply::EPHEMERAL;
use crate::kubernetes::address;
use crate::kubernetes::files::status;
use crate::network::lookup::Lookup;

/// After the first failure, and at most: a cluster that comes back is not asked by all of its workers at once every second.
const SOON: Duration = Duration::from_secs(2);
const LATEST: Duration = Duration::from_secs(60);

/// A clock may be set at any moment, so that a certificate is due sooner than it seemed: it is looked at this often.
const AGAIN: Duration = Duration::from_secs(600);

/// From how many addresses of its own a node calls; more have no name of their own to anybody.
const MOST: usize = 8;

/// The controller.
#[derive(Debug)]
pub struct Apply {
    disk: PathBuf,
    memory: PathBuf,
    lookup: Lookup,
    joined: Joined,
    kept: Option<Kept>,
    /// The addresses that were proven, or tried to be, by the last calls.
    asked_with: Option<BTreeSet<IpAddr>>,
    failed: Option<Failed>,
}

/// Nobody gave a certificate.
#[derive(Clone, Debug)]
struct Failed {
    /// How often in a row.
    times: u32,
    /// Why, in words.
    why: String,
    /// When somebody is asked again.
    again: Instant,
    /// What it was asked with; with something else it is asked again at once.
    with: Question,
}

/// The name, the token and the addresses that somebody asked with, and the control planes that he knew.
type Question = (String, String, BTreeSet<IpAddr>, Vec<IpAddr>);

/// Why a worker cannot even ask.
#[derive(Debug, ThisError)]
enum PrepareError {
    #[error(transparent)]
    Keep(#[from] KeepError),
    #[error("the authorities of the config")]
    Trust(#[from] TrustError),
    #[error("making the kubelet's keys")]
    Key(#[from] RequestError),
}

/// What the config says of joining.
struct Orders<'a> {
    join: &'a JoinConfig,
    kubernetes: &'a KubernetesConfig,
    trust: &'a KubernetesTrustConfig,
    api: &'a str,
    /// Where control planes are, as far as the node knows.
    known: Vec<IpAddr>,
}

impl<'a> Orders<'a> {
    fn of(documents: &'a Documents, known: Vec<IpAddr>) -> Option<Self> {
        let api = documents.api_trust()?;
        let trust = documents.kubernetes_trust()?;
        let worker = api.issuer.is_none() && trust.control_plane.is_none();
        worker.then_some(())?;
        Some(Self {
            join: documents.join()?,
            kubernetes: documents.kubernetes()?,
            trust,
            api: api.ca.as_pem(),
            known,
        })
    }

    /// Whom to ask: as the config says, and then those that the node knows or knew. Whoever is there proves himself before he sees the
    /// token.
    fn hosts(&self) -> Vec<Host> {
        let mut hosts = match self.join.control_planes.as_slice() {
            [] => vec![self.kubernetes.endpoint.host().clone()],
            named => named.to_vec(),
        };
        for address in self.known.iter().copied().map(Host::Address) {
            if !hosts.contains(&address) {
                hosts.push(address);
            }
        }
        hosts
    }
}

cosi::declare! {
    Apply as "join.apply" {
        reads MachineConfig;
        reads HostnameSpec;
        reads NodeAddress;
        reads KubernetesSpec;
        reads ControlPlane;
        reads Condition;
        shares Condition;
        shares CertificateStatus;
    }
}

impl Apply {
    /// Keeps the key of the node below `state`, what is of this boot alone below `memory`, and hands what it gets to `joined`.
    #[must_use]
    pub fn new(state: &Path, memory: &Path, lookup: Lookup, joined: Joined) -> Self {
        Self {
            disk: state.join(FOLDER),
            memory: memory.join(FOLDER),
            lookup,
            joined,
            kept: None,
            asked_with: None,
            failed: None,
        }
    }

    fn kept(&mut self) -> Result<&mut Kept, KeepError> {
        if self.kept.is_none() {
            self.kept = Some(Kept::open(&self.disk, &self.memory)?);
        }
        Ok(self.kept.as_mut().expect("it was opened just now"))
    }

    /// Asks one control plane after the other; why none gave anything.
    async fn ask(
        &self,
        orders: &Orders<'_>,
        worker: &Worker<'_>,
        addresses: &BTreeSet<IpAddr>,
    ) -> Result<Issued, String> {
        let mut reasons = Vec::new();
        for host in orders.hosts() {
            let found = match self.lookup.addresses(&host).await {
                Ok(found) => found,
                Err(error) => {
                    reasons.push(error);
                    continue;
                }
            };
            for address in &found {
                let server = Server {
                    host: host.to_string(),
                    address: SocketAddr::new(*address, ::api::PORT),
                };
                match worker.ask(&server, None, None).await {
                    Ok(first) => return Ok(more(worker, &server, &found, first, addresses).await),
                    Err(error) => {
                        let error = cosi::report(&error);
                        reasons.push(format!("asked {host} ({address}): {error}"));
                    }
                }
            }
        }
        Err(reasons.join("; "))
    }

    /// What the node has, and others than it had if they are needed and it is time to ask.
    async fn renew(
        &mut self,
        orders: &Orders<'_>,
        name: &str,
        addresses: &BTreeSet<IpAddr>,
        now: Timestamp,
    ) -> Result<Held, PrepareError> {
        let api = Trust::from_pem(orders.api)?;
        let kubernetes = Trust::from_pem(orders.trust.ca.as_pem())?;
        let (key, held) = self.kept()?.all()?;
        let wanted = Wanted {
            name,
            addresses,
            asked_with: self.asked_with.as_ref(),
            api: &api,
            kubernetes: &kubernetes,
            now,
        };
        let Some(due) = reason(&held, &wanted) else {
            self.failed = None;
            return Ok(held);
        };
        // What the node's API goes on with while nobody answers.
        let machine = held.machine.filter(|it| holds(it, &api, &wanted));
        let held = Held { machine, ..held };
        let token = orders.join.token.as_base64();
        let known = orders.known.clone();
        let with = (name.to_owned(), token.to_owned(), addresses.clone(), known);
        let early = |it: &Failed| it.with == with && Instant::now() < it.again;
        if self.failed.as_ref().is_some_and(early) {
            return Ok(held);
        }
        let keys = Keys::new(&key)?;
        let worker = Worker {
            name,
            token,
            trust: &api,
            keys,
        };
        let asked = self.ask(orders, &worker, addresses).await;
        // What does not hold here would be asked for again and again.
        let asked = asked.and_then(|new| {
            let new = new.held();
            match reason(&new, &Wanted { asked_with: Some(addresses), ..wanted }) {
                None => Ok(new),
                Some(_) => Err(format!("a control plane gave certificates that do not hold here: compare its clock with this one, which says {now}, and the authorities in both configs")),
            }
        });
        self.take(asked, due, held, with)
    }

    /// Keeps what came of asking.
    fn take(
        &mut self,
        asked: Result<Held, String>,
        due: Reason,
        held: Held,
        with: Question,
    ) -> Result<Held, PrepareError> {
        match asked {
            Ok(new) => {
                tracing::info!(reason = ?due, "new certificates from a control plane");
                self.kept()?.keep(&new)?;
                (self.asked_with, self.failed) = (Some(with.2), None);
                Ok(new)
            }
            Err(why) => {
                let times = self.failed.as_ref().map_or(1, |it| it.times + 1);
                tracing::warn!(reason = ?due, why, "no certificates from a control plane");
                let again = Instant::now() + patience(times);
                self.failed = Some(Failed {
                    times,
                    why,
                    again,
                    with,
                });
                Ok(held)
            }
        }
    }
}

/// Calls from the node's other addresses too, so that each is proven. One that leads nowhere is left out.
async fn more(
    worker: &Worker<'_>,
    server: &Server,
    found: &[IpAddr],
    first: Issued,
    addresses: &BTreeSet<IpAddr>,
) -> Issued {
    let mut have = first;
    for from in addresses.iter().take(MOST) {
        if have.machine.certificate().names.addresses.contains(from) {
            continue;
        }
        let Some(to) = found.iter().find(|it| it.is_ipv4() == from.is_ipv4()) else {
            continue;
        };
        let server = Server {
            address: SocketAddr::new(*to, ::api::PORT),
            ..server.clone()
        };
        match worker.ask(&server, Some(*from), Some(&have)).await {
            Ok(new) => have = new,
            Err(error) => {
                let error = cosi::report(&error);
                tracing::warn!(%from, error, "an address is in no certificate of the node");
            }
        }
    }
    have
}

fn patience(times: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(times.saturating_sub(1));
    SOON.saturating_mul(doubled).min(LATEST)
}

/// What the node lacks, or until when it does not.
fn condition(held: &Held, failed: Option<&Failed>) -> Condition {
    let why = failed.map_or("asks a control plane", |it| it.why.as_str());
    let until = held.machine.as_ref().map(|it| it.certificate().not_after);
    let (met, message) = match (until, held.kubelet.is_some(), failed) {
        (Some(until), true, None) => (true, format!("its certificates hold until {until}")),
        (Some(until), true, Some(_)) => (
            true,
            format!("its certificates hold until {until}, and there are no others: {why}"),
        ),
        (Some(_), false, _) => (false, format!("the kubelet has no certificates: {why}")),
        (None, ..) => (false, why.to_owned()),
    };
    Condition { met, message }
}

fn unmet(message: String) -> Condition {
    let met = false;
    Condition { met, message }
}

impl Controller for Apply {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let documents = crate::config::documents(cx.parts().0)?;
        cx.replace::<CertificateStatus>();
        let planes = cx.list::<ControlPlane>();
        let known = planes.iter().flat_map(|it| &it.spec.addresses);
        let known = known.filter_map(|it| it.parse().ok()).collect();
        let Some(orders) = Orders::of(&documents, known) else {
            self.joined.set(Held::default());
            (self.asked_with, self.failed) = (None, None);
            cx.remove::<Condition>(JOIN);
            return Ok(Outcome::Done);
        };
        let mounted = cx.get::<Condition>(EPHEMERAL).is_some_and(|it| it.spec.met);
        let (Some(cluster), Some(known), Some(hostname), true) = (
            cx.get::<KubernetesSpec>(KUBERNETES),
            cx.get::<NodeAddress>(CURRENT),
            cx.get::<HostnameSpec>(HOSTNAME),
            mounted,
        ) else {
            let message = "waits for the node's disk, its name and its addresses";
            cx.put(JOIN, unmet(message.to_owned()));
            return Ok(Outcome::Done);
        };
        let addresses = address::own(&cluster.spec, &known.spec).collect();
        let (now, name) = (cx.now(), &hostname.spec.hostname);
        let held = match self.renew(&orders, name, &addresses, now).await {
            Ok(held) => held,
            Err(error) => {
                // The disk may be another one by the next time.
                self.kept = None;
                cx.put(JOIN, unmet(cosi::report(&error)));
                return Ok(Outcome::Partial(error.into()));
            }
        };
        self.joined.set(held.clone());
        cx.put(JOIN, condition(&held, self.failed.as_ref()));
        if let Some(machine) = &held.machine {
            let file = self.disk.join(MACHINE_FILE).display().to_string();
            cx.put(MACHINE, status(machine.certificate(), file));
        }
        Ok(Outcome::Requeue(match &self.failed {
            Some(failed) => failed.again.saturating_duration_since(Instant::now()),
            None => AGAIN,
        }))
    }
}
