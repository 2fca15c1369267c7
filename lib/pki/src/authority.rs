//! The certificate authority of one cluster's API, and what it issues.
//!
//! Pure but for randomness: the moment of issue is an argument, nothing is stored. Leaves never outlive the authority that signs
//! them, so a chain that verifies today does not break in its middle.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};

use crate::{
    AUTHORITY_LIFETIME, BACK_DATED, Identity, IdentityError, Names, Request, Roles, Secret,
};

/// An authority with its key: who holds it can make an admin.
#[derive(Debug)]
pub struct Authority {
    identity: Identity,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate could not be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Making a key failed.
    #[error("make a private key for {subject:?}")]
    Key {
        /// Whose key.
        subject: String,
        /// What rcgen said.
        #[source]
        source: rcgen::Error,
    },
    /// A name cannot stand in a certificate.
    #[error("write {name:?} into the certificate of {subject:?}; host names are ASCII")]
    Name {
        /// Whose certificate.
        subject: String,
        /// The name.
        name: String,
        /// What rcgen said.
        #[source]
        source: rcgen::Error,
    },
    /// Signing failed.
    #[error("sign the certificate of {subject:?}")]
    Sign {
        /// Whose certificate.
        subject: String,
        /// What rcgen said.
        #[source]
        source: rcgen::Error,
    },
    /// The authority's own parts are unusable.
    #[error("take the authority")]
    Authority(#[source] IdentityError),
    /// The authority's key is of a kind rcgen cannot sign with.
    #[error(
        "sign with the key of the authority {subject:?}; make a new one with `osctl gen secrets`"
    )]
    AuthorityKey {
        /// Which authority.
        subject: String,
        /// What rcgen said.
        #[source]
        source: rcgen::Error,
    },
    /// The certificate given as authority may not sign.
    #[error("sign as {0:?}; its certificate is no authority, so the wrong one was given")]
    NotAnAuthority(String),
    /// The authority does not hold now.
    #[error(
        "sign as {subject:?} at {now}; it holds from {not_before} to {not_after}: check the clock, or replace it"
    )]
    OutOfDate {
        /// Which authority.
        subject: String,
        /// When.
        now: Timestamp,
        /// Its first moment.
        not_before: Timestamp,
        /// Its last moment.
        not_after: Timestamp,
    },
    /// No time of validity is left between the bounds.
    #[error(
        "issue a certificate for {subject:?} that holds {lifetime:#}; ask for at least a minute and at most a century"
    )]
    Lifetime {
        /// Whose certificate.
        subject: String,
        /// How long was asked.
        lifetime: SignedDuration,
    },
}

impl Authority {
    /// Makes a new authority that holds ten years.
    ///
    /// # Errors
    /// When the random source or the signature fails.
    pub fn generate(subject: &str, now: Timestamp) -> Result<Self, IssueError> {
        let key = new_key(subject)?;
        let mut params = parameters(subject, now, AUTHORITY_LIFETIME, None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params
            .self_signed(&key)
            .map_err(|source| IssueError::Sign {
                subject: subject.to_owned(),
                source,
            })?;
        Self::from_pem(&certificate.pem(), &key.serialize_pem())
    }

    /// Takes an authority from its PEM parts.
    ///
    /// # Errors
    /// When a part cannot be read, they do not belong together, or the certificate is no authority.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IssueError> {
        let identity = Identity::from_pem(certificate, key).map_err(IssueError::Authority)?;
        let subject = || identity.certificate().subject.clone();
        if !identity.certificate().authority {
            return Err(IssueError::NotAnAuthority(subject()));
        }
        let issuer = KeyPair::from_pem(key)
            .and_then(|key| Issuer::from_ca_cert_pem(certificate, key))
            .map_err(|source| IssueError::AuthorityKey {
                subject: subject(),
                source,
            })?;
        Ok(Self { identity, issuer })
    }

