//! The table against the descriptors, the decision, and the published page.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use pki::{Authority, CLIENT_LIFETIME, Names, Role, Roles, SERVING_LIFETIME, Trust};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{AUTHZ, Access, Denial, decide, page, rule, without_rule};
use crate::api::endpoint::Endpoint;
use crate::api::peer::Peer;
use crate::api::proof::Proof;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

struct Cluster {
    authority: Authority,
    trust: Trust,
}

impl Cluster {
    fn new() -> Self {
        let authority = Authority::generate("garboard api", now()).unwrap();
        let trust = Trust::from_pem(authority.identity().certificate_pem()).unwrap();
        Self { authority, trust }
    }

    fn running(&self) -> Endpoint {
        let own = self
            .authority
            .issue_serving("n", &Names::loopback(), SERVING_LIFETIME, now())
            .unwrap();
        Endpoint::running(&own, &self.trust).unwrap()
    }

    fn proof(&self, roles: Roles) -> Proof {
        let identity = self
            .authority
            .issue_client("mina", roles, CLIENT_LIFETIME, now())
            .unwrap();
        let pem = identity.certificate_pem().as_bytes();
        let own = CertificateDer::from_pem_slice(pem).unwrap();
        Proof::of(&[own]).unwrap().unwrap()
    }

    fn peer(&self, roles: Roles) -> Peer {
        peer(Some(self.proof(roles)), self.trust.fingerprints().clone())
    }
}

fn peer(proof: Option<Proof>, clients: BTreeSet<pki::Fingerprint>) -> Peer {
    Peer::new("192.0.2.1:4000".parse().unwrap(), proof, clients, None)
}

fn waiting(reason: Option<&str>) -> Endpoint {
    let own = pki::maintenance_identity().unwrap();
    Endpoint::maintenance(&own, reason.map(str::to_owned)).unwrap()
}

const VERSION: &str = "/garboard.machine.v1alpha1.MachineService/Version";
const PAIR: &str = "/garboard.machine.v1alpha1.MaintenanceService/Pair";
const UPLOAD: &str = "/garboard.machine.v1alpha1.MaintenanceService/ApplyConfig";

#[test]
fn every_served_method_has_one_row_and_no_row_is_stale() {
    let sets = [
        api::FILE_DESCRIPTOR_SET,
        cosi::wire::proto::FILE_DESCRIPTOR_SET,
    ];
    let served: BTreeSet<_> = sets
        .into_iter()
        .flat_map(|set| api::methods(set).unwrap())
        .chain([crate::api::scrape::PATH.to_owned()])
        .collect();
    let rows: BTreeSet<_> = AUTHZ.iter().map(|row| row.method.to_owned()).collect();
    assert_eq!(rows.len(), AUTHZ.len(), "a method stands twice");
    assert_eq!(rows, served);
    assert_eq!(without_rule(&["/a.B/C".to_owned()]), ["/a.B/C"]);
}

#[test]
fn a_greater_role_may_all_that_a_lesser_may() {
    for row in AUTHZ {
        let Access::Roles(roles) = row.access else {
            continue;
        };
        let implies =
            |lesser: Role, greater: Role| !roles.contains(&lesser) || roles.contains(&greater);
        assert!(implies(Role::Reader, Role::Operator), "{}", row.method);
        assert!(implies(Role::Operator, Role::Admin), "{}", row.method);
        assert!(implies(Role::EtcdBackup, Role::Admin), "{}", row.method);
    }
}

#[test]
fn a_running_node_decides_by_role() {
    let cluster = Cluster::new();
    let endpoint = cluster.running();
    for row in AUTHZ {
        for role in Role::ALL {
            let decision = decide(row.method, &endpoint, &cluster.peer(role.into()), now());
            let expected = match row.access {
                Access::Roles(roles) => roles.contains(&role),
                Access::Token => true,
                _ => false,
            };
            assert_eq!(
                decision.is_ok(),
                expected,
                "{} as {role}: {decision:?}",
                row.method
            );
        }
        let stranger = peer(None, cluster.trust.fingerprints().clone());
        for peer in [cluster.peer(Roles::NONE), stranger] {
            let decision = decide(row.method, &endpoint, &peer, now());
            assert_eq!(
                decision.is_ok(),
                row.access == Access::Token,
                "{}",
                row.method
            );
        }
    }
}

#[test]
fn a_running_node_refuses_who_is_not_known_any_more() {
    let cluster = Cluster::new();
    let endpoint = cluster.running();
    let anybody = peer(None, BTreeSet::new());
    assert_eq!(
        decide(VERSION, &endpoint, &anybody, now()),
        Err(Denial::NoCertificate)
    );
    assert_eq!(
        decide(UPLOAD, &endpoint, &anybody, now()),
        Err(Denial::NotInMaintenance)
    );

    let admin = cluster.peer(Role::Admin.into());
    let later = now() + CLIENT_LIFETIME + SignedDuration::from_secs(1);
    let expired = decide(VERSION, &endpoint, &admin, later);
    assert!(
        matches!(expired, Err(Denial::Expired { .. })),
        "{expired:?}"
    );
    let other = Cluster::new().running();
    assert_eq!(
        decide(VERSION, &other, &admin, now()),
        Err(Denial::TrustChanged)
    );
    let unknown = decide("/a.B/C", &endpoint, &admin, now());
    assert_eq!(unknown, Err(Denial::Unknown("/a.B/C".to_owned())));
}

#[test]
fn a_waiting_node_answers_pairing_only() {
    let endpoint = waiting(Some("the configuration crashed machined"));
    let anybody = peer(None, BTreeSet::new());
    for row in AUTHZ {
        let decision = decide(row.method, &endpoint, &anybody, now());
        match row.access {
            Access::Maintenance => assert_eq!(decision, Ok(())),
            Access::Paired => assert_eq!(decision, Err(Denial::NotPaired)),
            _ => {
                let text = decision.unwrap_err().to_string();
                assert!(
                    text.starts_with("node is in maintenance mode: the configuration"),
                    "{text}"
                );
            }
        }
    }
    anybody.set_paired();
    assert_eq!(decide(UPLOAD, &endpoint, &anybody, now()), Ok(()));
    assert_eq!(decide(PAIR, &endpoint, &anybody, now()), Ok(()));
    let admin = Cluster::new().peer(Role::Admin.into());
    assert!(decide(VERSION, &endpoint, &admin, now()).is_err());
}

#[test]
fn writing_resources_names_the_way_out() {
    let Some(Access::Nobody(instead)) = rule("/cosi.resource.State/Update").map(|row| row.access)
    else {
        panic!("resources must not be writable");
    };
    assert!(instead.contains("osctl config apply"));
}

/// `GARBOARD_BLESS=1` writes the page anew.
#[test]
fn generated_page_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/authorization.md");
    if std::env::var_os("GARBOARD_BLESS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == page(),
        "docs/authorization.md is behind; run this test with GARBOARD_BLESS=1"
    );
}
