//! Handshakes in memory between the settings of both ends.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::{ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection};

use super::{anonymous_client, client, maintenance_server, pinned_client, server, server_name};
use crate::pairing::Pin;
use crate::{
    Authority, CLIENT_LIFETIME, Identity, Names, Role, SERVING_LIFETIME, Trust,
    maintenance_identity,
};

/// Runs a handshake to its end; which side failed first, if one did.
fn handshake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), Error> {
    let mut client = ClientConnection::new(client, server_name(name).unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut bytes.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut bytes.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok((client, server))
}

struct Cluster {
    authority: Authority,
    trust: Trust,
}

impl Cluster {
    fn new() -> Self {
        let authority = Authority::generate("garboard api", Timestamp::now()).unwrap();
        let trust = Trust::from_pem(authority.identity().certificate_pem()).unwrap();
        Self { authority, trust }
    }

    fn node(&self) -> Arc<ServerConfig> {
        let now = Timestamp::now();
        let own = self
            .authority
            .issue_serving("node-1", &Names::loopback(), SERVING_LIFETIME, now);
        server(&own.unwrap(), &self.trust).unwrap()
    }

    fn person(&self, at: Timestamp) -> Identity {
        self.authority
            .issue_client("mina", Role::Admin.into(), CLIENT_LIFETIME, at)
            .unwrap()
    }
}

#[test]
fn both_prove_themselves_over_the_hybrid_exchange() {
    let cluster = Cluster::new();
    let person = cluster.person(Timestamp::now());
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        let (client, server) = handshake(
            client(&cluster.trust, &person).unwrap(),
            cluster.node(),
            name,
        )
        .unwrap();
        assert_eq!(
            client.protocol_version(),
            Some(rustls::ProtocolVersion::TLSv1_3)
        );
        let group = client.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
        assert_eq!(server.alpn_protocol(), Some(&b"h2"[..]));
        let shown = server.peer_certificates().unwrap();
        assert_eq!(
            crate::Certificate::from_der(&shown[0]).unwrap(),
            *person.certificate()
        );
    }
}

#[test]
fn the_node_refuses_nobody_a_stranger_and_a_past_certificate() {
    let cluster = Cluster::new();
    let nobody = handshake(
        anonymous_client(&cluster.trust).unwrap(),
        cluster.node(),
        "localhost",
    );
    assert_eq!(nobody.err(), Some(Error::NoCertificatesPresented));

    let stranger = Cluster::new().person(Timestamp::now());
    let config = client(&cluster.trust, &stranger).unwrap();
    let error = handshake(config, cluster.node(), "localhost").err();
    assert!(
        matches!(error, Some(Error::InvalidCertificate(_))),
        "{error:?}"
    );

    let then = Timestamp::now() - SignedDuration::from_hours(10 * 24);
    let old = Authority::generate("garboard api", then).unwrap();
    let trust = Trust::from_pem(old.identity().certificate_pem()).unwrap();
    let old = Cluster {
        authority: old,
        trust,
    };
    let day = SignedDuration::from_hours(24);
    let past = old
        .authority
        .issue_client("mina", Role::Admin.into(), day, then)
        .unwrap();
    let error = handshake(client(&old.trust, &past).unwrap(), old.node(), "localhost").err();
    let Some(Error::InvalidCertificate(error)) = error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(error, rustls::CertificateError::ExpiredContext { .. }),
        "{error:?}"
    );
}

#[test]
fn the_client_refuses_a_foreign_node_and_another_name() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    let person = ours.person(Timestamp::now());
    let config = client(&ours.trust, &person).unwrap();
    assert!(handshake(Arc::clone(&config), theirs.node(), "localhost").is_err());
    assert!(handshake(config, ours.node(), "192.0.2.1").is_err());
}

#[test]
fn a_client_certificate_does_not_serve_and_a_serving_one_does_not_call() {
    let cluster = Cluster::new();
    let person = cluster.person(Timestamp::now());
    let serving = cluster
        .authority
        .issue_serving(
            "node-1",
            &Names::loopback(),
            SERVING_LIFETIME,
            Timestamp::now(),
        )
        .unwrap();
    let posing = server(&person, &cluster.trust).unwrap();
    assert!(
        handshake(
            client(&cluster.trust, &person).unwrap(),
            posing,
            "localhost"
        )
        .is_err()
    );
    let posing = client(&cluster.trust, &serving).unwrap();
    assert!(handshake(posing, cluster.node(), "localhost").is_err());
}

#[test]
fn the_pin_believes_one_key_whatever_the_name() {
    let own = maintenance_identity().unwrap();
    let node = maintenance_server(&own).unwrap();
    let config = pinned_client(Pin::of(&own.certificate().fingerprint)).unwrap();
    handshake(Arc::clone(&config), node, "192.0.2.1").unwrap();

    let other = maintenance_server(&maintenance_identity().unwrap()).unwrap();
    let error = handshake(config, other, "192.0.2.1").err();
    assert!(
        matches!(error, Some(Error::InvalidCertificate(_))),
        "{error:?}"
    );
}

#[test]
fn a_stolen_certificate_without_its_key_does_not_pass_the_pin() {
    let own = maintenance_identity().unwrap();
    let (chain, _) = own.der().unwrap();
    let (_, key) = maintenance_identity().unwrap().der().unwrap();
    let signer = super::provider()
        .key_provider
        .load_private_key(key)
        .unwrap();
    let thief =
        rustls::sign::SingleCertAndKey::from(rustls::sign::CertifiedKey::new(chain, signer));
    let node = super::server_builder()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(thief));
    let config = pinned_client(Pin::of(&own.certificate().fingerprint)).unwrap();
    let error = handshake(config, Arc::new(node), "localhost").err();
    assert!(
        matches!(error, Some(Error::InvalidCertificate(_))),
        "{error:?}"
    );
}
