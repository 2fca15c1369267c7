//! Publishes the API's endpoint: pairing while no config says who may call, mutual TLS with the config's authority after
//! that.
//!
//! A node is never without a way in. When the config cannot be served, the endpoint is that of maintenance mode and says
//! why; that is no failure of this controller, which would keep the whole runtime from rest.

use std::sync::Arc;
use std::time::Duration;

use ::config::{ApiTrustConfig, Documents};
use cosi::{Controller, Cx, Dirty, Error, Outcome};
use jiff::Timestamp;
use pki::{Authority, Identity, Names, Trust};
use resources::config::{self, MachineConfig};
use resources::net::{CURRENT, HOSTNAME, HostnameSpec, NodeAddress};
use resources::runtime::Condition;
use thiserror::Error as ThisError;
use tokio::sync::watch;

use crate::api::{Endpoint, Issuer, RenewError, Wanted};
use crate::config::{Active, ActiveError};
use crate::join::{JOIN, Joined};
use crate::kubernetes::files::endpoint;
use crate::runtime::stage::status::{API, CONFIG, SOURCE, STORE};

/// How often the certificate is looked at: when the clock is stepped, no timer says so.
const LOOK: Duration = Duration::from_secs(60);

/// Why the API cannot be what the config asks for.
#[derive(Debug, ThisError)]
pub(crate) enum ServingError {
    #[error("reading the active config")]
    Config(#[source] ActiveError),
    #[error("the config has no ApiTrust document")]
    NoTrust,
    #[error("the ApiTrust document has neither an issuer nor a serving certificate")]
    NoIdentity,
    #[error("the authorities of the ApiTrust document")]
    Trust(#[source] pki::TrustError),
    #[error("the issuer of the ApiTrust document")]
    Issuer(#[source] pki::IssueError),
    #[error("the serving certificate of the ApiTrust document")]
    Serving(#[source] pki::IdentityError),
    #[error("presenting a certificate")]
    Present(#[source] pki::tls::TlsError),
    #[error("the node's own certificate")]
    Renew(#[source] RenewError),
    #[error("waiting for a certificate: {0}")]
    Joining(String),
}

/// Why documents cannot be served, found before they become the config.
///
/// # Errors
/// The authority, a certificate or a key of their `ApiTrust` cannot be used now; without that document there is
/// nothing to serve and nothing wrong.
pub(crate) fn check(documents: &Documents, now: Timestamp) -> Result<(), ServingError> {
    let Some(trust) = documents.api_trust() else {
        return Ok(());
    };
    match material(trust, documents.join().is_some())? {
        Material::Issuer(mut issuer) => {
            let wanted = wanted(None, None);
            issuer
                .step(&wanted, now)
                .map(drop)
                .map_err(ServingError::Renew)
        }
        Material::Given { .. } | Material::Joins { .. } => Ok(()),
    }
}

/// What an `ApiTrust` document holds, ready for use.
enum Material {
    /// The node issues its own certificates.
    Issuer(Box<Issuer>),
    /// It was given one.
    Given {
        endpoint: Endpoint,
        until: Timestamp,
    },
    /// Its control planes issue one to it.
    Joins { clients: Trust },
}

/// What an `ApiTrust` gives; `joins`: in a cluster that workers join.
fn material(trust: &ApiTrustConfig, joins: bool) -> Result<Material, ServingError> {
    let ApiTrustConfig {
        ca,
        issuer,
        serving,
    } = trust;
    let clients = Trust::from_pem(ca.as_pem()).map_err(ServingError::Trust)?;
    if let Some(pair) = issuer {
        let authority = Authority::from_pem(pair.certificate.as_pem(), pair.key.as_pem());
        let issuer = Issuer::new(authority.map_err(ServingError::Issuer)?, clients);
        return Ok(Material::Issuer(Box::new(issuer.open(joins))));
    }
    let Some(pair) = serving else {
        return match joins {
            true => Ok(Material::Joins { clients }),
            false => Err(ServingError::NoIdentity),
        };
    };
    let own = Identity::from_pem(pair.certificate.as_pem(), pair.key.as_pem())
        .map_err(ServingError::Serving)?;
    let until = own.certificate().not_after;
    let endpoint = Endpoint::running(&own, &clients).map_err(ServingError::Present)?;
    Ok(Material::Given { endpoint, until })
}

/// What is presented.
enum Source {
    /// Certificates of the node's own, after a config that has not changed since. The host of the cluster's endpoint is a name of
    /// theirs, too: workers ask for it.
    Issuer {
        hash: String,
        issuer: Box<Issuer>,
        endpoint: Names,
    },
    /// A certificate of the config itself, good until then.
    Given { hash: String, until: Timestamp },
    /// What control planes issued; the last that was presented has this serial number.
    Joined {
        hash: String,
        clients: Trust,
        shown: String,
    },
    /// There is no config, or none that can be served.
    Maintenance { reason: Option<String> },
}

/// Publishes the endpoint.
#[expect(missing_debug_implementations, reason = "it holds keys")]
pub struct ServingController {
    maintenance: Identity,
    endpoint: watch::Sender<Arc<Endpoint>>,
    joined: Joined,
    source: Option<Source>,
    /// The hash of a config that cannot be served, and why. What is said of it must stay the same, though the words of
    /// an error may hold the time: we read our own condition, and would wake ourselves for ever.
    refused: Option<(String, String)>,
}

cosi::declare! {
    ServingController as "runtime.serving.apply" {
        reads MachineConfig;
        reads HostnameSpec;
        reads NodeAddress;
        reads Condition;
        shares Condition;
    }
}

impl ServingController {
    /// Presents `maintenance` while there is no config that can be served, and on a worker what `joined` has.
    pub fn new(
        maintenance: Identity,
        endpoint: watch::Sender<Arc<Endpoint>>,
        joined: Joined,
    ) -> Self {
        Self {
            maintenance,
            endpoint,
            joined,
            source: None,
            refused: None,
        }
    }

    /// Presents what the config asks for; says until when.
    fn serve(
        &mut self,
        active: &Arc<MachineConfig>,
        wanted: &Wanted,
        joining: &str,
        now: Timestamp,
    ) -> Result<String, ServingError> {
        self.take_config(active, joining, now)?;
        match &mut self.source {
            Some(Source::Issuer {
                issuer, endpoint, ..
            }) => {
                let mut wanted = wanted.clone();
                wanted.names.names.extend(endpoint.names.iter().cloned());
                wanted.names.addresses.extend(&endpoint.addresses);
                let step = issuer.step(&wanted, now);
                let until = issuer.current().map(|facts| facts.not_after);
                match (step, until) {
                    (Ok(Some((endpoint, reason))), _) => {
                        tracing::info!(
                            ?reason,
                            until = until.map(tracing::field::display),
                            "new serving certificate"
                        );
                        self.endpoint.send_replace(Arc::new(endpoint));
                    }
                    (Ok(None), _) => {}
                    // Callers may not mind yet that it grows old.
                    (Err(error), Some(until)) => {
                        let error = cosi::report(&error);
                        tracing::error!(error, "cannot renew the serving certificate");
                        return Ok(format!(
                            "serves mutual TLS until {until}, for it cannot renew its certificate; its log says why"
                        ));
                    }
                    (Err(error), None) => return Err(ServingError::Renew(error)),
                }
                Ok("serves mutual TLS".to_owned())
            }
            Some(Source::Given { until, .. }) if *until <= now => Ok(format!(
                "serves mutual TLS; the certificate that the config gave ended at {until}"
            )),
            Some(Source::Joined { .. }) => self.serve_joined(joining, now),
            _ => Ok("serves mutual TLS".to_owned()),
        }
    }

    /// The certificate that control planes issued, while it holds.
    fn machine(&self, joining: &str, now: Timestamp) -> Result<Identity, ServingError> {
        let machine = self.joined.get().machine;
        machine
            .filter(|it| it.certificate().is_valid_at(now))
            .ok_or_else(|| ServingError::Joining(joining.to_owned()))
    }

    /// Presents what control planes issued, unless that is over or was done.
    fn serve_joined(&mut self, joining: &str, now: Timestamp) -> Result<String, ServingError> {
        let machine = self.machine(joining, now)?;
        if let Some(Source::Joined { clients, shown, .. }) = &mut self.source
            && *shown != machine.certificate().serial
        {
            let endpoint = Endpoint::running(&machine, clients).map_err(ServingError::Present)?;
            self.endpoint.send_replace(Arc::new(endpoint));
            shown.clone_from(&machine.certificate().serial);
        }
        Ok("serves mutual TLS".to_owned())
    }

    fn take_config(
        &mut self,
        active: &Arc<MachineConfig>,
        joining: &str,
        now: Timestamp,
    ) -> Result<(), ServingError> {
        if matches!(&self.source, Some(Source::Issuer { hash, .. } | Source::Given { hash, .. } | Source::Joined { hash, .. }) if *hash == active.hash)
        {
            return Ok(());
        }
        let read = Active::read(Arc::clone(active)).map_err(ServingError::Config)?;
        let documents = read.documents;
        let trust = documents.api_trust().ok_or(ServingError::NoTrust)?;
        let hash = active.hash.clone();
        let joins = documents.join().is_some();
        self.source = Some(match material(trust, joins)? {
            Material::Issuer(issuer) => Source::Issuer {
                hash,
                issuer,
                endpoint: documents.kubernetes().map(endpoint).unwrap_or_default(),
            },
            // Until there is one, the node is what it was: one that waits.
            Material::Joins { clients } => self.machine(joining, now).map(|_| Source::Joined {
                hash,
                clients,
                shown: String::new(),
            })?,
            Material::Given { endpoint, until } => {
                self.endpoint.send_replace(Arc::new(endpoint));
                Source::Given { hash, until }
            }
        });
        Ok(())
    }

    /// Why a config is not served, as it was said first.
    fn refuse(&mut self, hash: &str, error: &ServingError) -> String {
        if let ServingError::Joining(why) = error {
            return format!("has no certificate of a control plane yet: {why}");
        }
        match &self.refused {
            Some((refused, message)) if refused == hash => message.clone(),
            _ => {
                let message = cosi::report(error);
                tracing::error!(reason = message, "the config cannot be served");
                self.refused = Some((hash.to_owned(), message.clone()));
                message
            }
        }
    }

    fn wait_for_config(&mut self, reason: Option<String>) -> Result<(), ServingError> {
        if matches!(&self.source, Some(Source::Maintenance { reason: shown }) if *shown == reason) {
            return Ok(());
        }
        let endpoint = Endpoint::maintenance(&self.maintenance, reason.clone())
            .map_err(ServingError::Present)?;
        self.endpoint.send_replace(Arc::new(endpoint));
        self.source = Some(Source::Maintenance { reason });
        Ok(())
    }
}

impl Controller for ServingController {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let Some(active) = cx.get::<MachineConfig>(config::ACTIVE) else {
            let unmet = |cx: &Cx<'_, Self>, id| {
                cx.get::<Condition>(id)
                    .filter(|condition| !condition.spec.met)
            };
            // Whoever calls meanwhile waits, rather than be taken for a stranger.
            if self.source.is_none() && unmet(cx, STORE).is_some() {
                return Ok(Outcome::WaitingOn("the node's disk".to_owned()));
            }
            let unmet = unmet(cx, CONFIG).or_else(|| unmet(cx, SOURCE));
            let reason = unmet.map(|condition| condition.spec.message.clone());
            self.wait_for_config(reason)?;
            cx.remove::<Condition>(API);
            return Ok(Outcome::Done);
        };
        // A node always has a name, and a certificate without it would be refused by who calls the node by it.
        let Some(hostname) = cx.get::<HostnameSpec>(HOSTNAME) else {
            return Ok(Outcome::WaitingOn("a host name".to_owned()));
        };
        let addresses = cx.get::<NodeAddress>(CURRENT).map(|typed| typed.spec);
        let wanted = wanted(Some(&hostname.spec), addresses.as_deref());
        let joining = cx.get::<Condition>(JOIN);
        let joining = joining.map_or_else(
            || "it has not asked yet".to_owned(),
            |it| it.spec.message.clone(),
        );
        let served = self.serve(&active.spec, &wanted, &joining, cx.now());
        let condition = match served {
            Ok(message) => {
                self.refused = None;
                Condition { met: true, message }
            }
            Err(error) => {
                let message = self.refuse(&active.spec.hash, &error);
                self.wait_for_config(Some(message.clone()))?;
                Condition {
                    met: false,
                    message,
                }
            }
        };
        cx.put(API, condition);
        Ok(Outcome::Requeue(LOOK))
    }
}

/// What the certificate says: the node's name, with and without its domain, and its addresses.
fn wanted(hostname: Option<&HostnameSpec>, addresses: Option<&NodeAddress>) -> Wanted {
    let mut names = Names::default();
    if let Some(spec) = hostname {
        names.names.insert(spec.hostname.clone());
        if !spec.domain.is_empty() {
            names
                .names
                .insert(format!("{}.{}", spec.hostname, spec.domain));
        }
    }
    names.addresses.extend(
        addresses
            .into_iter()
            .flat_map(|node| &node.addresses)
            .map(|cidr| cidr.address()),
    );
    let subject = hostname.map_or_else(|| "garboard".to_owned(), |spec| spec.hostname.clone());
    Wanted { subject, names }
}
