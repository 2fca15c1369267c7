//! Who gets something, and every way not to.

use pki::{Authority, Key, SERVING_LIFETIME};

use super::*;

const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const FORMER: &str = "/////////////////////////////////////////+8=";
const OTHER: &str = "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const WORKER: &str = "10.5.0.3";

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A cluster with a control plane and another worker, and a worker in front of it.
struct Scene {
    authority: Authority,
    trust: Trust,
    challenge: Challenge,
    machine: Key,
    ours: Names,
    nodes: Vec<Node>,
    ranges: Vec<Network>,
}

impl Scene {
    fn new() -> Self {
        let authority = Authority::generate("garboard", now()).unwrap();
        let node = |name: &str, own: &str, control_plane| Node {
            name: name.to_owned(),
            addresses: vec![address(own)],
            control_plane,
        };
        Self {
            trust: Trust::from_pem(authority.identity().certificate_pem()).unwrap(),
            authority,
            challenge: Challenge::random().unwrap(),
            machine: Key::generate().unwrap(),
            ours: Names {
                names: ["cp-1".to_owned(), "api".to_owned()].into(),
                addresses: [address("10.5.0.2"), address("10.5.0.9")].into(),
            },
            nodes: vec![
                node("cp-1", "10.5.0.2", true),
                node("cp-2", "10.5.0.4", true),
                node("worker-2", "10.5.0.5", false),
                node("worker-1", WORKER, false),
            ],
            ranges: vec![
                "10.244.0.0/16".parse().unwrap(),
                "10.96.0.0/12".parse().unwrap(),
            ],
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            token: TOKEN,
            former_tokens: &[],
            challenge: Some(self.challenge),
            source: address(WORKER),
            ours: &self.ours,
            nodes: &self.nodes,
            ranges: &self.ranges,
            trust: &self.trust,
            now: now(),
        }
    }

    fn request(&self, key: &Key, name: &str, purpose: &str) -> Vec<u8> {
        let challenge = &self.challenge;
        key.request(&Subject {
            name,
            purpose,
            challenge,
        })
        .unwrap()
    }

    fn ask_as(&self, name: &str) -> IssueRequest {
        let new = || Key::generate().unwrap();
        IssueRequest {
            token: TOKEN.to_owned(),
            name: name.to_owned(),
            machine: self.request(&self.machine, name, MACHINE),
            kubelet: self.request(&new(), name, KUBELET),
            kubelet_serving: self.request(&new(), name, KUBELET_SERVING),
            before: String::new(),
        }
    }

    fn ask(&self) -> IssueRequest {
        self.ask_as("worker-1")
    }

    /// A certificate of the worker's name and an address, for a key.
    fn issued(&self, key: &Key, to: &str, own: &str, at: Timestamp) -> String {
        let der = self.request(key, to, MACHINE);
        let subject = Subject {
            name: to,
            purpose: MACHINE,
            challenge: &self.challenge,
        };
        let request = Request::read(&der, &subject).unwrap();
        let names = Names {
            names: [to.to_owned()].into(),
            addresses: [address(own)].into(),
        };
        let issued = self
            .authority
            .certify_serving(to, &names, &request, SERVING_LIFETIME, at);
        issued.unwrap()
    }
}

fn refused(ask: &IssueRequest, facts: &Facts<'_>) -> String {
    cosi::report(&judge(ask, facts).unwrap_err())
}

#[test]
fn a_worker_gets_its_name_and_the_address_it_calls_from() {
    let scene = Scene::new();
    let claim = judge(&scene.ask(), &scene.facts()).unwrap();
    assert_eq!(claim.name, "worker-1");
    assert_eq!(claim.names.names, ["worker-1".to_owned()].into());
    assert_eq!(claim.names.addresses, [address(WORKER)].into());
    assert_eq!(claim.machine.fingerprint(), scene.machine.fingerprint());
    assert_ne!(claim.kubelet, claim.kubelet_serving);
}

#[test]
fn a_former_token_counts_as_long_as_it_is_one() {
    let scene = Scene::new();
    let ask = IssueRequest {
        token: FORMER.to_owned(),
        ..scene.ask()
    };
    assert!(refused(&ask, &scene.facts()).contains("wrong token"));
    let former = [OTHER.to_owned(), FORMER.to_owned()];
    let facts = Facts {
        former_tokens: &former,
        ..scene.facts()
    };
    assert!(judge(&ask, &facts).unwrap().by_former);
    assert!(!judge(&scene.ask(), &facts).unwrap().by_former);
    let neither = IssueRequest {
        token: FORMER.replace('+', "A"),
        ..scene.ask()
    };
    assert!(refused(&neither, &facts).contains("wrong token"));
}