    /// The authority's own certificate and key.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Issues a certificate for a person or a program.
    ///
    /// # Errors
    /// When the authority does not hold at `now`, or making it fails.
    pub fn issue_client(
        &self,
        subject: &str,
        roles: Roles,
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> Result<Identity, IssueError> {
        let mut params = self.leaf(subject, lifetime, now)?;
        // rcgen keeps one value for each type of attribute. Two types with the same identifier make two values, and with roles
        // that others imply left out there are never more.
        let types = [
            DnType::OrganizationName,
            DnType::CustomDnType(vec![2, 5, 4, 10]),
        ];
        for (role, ty) in roles.without_implied().iter().zip(types) {
            params.distinguished_name.push(ty, role.organization());
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(subject, &params)
    }

    /// Issues a certificate for a node's API.
    ///
    /// # Errors
    /// When the authority does not hold at `now`, a name is not ASCII, or making it fails.
    pub fn issue_serving(
        &self,
        subject: &str,
        names: &Names,
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> Result<Identity, IssueError> {
        let params = self.serving(subject, names, lifetime, now)?;
        self.sign(subject, &params)
    }

    /// Issues a certificate for the API of a node that asked for it with a key of its own: PEM.
    ///
    /// # Errors
    /// As [`issue_serving`](Self::issue_serving).
    pub fn certify_serving(
        &self,
        subject: &str,
        names: &Names,
        request: &Request,
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> Result<String, IssueError> {
        let params = self.serving(subject, names, lifetime, now)?;
        self.sign_key(subject, &params, request.key())
    }

    fn serving(
        &self,
        subject: &str,
        names: &Names,
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> Result<CertificateParams, IssueError> {
        let mut params = self.leaf(subject, lifetime, now)?;
        params.subject_alt_names = alternative_names(subject, names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok(params)
    }

    pub(crate) fn leaf(
        &self,
        subject: &str,
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> Result<CertificateParams, IssueError> {
        let own = self.identity.certificate();
        if !own.is_valid_at(now) {
            return Err(IssueError::OutOfDate {
                subject: own.subject.clone(),
                now,
                not_before: own.not_before,
                not_after: own.not_after,
            });
        }
        let mut params = parameters(subject, now, lifetime, Some(own.not_after))?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    pub(crate) fn sign(
        &self,
        subject: &str,
        params: &CertificateParams,
    ) -> Result<Identity, IssueError> {
        let key = new_key(subject)?;
        let certificate = self.sign_key(subject, params, &key)?;
        let key = Secret::new(key.serialize_pem());
        Identity::from_pem(&certificate, key.expose()).map_err(IssueError::Authority)
    }

    /// A certificate for a key, PEM.
    pub(crate) fn sign_key(
        &self,
        subject: &str,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<String, IssueError> {
        let signed = params.signed_by(key, &self.issuer);
        let signed = signed.map_err(|source| IssueError::Sign {
            subject: subject.to_owned(),
            source,
        })?;
        Ok(signed.pem())
    }
}

/// Makes the self-signed identity of a node in maintenance mode. Callers know it by its key alone, so its dates say nothing and
/// are as wide as the form allows: the node's clock may be anywhere.
///
/// # Errors
/// When the random source or the signature fails.
pub fn maintenance_identity() -> Result<Identity, IssueError> {
    let subject = "garboard maintenance";
    let key = new_key(subject)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(subject);
    params.not_before = rcgen::date_time_ymd(1970, 1, 1);
    // "No well-defined expiration date", RFC 5280 section 4.1.2.5.
    params.not_after = rcgen::date_time_ymd(9999, 12, 31);
    params.subject_alt_names = alternative_names(subject, &Names::loopback())?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params
        .self_signed(&key)
        .map_err(|source| IssueError::Sign {
            subject: subject.to_owned(),
            source,
        })?;
    let key = Secret::new(key.serialize_pem());
    Identity::from_pem(&certificate.pem(), key.expose()).map_err(IssueError::Authority)
}

fn new_key(subject: &str) -> Result<KeyPair, IssueError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|source| IssueError::Key {
        subject: subject.to_owned(),
        source,
    })
}

fn common_name(subject: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, subject);
    name
}

fn parameters(
    subject: &str,
    now: Timestamp,
    lifetime: SignedDuration,
    latest: Option<Timestamp>,
) -> Result<CertificateParams, IssueError> {
    let bounds = SignedDuration::from_mins(1)..=SignedDuration::from_hours(100 * 365 * 24);
    let out_of_bounds = || IssueError::Lifetime {
        subject: subject.to_owned(),
        lifetime,
    };
    if !bounds.contains(&lifetime) {
        return Err(out_of_bounds());
    }
    let end = now.checked_add(lifetime).map_err(|_| out_of_bounds())?;
    let begin = now.checked_sub(BACK_DATED).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(subject);
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(begin);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1)
        + since_epoch(latest.map_or(end, |latest| end.min(latest)));
    Ok(params)
}

/// Moments before 1970 become 1970: no clock here is that far behind.
fn since_epoch(moment: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(moment.as_second()).unwrap_or(0))
}

pub(crate) fn alternative_names(subject: &str, names: &Names) -> Result<Vec<SanType>, IssueError> {
    let hosts = names.names.iter().map(|name| {
        name.as_str()
            .try_into()
            .map(SanType::DnsName)
            .map_err(|source| IssueError::Name {
                subject: subject.to_owned(),
                name: name.clone(),
                source,
            })
    });
    hosts
        .chain(
            names
                .addresses
                .iter()
                .map(|address| Ok(SanType::IpAddress(*address))),
        )
        .collect()
}

#[cfg(test)]
mod tests;
