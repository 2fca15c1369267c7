//! TLS settings for both ends of the API.
//!
//! One way only: TLS 1.3, aws-lc-rs, the hybrid post-quantum key exchange first, HTTP/2 (and HTTP/1.1 for metrics). Sessions are never resumed, so that every
//! connection proves itself anew and nobody lives on a ticket after a certificate was replaced. Sockets are the caller's.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::{InvalidDnsNameError, ServerName};

use crate::pairing::Pin;
use crate::{Identity, IdentityError, Trust};

mod pinned;

/// What the handshake calls HTTP/2: what the API is spoken over.
pub const HTTP_2: &[u8] = b"h2";

/// The same for HTTP/1.1, which a running node offers for its metrics.
const HTTP_1_1: &[u8] = b"http/1.1";

/// TLS settings could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The provider lacks what TLS 1.3 needs.
    #[error("set up TLS 1.3")]
    Protocol(#[source] rustls::Error),
    /// The own certificate or key is unusable.
    #[error("present the certificate of {subject:?}")]
    Present {
        /// Whose certificate.
        subject: String,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
    /// The own certificate or key cannot be read.
    #[error("read the own certificate and key")]
    Identity(#[source] IdentityError),
    /// The client authorities are unusable.
    #[error("verify clients against the given authorities")]
    Verify(#[source] VerifierBuilderError),
}

/// The one provider of the house.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    })
}

/// A running node's side: clients must prove themselves to `clients`.
///
/// # Errors
/// When the identity cannot be presented.
pub fn server(own: &Identity, clients: &Trust) -> Result<Arc<ServerConfig>, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(clients.roots(), provider())
        .build()
        .map_err(TlsError::Verify)?;
    let builder = server_builder()?.with_client_cert_verifier(verifier);
    finish_server(own, builder, &[HTTP_2, HTTP_1_1])
}

/// The side of a running node that answers strangers as well: clients that show a certificate must prove it to `clients`, and those
/// that show none are told apart by the caller.
///
/// # Errors
/// When the identity cannot be presented.
pub fn open_server(own: &Identity, clients: &Trust) -> Result<Arc<ServerConfig>, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(clients.roots(), provider())
        .allow_unauthenticated()
        .build()
        .map_err(TlsError::Verify)?;
    let builder = server_builder()?.with_client_cert_verifier(verifier);
    finish_server(own, builder, &[HTTP_2, HTTP_1_1])
}

/// A waiting node's side: no certificate is asked for, the pairing secret takes its place.
///
/// # Errors
/// When the identity cannot be presented.
pub fn maintenance_server(own: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    finish_server(own, server_builder()?.with_no_client_auth(), &[HTTP_2])
}

/// The client's side to a running node: the node must prove itself to `nodes`, the client shows `own`.
///
/// # Errors
/// When the identity cannot be presented.
pub fn client(nodes: &Trust, own: &Identity) -> Result<Arc<ClientConfig>, TlsError> {
    let (chain, key) = own.der().map_err(TlsError::Identity)?;
    let config = client_builder()?
        .with_root_certificates(nodes.roots())
        .with_client_auth_cert(chain, key)
        .map_err(|source| present(own, source))?;
    Ok(finish_client(config))
}

/// The client's side to a running node without a certificate of its own: of a worker that joins. Any but a control plane's API refuses it;
/// some of what Kubernetes' API tells is for anybody.
///
/// # Errors
/// When TLS 1.3 cannot be set up.
pub fn anonymous_client(nodes: &Trust) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = client_builder()?.with_root_certificates(nodes.roots());
    Ok(finish_client(builder.with_no_client_auth()))
}

/// The client's side to a waiting node: exactly the key of `pin` is believed, whatever its certificate says.
///
/// # Errors
/// When TLS 1.3 cannot be set up.
pub fn pinned_client(pin: Pin) -> Result<Arc<ClientConfig>, TlsError> {
    let verifier = Arc::new(pinned::PinnedServer::new(pin, provider()));
    let builder = client_builder()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(finish_client(builder.with_no_client_auth()))
}

/// The name a client expects in the node's certificate: a host name or an address.
///
/// # Errors
/// When `host` is neither.
pub fn server_name(host: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    ServerName::try_from(bare.to_owned())
}

fn server_builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, TlsError>
{
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Protocol)
}

fn client_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError>
{
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Protocol)
}

fn finish_server(
    own: &Identity,
    builder: rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = own.der().map_err(TlsError::Identity)?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|source| present(own, source))?;
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn finish_client(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![HTTP_2.to_vec()];
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn present(own: &Identity, source: rustls::Error) -> TlsError {
    TlsError::Present {
        subject: own.certificate().subject.clone(),
        source,
    }
}

#[cfg(test)]
mod tests;
