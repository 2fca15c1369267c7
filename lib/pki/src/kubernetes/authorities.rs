//! The three authorities of a cluster, which exist together or not at all.
//!
//! An `Authorities` that exists can sign for every purpose, what it signs is believed by whoever has the cluster's `ca`, and no two of
//! the three are one: whoever may ask the API would else be taken for the front proxy, which says who everybody is.

use std::fmt;

use jiff::Timestamp;

use super::{CertificateSpec, Signer};
use crate::renewal::Plan;
use crate::{Authority, Certificate, Identity, IssueError, Trust, TrustError};

/// What signs the certificates of a control plane.
#[derive(Debug)]
pub struct Authorities {
    kubernetes: Authority,
    aggregator: Authority,
    etcd: Authority,
}

/// A certificate and its key, PEM.
#[derive(Clone, Copy)]
pub struct PairPem<'a> {
    /// The certificate.
    pub certificate: &'a str,
    /// The key.
    pub key: &'a str,
}

impl fmt::Debug for PairPem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairPem")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// Three authorities are not those of a cluster.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// One cannot be used.
    #[error("use the authority of {signer}")]
    Authority {
        /// Which one.
        signer: Signer,
        /// Why not.
        #[source]
        source: IssueError,
    },
    /// The `ca` cannot be read.
    #[error("read whom the cluster believes")]
    Trust(#[source] TrustError),
    /// The `ca` is not of the issuer.
    #[error(
        "the authority of Kubernetes is not among those that the cluster believes; `ca` has to hold its certificate too"
    )]
    NotBelieved,
    /// One has two tasks.
    #[error(
        "the authorities of {0} and {1} are the same; each needs one of its own, as `osctl gen secrets` makes them"
    )]
    Same(Signer, Signer),
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubernetes => "Kubernetes",
            Self::Aggregator => "the front proxy",
            Self::Etcd => "etcd",
        })
    }
}

impl Authorities {
    /// Takes the authorities of a cluster that believes those of `ca`, PEM.
    ///
    /// # Errors
    /// When one cannot be read or may not sign, two are the same, or `ca` does not cover the first.
    pub fn from_pem(
        ca: &str,
        kubernetes: PairPem<'_>,
        aggregator: PairPem<'_>,
        etcd: PairPem<'_>,
    ) -> Result<Self, AuthoritiesError> {
        let take = |signer, pair: PairPem<'_>| {
            Authority::from_pem(pair.certificate, pair.key)
                .map_err(|source| AuthoritiesError::Authority { signer, source })
        };
        let all = Self {
            kubernetes: take(Signer::Kubernetes, kubernetes)?,
            aggregator: take(Signer::Aggregator, aggregator)?,
            etcd: take(Signer::Etcd, etcd)?,
        };
        for (one, other) in [
            (Signer::Kubernetes, Signer::Aggregator),
            (Signer::Kubernetes, Signer::Etcd),
            (Signer::Aggregator, Signer::Etcd),
        ] {
            if all.facts(one).fingerprint == all.facts(other).fingerprint {
                return Err(AuthoritiesError::Same(one, other));
            }
        }
        let trust = Trust::from_pem(ca).map_err(AuthoritiesError::Trust)?;
        let own = all.facts(Signer::Kubernetes).fingerprint;
        match trust.fingerprints().contains(&own) {
            true => Ok(all),
            false => Err(AuthoritiesError::NotBelieved),
        }
    }

    /// One of them.
    pub fn of(&self, signer: Signer) -> &Authority {
        match signer {
            Signer::Kubernetes => &self.kubernetes,
            Signer::Aggregator => &self.aggregator,
            Signer::Etcd => &self.etcd,
        }
    }

    fn facts(&self, signer: Signer) -> &Certificate {
        self.of(signer).identity().certificate()
    }

    /// Decides about a certificate that is there, or is not.
    pub fn plan(
        &self,
        spec: &CertificateSpec,
        current: Option<&Certificate>,
        now: Timestamp,
    ) -> Plan {
        spec.plan(current, self.facts(spec.signer), now)
    }

    /// Issues a certificate by the authority that it is to have.
    ///
    /// # Errors
    /// When that does not hold at `now`, a name is not ASCII, or making it fails.
    pub fn issue(&self, spec: &CertificateSpec, now: Timestamp) -> Result<Identity, IssueError> {
        self.of(spec.signer).issue(spec, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::{ADMIN_LIFETIME, admin};
    use crate::renewal::Reason;

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn authority(name: &str) -> Identity {
        let authority = Authority::generate(name, now()).unwrap();
        authority.identity().clone()
    }

    fn pair(identity: &Identity) -> PairPem<'_> {
        PairPem {
            certificate: identity.certificate_pem(),
            key: identity.key_pem().expose(),
        }
    }

    fn take(ca: &str, of: [&Identity; 3]) -> Result<Authorities, AuthoritiesError> {
        let [kubernetes, aggregator, etcd] = of.map(pair);
        Authorities::from_pem(ca, kubernetes, aggregator, etcd)
    }

    #[test]
    fn each_signs_its_own() {
        let (one, two, three) = (authority("a"), authority("b"), authority("c"));
        let older = authority("before");
        let ca = format!("{}{}", older.certificate_pem(), one.certificate_pem());
        let all = take(&ca, [&one, &two, &three]).unwrap();
        let names = ["a", "b", "c"];
        let signers = [Signer::Kubernetes, Signer::Aggregator, Signer::Etcd];
        for (signer, name) in signers.into_iter().zip(names) {
            let spec = CertificateSpec {
                signer,
                ..admin("mina", ADMIN_LIFETIME)
            };
            assert_eq!(all.facts(signer).subject, name);
            let issued = all.issue(&spec, now()).unwrap();
            assert_eq!(issued.certificate().signer_id, all.facts(signer).key_id);
            let current = Some(issued.certificate());
            assert!(matches!(all.plan(&spec, current, now()), Plan::Keep { .. }));
            assert_eq!(all.plan(&spec, None, now()), Plan::Renew(Reason::First));
        }
    }

    #[test]
    fn no_two_are_one_and_the_first_is_believed() {
        let (one, two, three) = (authority("a"), authority("b"), authority("c"));
        let ca = one.certificate_pem();
        for (of, same) in [
            ([&one, &one, &three], "Kubernetes and the front proxy"),
            ([&one, &two, &one], "Kubernetes and etcd"),
            ([&one, &two, &two], "the front proxy and etcd"),
        ] {
            let error = take(ca, of).unwrap_err().to_string();
            assert!(error.contains(same), "{error}");
        }
        let error = take(two.certificate_pem(), [&one, &two, &three]).unwrap_err();
        assert!(matches!(error, AuthoritiesError::NotBelieved), "{error}");
        let mixed = PairPem {
            certificate: one.certificate_pem(),
            key: two.key_pem().expose(),
        };
        let error = Authorities::from_pem(ca, mixed, pair(&two), pair(&three)).unwrap_err();
        assert_eq!(error.to_string(), "use the authority of Kubernetes");
        assert!(!format!("{mixed:?}").contains("PRIVATE"));
    }
}
