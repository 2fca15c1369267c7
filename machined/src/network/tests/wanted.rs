//! What each source wants.

use ::config::Documents;
use resources::net::{AddressStatus, ConfigLayer, Dhcp4Spec, LinkStatus};

use crate::network::{address, dhcp4, hostname, link, node_address, resolver, route};

fn documents(bodies: &[&str]) -> Documents {
    let text: Vec<String> = bodies
        .iter()
        .map(|it| format!("apiVersion: garboard/v1alpha1\n{it}\n"))
        .collect();
    config::parse("test", text.join("---\n").as_bytes()).unwrap()
}

fn links() -> Vec<(&'static str, LinkStatus)> {
    let link = |physical| LinkStatus {
        physical,
        ..LinkStatus::default()
    };
    vec![
        ("eth0", link(true)),
        ("eth1", link(true)),
        ("lo", link(false)),
        ("veth0", link(false)),
    ]
}

fn dhcp4(documents: &Documents) -> Vec<(String, bool, u32)> {
    let links = links();
    let specs = dhcp4::config::wanted(documents, links.iter().map(|(name, it)| (*name, it)));
    let merged = dhcp4::merge::merge(specs.iter().map(|(id, it)| (id.as_str(), it)));
    merged
        .into_iter()
        .map(
            |(
                id,
                Dhcp4Spec {
                    enabled, metric, ..
                },
            )| (id, enabled, metric),
        )
        .collect()
}

fn yes(link: &str, metric: u32) -> (String, bool, u32) {
    (link.to_owned(), true, metric)
}

fn no(link: &str) -> (String, bool, u32) {
    (link.to_owned(), false, 1024)
}

#[test]
fn every_physical_link_asks_until_told_otherwise() {
    assert_eq!(
        dhcp4(&Documents::default()),
        [yes("eth0", 1024), yes("eth1", 1024)]
    );
    let fixed = "kind: Link\nname: eth0\naddresses: [10.0.0.2/24]";
    assert_eq!(dhcp4(&documents(&[fixed])), [no("eth0"), yes("eth1", 1024)]);
    let both = ["kind: Dhcp4\nname: eth0\nmetric: 7", fixed];
    assert_eq!(
        dhcp4(&documents(&both)),
        [yes("eth0", 7), yes("eth1", 1024)]
    );
    let only_mtu = "kind: Link\nname: eth0\nmtu: 9000";
    assert_eq!(
        dhcp4(&documents(&[only_mtu])),
        [yes("eth0", 1024), yes("eth1", 1024)]
    );
    let down = "kind: Link\nname: eth0\nup: false";
    assert_eq!(dhcp4(&documents(&[down])), [no("eth0"), yes("eth1", 1024)]);
    let off = "kind: Dhcp4\nname: eth1\nenabled: false";
    assert_eq!(dhcp4(&documents(&[off])), [yes("eth0", 1024), no("eth1")]);
    let software = "kind: Dhcp4\nname: veth0";
    assert_eq!(dhcp4(&documents(&[software])).len(), 3);
}

#[test]
fn links_are_up_by_default_and_as_the_config_says() {
    let links = links();
    let documents = documents(&["kind: Link\nname: eth0\nup: false\nmtu: 9000"]);
    let specs = link::config::wanted(&documents, links.iter().map(|(name, it)| (*name, it)));
    let merged = link::merge::merge(specs.iter().map(|(id, it)| (id.as_str(), it)));
    let seen: Vec<_> = merged
        .iter()
        .map(|(id, it)| (id.as_str(), it.up, it.mtu))
        .collect();
    assert_eq!(
        seen,
        [
            ("eth0", false, Some(9000)),
            ("eth1", true, None),
            ("lo", true, None)
        ]
    );
}

#[test]
fn addresses_and_routes_of_a_link() {
    let routes =
        "routes:\n  - to: 0.0.0.0/0\n    via: 10.0.0.1\n  - to: 10.1.0.0/16\n    metric: 5";
    let up = format!("kind: Link\nname: eth0\naddresses: [10.0.0.2/24, fd00::2/64]\n{routes}");
    let up = documents(&[&up]);
    let ids: Vec<String> = address::config::wanted(&up).into_keys().collect();
    assert_eq!(ids, ["config/eth0/10.0.0.2/24", "config/eth0/fd00::2/64"]);
    let specs = route::config::wanted(&up);
    let ids: Vec<&str> = specs.keys().map(String::as_str).collect();
    assert_eq!(
        ids,
        ["config/eth0/0.0.0.0/0/100", "config/eth0/10.1.0.0/16/5"]
    );
    let default = &specs["config/eth0/0.0.0.0/0/100"];
    assert_eq!(default.gateway, Some([10, 0, 0, 1].into()));
    let down = documents(&[&format!("kind: Link\nname: eth0\nup: false\n{routes}")]);
    assert!(route::config::wanted(&down).is_empty());
}

#[test]
fn names_by_strength() {
    let id = "0e6bd0b46a4a4f2b9d393c6a52a5b0b3";
    let name = |command_line: &str, documents: &Documents| {
        let specs = hostname::config::Config::new(command_line, id).wanted(documents);
        let spec = hostname::merge::merge(specs.iter().map(|(id, it)| (id.as_str(), it))).unwrap();
        (spec.hostname, spec.domain, spec.layer)
    };
    let none = Documents::default();
    let plain = |name: &str, layer| (name.to_owned(), String::new(), layer);
    assert_eq!(
        name("quiet", &none),
        plain("garboard-0e6bd0b4", ConfigLayer::Default)
    );
    let argument = "quiet garboard.hostname=kernel";
    assert_eq!(
        name(argument, &none),
        plain("kernel", ConfigLayer::CommandLine)
    );
    assert_eq!(
        name("garboard.hostname=Not_One", &none).2,
        ConfigLayer::Default
    );
    let config = documents(&["kind: Hostname\nhostname: node-1.example.org"]);
    let (hostname, domain, layer) = name(argument, &config);
    assert_eq!(
        (hostname.as_str(), domain.as_str()),
        ("node-1", "example.org")
    );
    assert_eq!(layer, ConfigLayer::Config);
}

#[test]
fn resolvers_of_the_config() {
    assert!(resolver::config::wanted(&Documents::default()).is_empty());
    let specs = resolver::config::wanted(&documents(&["kind: Resolver\nservers: [9.9.9.9]"]));
    assert_eq!(
        specs["config/resolvers"].servers,
        ["9.9.9.9".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[test]
fn own_addresses_are_certain_global_and_in_order() {
    let status = |link: &str, address: &str, scope: &str, tentative| AddressStatus {
        address: address.parse().unwrap(),
        link: link.parse().unwrap(),
        scope: scope.to_owned(),
        tentative,
        ..AddressStatus::default()
    };
    let statuses = [
        status("lo", "127.0.0.1/8", "host", false),
        status("lo", "::1/128", "host", false),
        status("eth1", "10.0.1.2/24", "global", false),
        status("eth0", "fd00::2/64", "global", false),
        status("eth0", "fe80::2/64", "link", false),
        status("eth0", "fd00::3/64", "global", true),
        status("eth0", "10.0.0.3/24", "global", false),
        status("eth0", "10.0.0.2/24", "global", false),
    ];
    let texts: Vec<String> = node_address::status::addresses(&statuses)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        texts,
        ["10.0.0.2/24", "10.0.0.3/24", "fd00::2/64", "10.0.1.2/24"]
    );
}