#[test]
fn what_is_wrong_gets_nothing() {
    let scene = Scene::new();
    let good = scene.ask();
    type Change = fn(&mut IssueRequest);
    let cases: [(Change, &str); 9] = [
        (|it| it.token.clear(), "wrong token"),
        (|it| it.token.replace_range(..1, "B"), "wrong token"),
        (|it| it.machine.clear(), "PKCS #10"),
        (|it| it.machine.truncate(100), "PKCS #10"),
        (|it| it.machine.resize(64 * 1024, 0), "at most 1024 bytes"),
        // One for another purpose, of a key of its own.
        (
            |it| it.kubelet = it.machine.clone(),
            "certificate of kubelet asks",
        ),
        (
            |it| it.kubelet_serving = it.kubelet.clone(),
            "kubelet-serving asks",
        ),
        (
            |it| it.name = "worker-2".to_owned(),
            "asks for another name",
        ),
        (|it| it.name = "Worker".to_owned(), "no name of a node"),
    ];
    for (change, said) in cases {
        let mut ask = good.clone();
        change(&mut ask);
        let told = refused(&ask, &scene.facts());
        assert!(told.contains(said), "{told}");
        assert!(!told.contains(TOKEN), "{told}");
    }
}

#[test]
fn a_challenge_is_answered_by_who_was_asked() {
    let scene = Scene::new();
    let none = Facts {
        challenge: None,
        ..scene.facts()
    };
    assert!(refused(&scene.ask(), &none).contains("no challenge to answer"));
    let of_another = Facts {
        challenge: Challenge::random().ok(),
        ..scene.facts()
    };
    assert!(refused(&scene.ask(), &of_another).contains("another challenge"));
}

#[test]
fn nobody_is_a_control_plane() {
    let scene = Scene::new();
    for name in ["cp-1", "cp-2", "api"] {
        let told = refused(&scene.ask_as(name), &scene.facts());
        assert!(told.contains("a name of the control plane"), "{told}");
    }
    for name in ["", "worker-1.example.org", "10.5.0.3", "-", "a b"] {
        let told = refused(&scene.ask_as(name), &scene.facts());
        assert!(told.contains("no name of a node"), "{told}");
    }
}

#[test]
fn nobody_gets_an_address_of_somebody_else() {
    let scene = Scene::new();
    for (source, said) in [
        ("10.5.0.2", "the control plane"),
        ("10.5.0.9", "the cluster's endpoint"),
        ("10.5.0.4", "the node `cp-2`"),
        ("10.5.0.5", "the node `worker-2`"),
        ("10.244.3.7", "pods or services"),
        ("10.96.0.1", "pods or services"),
        ("127.0.0.1", "no address that others"),
        ("::1", "no address that others"),
        ("fe80::1", "no address that others"),
    ] {
        let facts = Facts {
            source: address(source),
            ..scene.facts()
        };
        let told = refused(&scene.ask(), &facts);
        assert!(told.contains(source) && told.contains(said), "{told}");
    }
}

#[test]
fn what_the_same_key_proved_a_moment_ago_counts() {
    let scene = Scene::new();
    let (other, ago) = (Key::generate().unwrap(), SignedDuration::from_mins);
    let addresses = |before: String| {
        let ask = IssueRequest {
            before,
            ..scene.ask()
        };
        judge(&ask, &scene.facts()).map(|it| it.names.addresses.len())
    };
    let own = &scene.machine;
    let issued = |key, name, own, at| scene.issued(key, name, own, at);
    assert_eq!(
        addresses(issued(own, "worker-1", "fd00::3", now() - ago(9))).unwrap(),
        2
    );
    // Too old, another's key, another's name, another cluster's, no certificate.
    let foreign = Scene::new().issued(own, "worker-1", "fd00::3", now());
    for nothing in [
        issued(own, "worker-1", "fd00::3", now() - ago(11)),
        issued(&other, "worker-1", "fd00::3", now()),
        issued(own, "worker-3", "fd00::3", now()),
        foreign,
        "-----BEGIN CERTIFICATE-----".to_owned(),
    ] {
        assert_eq!(addresses(nothing).unwrap(), 1);
    }
    // It is another node's by now.
    let told = addresses(issued(own, "worker-1", "10.5.0.5", now())).unwrap_err();
    assert!(told.to_string().contains("worker-2"), "{told}");
}
