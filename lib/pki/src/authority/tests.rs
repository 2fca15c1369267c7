//! What issued certificates say, and what is refused.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use super::{Authority, IssueError, maintenance_identity};
use crate::{BACK_DATED, CLIENT_LIFETIME, Identity, Names, Role, Roles, SERVING_LIFETIME};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn authority() -> Authority {
    Authority::generate("garboard api", now()).unwrap()
}

#[test]
fn a_client_certificate_carries_subject_and_roles() {
    let roles: Roles = [Role::Operator, Role::EtcdBackup].into_iter().collect();
    let identity = authority()
        .issue_client("mina", roles, CLIENT_LIFETIME, now())
        .unwrap();
    let facts = identity.certificate();
    assert_eq!((facts.subject.as_str(), facts.roles), ("mina", roles));
    assert_eq!(facts.not_before, now() - BACK_DATED);
    assert_eq!(facts.not_after, now() + CLIENT_LIFETIME);
    assert!(!facts.authority);
}

#[test]
fn a_serving_certificate_carries_names_and_addresses() {
    let mut names = Names::loopback();
    names.names.insert("node-1".to_owned());
    names.addresses.insert(IpAddr::from([192, 0, 2, 7]));
    let identity = authority()
        .issue_serving("node-1", &names, SERVING_LIFETIME, now())
        .unwrap();
    assert_eq!(identity.certificate().names, names);
    assert_eq!(identity.certificate().roles, Roles::NONE);
}

#[test]
fn two_certificates_differ_in_serial_and_key() {
    let authority = authority();
    let issue = || {
        authority
            .issue_client("a", Role::Reader.into(), CLIENT_LIFETIME, now())
            .unwrap()
    };
    let (one, two) = (issue(), issue());
    assert_ne!(one.certificate().serial, two.certificate().serial);
    assert_ne!(one.certificate().fingerprint, two.certificate().fingerprint);
}

#[test]
fn an_authority_reads_back_from_its_pem() {
    let first = authority();
    let again = Authority::from_pem(
        first.identity().certificate_pem(),
        first.identity().key_pem().expose(),
    )
    .unwrap();
    assert_eq!(
        again.identity().certificate(),
        first.identity().certificate()
    );
    again
        .issue_client("a", Role::Admin.into(), CLIENT_LIFETIME, now())
        .unwrap();
}

#[test]
fn a_leaf_is_no_authority_and_does_not_outlive_one() {
    let authority = authority();
    let late = now() + crate::AUTHORITY_LIFETIME - SignedDuration::from_hours(1);
    let leaf = authority
        .issue_client("a", Role::Admin.into(), CLIENT_LIFETIME, late)
        .unwrap();
    assert_eq!(
        leaf.certificate().not_after,
        authority.identity().certificate().not_after
    );
    let error = Authority::from_pem(leaf.certificate_pem(), leaf.key_pem().expose()).unwrap_err();
    assert!(matches!(error, IssueError::NotAnAuthority(_)), "{error}");
}

#[test]
fn refuses_to_sign_outside_the_authoritys_time_or_for_no_time() {
    let authority = authority();
    let issue = |lifetime, at| authority.issue_client("a", Role::Admin.into(), lifetime, at);
    let too_early = issue(CLIENT_LIFETIME, now() - SignedDuration::from_hours(2)).unwrap_err();
    assert!(
        matches!(too_early, IssueError::OutOfDate { .. }),
        "{too_early}"
    );
    let no_time = issue(SignedDuration::ZERO, now()).unwrap_err();
    assert!(matches!(no_time, IssueError::Lifetime { .. }), "{no_time}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (one, two) = (
        maintenance_identity().unwrap(),
        maintenance_identity().unwrap(),
    );
    Identity::from_pem(one.certificate_pem(), two.key_pem().expose()).unwrap_err();
}

#[test]
fn the_maintenance_certificate_holds_at_any_clock() {
    let identity = maintenance_identity().unwrap();
    assert!(identity.certificate().is_valid_at(Timestamp::UNIX_EPOCH));
    assert!(
        identity
            .certificate()
            .is_valid_at("2199-01-01T00:00:00Z".parse().unwrap())
    );
}

#[test]
fn debug_shows_no_key() {
    let identity = maintenance_identity().unwrap();
    let text = format!("{identity:?} {:?} {:?}", identity.key_pem(), authority());
    assert!(!text.contains("PRIVATE"), "{text}");
}
