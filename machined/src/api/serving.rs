//! The node's own serving certificate on a node that holds the issuer.
//!
//! [`pki::renewal::plan`] says when, from the time, the certificate and the names it should carry; [`renew_forever`] is the effect: it issues and publishes a new [`Endpoint`], which new connections take at once. Certificates live a day and are
//! renewed at half life, so a node has half a day to find out that its authority is unusable, and a stolen key is of little use.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pki::renewal::{Plan, Reason, plan};
use pki::tls::TlsError;
use pki::{Authority, Certificate, IssueError, Names, SERVING_LIFETIME, Trust};
use tokio::sync::watch;
use tokio::time::sleep;

use super::endpoint::Endpoint;

/// How often the clock is looked at: when it is stepped, no timer says so.
const LOOK: Duration = Duration::from_secs(60);

/// What the certificate should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The common name: the node's name.
    pub subject: String,
    /// Everything the node answers for. Loopback is added here.
    pub names: Names,
}

/// A new certificate could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// Issuing failed.
    #[error("issue the node's serving certificate")]
    Issue(#[source] IssueError),
    /// Presenting failed.
    #[error("serve with the new certificate")]
    Present(#[source] TlsError),
}

/// The issuer of one node's serving certificates.
#[derive(Debug)]
pub struct Issuer {
    authority: Authority,
    clients: Trust,
    /// Whether strangers are answered too, so that workers can join.
    open: bool,
    current: Option<Certificate>,
}

impl Issuer {
    /// An issuer that signs with `authority`; clients prove themselves to `clients`.
    pub fn new(authority: Authority, clients: Trust) -> Self {
        Self {
            authority,
            clients,
            open: false,
            current: None,
        }
    }

    /// The same of a node that workers join through, or not.
    #[must_use]
    pub fn open(self, open: bool) -> Self {
        Self { open, ..self }
    }

    /// A new endpoint if one is needed at `now`, and why.
    ///
    /// # Errors
    /// When issuing fails; the current certificate then goes on.
    pub fn step(
        &mut self,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<(Endpoint, Reason)>, RenewError> {
        let mut names = Names::loopback();
        names.names.extend(wanted.names.names.iter().cloned());
        names.addresses.extend(&wanted.names.addresses);
        let Plan::Renew(reason) = plan(now, self.current.as_ref(), &names) else {
            return Ok(None);
        };
        let own = self
            .authority
            .issue_serving(&wanted.subject, &names, SERVING_LIFETIME, now)
            .map_err(RenewError::Issue)?;
        let endpoint = match self.open {
            true => Endpoint::open(&own, &self.clients),
            false => Endpoint::running(&own, &self.clients),
        };
        let endpoint = endpoint.map_err(RenewError::Present)?;
        self.current = Some(own.certificate().clone());
        Ok(Some((endpoint, reason)))
    }

    /// The certificate in use.
    pub fn current(&self) -> Option<&Certificate> {
        self.current.as_ref()
    }
}

/// Keeps `endpoint` served with a good certificate until `wanted` is closed. Failures are logged and tried again; cancelling it
/// leaves the last certificate in use.
pub async fn renew_forever(
    mut issuer: Issuer,
    mut wanted: watch::Receiver<Wanted>,
    endpoint: watch::Sender<Arc<Endpoint>>,
) {
    loop {
        let now = wanted.borrow_and_update().clone();
        match issuer.step(&now, Timestamp::now()) {
            Ok(Some((new, reason))) => {
                let not_after = issuer.current().map(|facts| facts.not_after);
                tracing::info!(
                    ?reason,
                    not_after = not_after.map(tracing::field::display),
                    "new serving certificate"
                );
                endpoint.send_replace(Arc::new(new));
            }
            Ok(None) => {}
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, cause, "cannot renew the serving certificate");
            }
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use jiff::SignedDuration;

    use pki::BACK_DATED;

    use super::{
        Authority, Issuer, Names, Plan, Reason, SERVING_LIFETIME, Timestamp, Trust, Wanted, plan,
    };

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn issuer() -> Issuer {
        let authority = Authority::generate("garboard api", now()).unwrap();
        let trust = Trust::from_pem(authority.identity().certificate_pem()).unwrap();
        Issuer::new(authority, trust)
    }

    fn wanted(last: u8) -> Wanted {
        let addresses = [IpAddr::from([192, 0, 2, last])].into();
        let names = Names {
            names: ["node-1".to_owned()].into(),
            addresses,
        };
        Wanted {
            subject: "node-1".to_owned(),
            names,
        }
    }

    #[test]
    fn renews_at_half_life_and_not_before() {
        let mut issuer = issuer();
        assert!(matches!(
            issuer.step(&wanted(1), now()),
            Ok(Some((_, Reason::First)))
        ));
        let half = now() + SERVING_LIFETIME / 2;
        let second = SignedDuration::from_secs(1);
        let names = issuer.current().unwrap().names.clone();
        let keep = plan(now(), issuer.current(), &names);
        assert_eq!(keep, Plan::Keep { until: half });
        assert!(matches!(issuer.step(&wanted(1), half - second), Ok(None)));
        assert!(matches!(
            issuer.step(&wanted(1), half),
            Ok(Some((_, Reason::HalfLife)))
        ));
    }

    #[test]
    fn renews_for_other_names_and_a_clock_set_back() {
        let mut issuer = issuer();
        let later = now() + SignedDuration::from_hours(30);
        issuer.step(&wanted(1), later).unwrap();
        assert!(matches!(
            issuer.step(&wanted(2), later),
            Ok(Some((_, Reason::Names)))
        ));
        assert!(
            issuer
                .current()
                .unwrap()
                .names
                .addresses
                .contains(&IpAddr::from([192, 0, 2, 2]))
        );
        assert!(issuer.current().unwrap().names.names.contains("localhost"));
        let before = later - BACK_DATED - SignedDuration::from_secs(1);
        assert!(matches!(
            issuer.step(&wanted(2), before),
            Ok(Some((_, Reason::Clock)))
        ));
        assert!(matches!(issuer.step(&wanted(2), before), Ok(None)));
    }

    #[test]
    fn a_failed_renewal_keeps_the_certificate() {
        let mut issuer = issuer();
        issuer.step(&wanted(1), now()).unwrap();
        let held = issuer.current().cloned();
        let mut bad = wanted(1);
        bad.names.names.insert("n\u{f6}de".to_owned());
        issuer.step(&bad, now()).unwrap_err();
        assert_eq!(issuer.current().cloned(), held);
    }
}
