//! The first call that a starting node answers.
//!
//! A new connection is tried every [`STEP`], because one that came too early is only retried by the network after a
//! long time. Once a node has said its first byte nothing more is tried, so that it is not kept from answering.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use api::v1alpha1::VersionRequest;
use api::v1alpha1::maintenance_service_client::MaintenanceServiceClient;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper_util::rt::TokioIo;
use pki::tls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsConnector;
use tonic::transport::{Endpoint, Uri};

/// How far connections are apart: what a measured time is exact to.
const STEP: Duration = Duration::from_millis(50);
/// How long a silent connection is kept.
const SILENCE: Duration = Duration::from_secs(1);

/// Waits until a node in maintenance answers what version it is; gives the moment.
///
/// # Errors
/// When it does not in time.
pub(crate) fn first_answer(api: SocketAddr, patience: Duration) -> Result<Instant> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting a runtime")?;
    let config = anyone()?;
    runtime.block_on(async {
        let answered = timeout(patience, poll(api, &config)).await;
        answered.context("the node answers no call in time")
    })
}

async fn poll(api: SocketAddr, config: &Arc<ClientConfig>) -> Instant {
    let heard = Arc::new(AtomicBool::new(false));
    let mut calls = FuturesUnordered::new();
    let mut next = interval(STEP);
    loop {
        tokio::select! {
            Some(answered) = calls.next(), if !calls.is_empty() => match answered {
                Ok(()) => return Instant::now(),
                // Whoever spoke has broken off.
                Err(_) => heard.store(false, Ordering::Relaxed),
            },
            _ = next.tick() => if !heard.load(Ordering::Relaxed) {
                calls.push(call(api, Arc::clone(config), Arc::clone(&heard)));
            },
        }
    }
}

/// One connection and one call on it.
async fn call(api: SocketAddr, config: Arc<ClientConfig>, heard: Arc<AtomicBool>) -> Result<()> {
    let stream = TcpStream::connect(api).await?.into_std()?;
    let listener = TcpStream::from_std(stream.try_clone()?)?;
    let stream = TcpStream::from_std(stream)?;
    let listens = async move {
        match timeout(SILENCE, listener.peek(&mut [0])).await {
            Ok(Ok(1)) => heard.store(true, Ordering::Relaxed),
            _ => return,
        }
        std::future::pending().await
    };
    tokio::select! {
        answered = ask(stream, config) => answered,
        () = listens => anyhow::bail!("silence"),
    }
}

async fn ask(stream: TcpStream, config: Arc<ClientConfig>) -> Result<()> {
    let connected = TlsConnector::from(config)
        .connect(tls::server_name("node")?, stream)
        .await?;
    let mut connected = Some(TokioIo::new(connected));
    let once = tower::service_fn(move |_: Uri| {
        let taken = connected
            .take()
            .ok_or_else(|| std::io::Error::other("used up"));
        async move { taken }
    });
    let channel = Endpoint::from_static("https://node")
        .connect_with_connector(once)
        .await?;
    MaintenanceServiceClient::new(channel)
        .version(VersionRequest {})
        .await?;
    Ok(())
}

/// A client that believes anyone: the machine is one we have just started, and nothing is told to it.
fn anyone() -> Result<Arc<ClientConfig>> {
    let mut config = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        tls::provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
