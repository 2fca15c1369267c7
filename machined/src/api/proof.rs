//! What a caller has proven in the handshake, kept as it was shown: it can be tried again, against authorities that are not
//! believed yet.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pki::{Certificate, CertificateError, tls};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};

/// A certificate that was verified, with the chain it came in. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    facts: Certificate,
    own: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl Proof {
    /// The proof in a verified chain, the caller's own certificate first; `None` when it is empty: nothing was asked for.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn of(chain: &[CertificateDer<'_>]) -> Result<Option<Self>, CertificateError> {
        let Some((own, intermediates)) = chain.split_first() else {
            return Ok(None);
        };
        let own = own.clone().into_owned();
        let facts = Certificate::from_der(&own)?;
        let intermediates = intermediates.iter().map(|it| it.clone().into_owned());
        let intermediates = intermediates.collect();
        Ok(Some(Self(Arc::new(Inner {
            facts,
            own,
            intermediates,
        }))))
    }

    /// What the certificate says.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.0.facts
    }

    /// Whether a node that believes `authorities` (PEM) takes the certificate at `now`. Authorities that cannot be read
    /// convince nobody.
    #[must_use]
    pub fn convinces(&self, authorities: &str, now: Timestamp) -> bool {
        let mut roots = RootCertStore::empty();
        let given = CertificateDer::pem_slice_iter(authorities.as_bytes());
        roots.add_parsable_certificates(given.filter_map(Result::ok));
        let roots = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider());
        let Ok(verifier) = roots.build() else {
            return false;
        };
        let since = u64::try_from(now.as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(since));
        let Inner {
            own, intermediates, ..
        } = &*self.0;
        verifier.verify_client_cert(own, intermediates, now).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use pki::{Authority, CLIENT_LIFETIME, Role};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    fn authority() -> (Authority, String) {
        let authority = Authority::generate("garboard api", now()).unwrap();
        let pem = authority.identity().certificate_pem().to_owned();
        (authority, pem)
    }

    #[test]
    fn it_convinces_who_believes_its_authority_and_nobody_else() {
        let ((authority, own), (_, other)) = (authority(), authority());
        let mina = authority
            .issue_client("mina", Role::Admin.into(), CLIENT_LIFETIME, now())
            .unwrap();
        let chain = CertificateDer::from_pem_slice(mina.certificate_pem().as_bytes()).unwrap();
        let proof = Proof::of(&[chain]).unwrap().unwrap();
        assert_eq!(proof.certificate(), mina.certificate());
        assert!(proof.convinces(&own, now()));
        assert!(proof.convinces(&format!("{other}{own}"), now()));
        // The authorities have one name, so nothing but the signature tells them apart.
        assert!(!proof.convinces(&other, now()));
        assert!(!proof.convinces("", now()));
        let ended = mina.certificate().not_after + SignedDuration::from_secs(1);
        assert!(!proof.convinces(&own, ended));
    }

    #[test]
    fn an_empty_chain_proves_nothing_and_a_damaged_one_is_an_error() {
        assert_eq!(Proof::of(&[]).unwrap(), None);
        Proof::of(&[CertificateDer::from(vec![1, 2, 3])]).unwrap_err();
    }
}
