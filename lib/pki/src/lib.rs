//! Certificate authorities, requests, roles and pairing strings.
//!
//! Owns everything about who is who on the API: the authority that a cluster's secrets hold, the certificates it issues, the roles
//! in them, the hash a person compares, and the TLS settings built from all that. It opens no socket, keeps no file and reads no
//! clock except through rustls during a handshake: the time of issue is an argument.
//!
//! Keys are ECDSA on P-256. Ed25519 would be a little smaller, but P-256 is what every TLS stack, browser and hardware token takes,
//! and OpenSSL reads its PKCS#8 without ado. Post-quantum protection is in the key exchange, where it matters today.

mod authority;
mod certificate;
mod fingerprint;
mod identity;
pub mod kubernetes;
pub mod pairing;
pub mod renewal;
mod request;
mod role;
mod secret;
pub mod tls;
mod trust;

pub use authority::{Authority, IssueError, maintenance_identity};
pub use certificate::{Certificate, CertificateError, Names, Usage};
pub use fingerprint::Fingerprint;
pub use identity::{Identity, IdentityError};
pub use request::{Challenge, Key, Request, RequestError, Subject};
pub use role::{Role, Roles, UnknownRole};
pub use secret::Secret;
pub use trust::{Trust, TrustError};

use jiff::SignedDuration;

/// How long an authority holds: longer than the machines it is made for.
pub const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// How long a client certificate holds unless asked otherwise.
pub const CLIENT_LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

/// How long a node's own serving certificate holds; it is renewed at half of it.
pub const SERVING_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// How far before its issue a certificate begins, for peers whose clocks are behind.
pub const BACK_DATED: SignedDuration = SignedDuration::from_hours(1);
