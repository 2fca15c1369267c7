//! Requests that are read, and those that are refused; certificates that they get.

use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType};

use super::*;
use crate::kubernetes::joined;
use crate::{Authority, Identity, Names, SERVING_LIFETIME, Trust, Usage};

const CHALLENGE: Challenge = Challenge([7; 32]);

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn subject() -> Subject<'static> {
    Subject {
        name: "worker-1",
        purpose: "machine",
        challenge: &CHALLENGE,
    }
}

fn names() -> Names {
    Names {
        names: ["worker-1".to_owned()].into(),
        addresses: ["10.5.0.3".parse().unwrap(), "fd00::3".parse().unwrap()].into(),
    }
}

/// What is made of a request that says more than it should.
fn changed(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = subject().params();
    change(&mut params);
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    params.serialize_request(&pair).unwrap().der().to_vec()
}

#[test]
fn a_key_reads_back_and_is_not_shown() {
    let key = Key::generate().unwrap();
    let again = Key::from_pem(key.pem().expose()).unwrap();
    assert_eq!(again.fingerprint(), key.fingerprint());
    assert_ne!(Key::generate().unwrap().fingerprint(), key.fingerprint());
    assert!(!format!("{key:?}").contains("PRIVATE"));
    for bad in [
        "",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        Key::from_pem(bad).unwrap_err();
    }
}

#[test]
fn a_request_is_for_its_name_its_purpose_and_its_challenge_alone() {
    let key = Key::generate().unwrap();
    let der = key.request(&subject()).unwrap();
    let read = Request::read(&der, &subject()).unwrap();
    assert_eq!(read.fingerprint(), key.fingerprint());
    let other = Challenge::random().unwrap();
    assert_ne!(other, CHALLENGE);
    for expected in [
        Subject {
            name: "worker-2",
            ..subject()
        },
        Subject {
            purpose: "kubelet",
            ..subject()
        },
        Subject {
            challenge: &other,
            ..subject()
        },
    ] {
        let error = Request::read(&der, &expected).unwrap_err();
        assert!(matches!(error, RequestError::Subject { .. }), "{error}");
    }
}

#[test]
fn who_asks_for_more_gets_nothing() {
    let organization = |it: &mut CertificateParams| {
        it.distinguished_name
            .push(DnType::OrganizationName, "system:masters");
    };
    let name = |it: &mut CertificateParams| {
        let name = SanType::DnsName("cp-1".try_into().unwrap());
        it.subject_alt_names.push(name);
    };
    let authority = |it: &mut CertificateParams| {
        it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    let usage = |it: &mut CertificateParams| {
        it.extended_key_usages
            .push(ExtendedKeyUsagePurpose::ClientAuth);
    };
    let signs = |it: &mut CertificateParams| it.key_usages.push(KeyUsagePurpose::KeyCertSign);
    Request::read(&changed(|_| {}), &subject()).unwrap();
    for der in [
        changed(organization),
        changed(name),
        changed(authority),
        changed(usage),
        changed(signs),
    ] {
        let error = Request::read(&der, &subject()).unwrap_err();
        assert!(matches!(error, RequestError::Subject { .. }), "{error}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let der = Key::generate().unwrap().request(&subject()).unwrap();
    let read = |der: &[u8]| Request::read(der, &subject()).unwrap_err();
    // The last byte is of the signature.
    let mut forged = der.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(read(&forged), RequestError::Read(_)));
    assert!(matches!(read(&der[..der.len() - 1]), RequestError::Read(_)));
    assert!(matches!(read(b""), RequestError::Read(_)));
    let long = [der.as_slice(), &[0; LONGEST]].concat();
    assert!(matches!(read(&long), RequestError::Long(_)));
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let other = subject().params().serialize_request(&ed25519).unwrap();
    assert!(matches!(read(other.der()), RequestError::Kind));
}

#[test]
fn the_issuer_says_what_a_certificate_says() {
    let authority = Authority::generate("garboard", now()).unwrap();
    let key = Key::generate().unwrap();
    let der = key.request(&subject()).unwrap();
    let request = Request::read(&der, &subject()).unwrap();
    let pem = authority
        .certify_serving("worker-1", &names(), &request, SERVING_LIFETIME, now())
        .unwrap();
    let own = Identity::from_pem(&pem, key.pem().expose()).unwrap();
    let facts = own.certificate();
    assert_eq!(facts.names, names());
    assert_eq!(facts.usage, Usage::SERVER);
    assert!(facts.organizations.is_empty() && !facts.authority);
    assert_eq!(facts.not_after, now() + SERVING_LIFETIME);
    let kubelet = authority.certify(&joined("worker-1", &names())[0], &request, now());
    let kubelet = Identity::from_pem(&kubelet.unwrap(), key.pem().expose()).unwrap();
    assert_eq!(kubelet.certificate().subject, "system:node:worker-1");
    assert_eq!(kubelet.certificate().organizations, ["system:nodes"]);
    assert_eq!(kubelet.certificate().usage, Usage::CLIENT);
    assert_eq!(kubelet.certificate().names, Names::default());
    Identity::from_pem(&pem, Key::generate().unwrap().pem().expose()).unwrap_err();
}

#[test]
fn a_server_is_known_by_its_authority_its_name_and_its_time() {
    let (authority, other) = (
        Authority::generate("garboard", now()).unwrap(),
        Authority::generate("garboard", now()).unwrap(),
    );
    let trust = |it: &Authority| Trust::from_pem(it.identity().certificate_pem()).unwrap();
    let of = |names| authority.issue_serving("worker-1", names, SERVING_LIFETIME, now());
    let own = of(&names()).unwrap();
    let pem = own.certificate_pem();
    let known = trust(&authority).server(pem, "worker-1", now());
    assert_eq!(known.as_ref(), Some(own.certificate()));
    let later = now() + SERVING_LIFETIME + SignedDuration::from_secs(1);
    assert_eq!(trust(&authority).server(pem, "worker-1", later), None);
    assert_eq!(trust(&authority).server(pem, "worker-2", now()), None);
    assert_eq!(trust(&other).server(pem, "worker-1", now()), None);
    assert_eq!(trust(&authority).server("", "worker-1", now()), None);
}
