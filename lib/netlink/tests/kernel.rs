//! The verbs against a real kernel, in a network namespace of their own.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::net::IpAddr;
use std::process::Command;

use netlink::{Address, AddressScope, Dirty, Link, LinkChange, Netlink, Route};
use testkit::isolated;

const TAG: u8 = 0x47;

fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("iproute2 is needed");
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn open() -> (Netlink, netlink::Changes) {
    let (netlink, changes, driver) = netlink::open().unwrap();
    tokio::spawn(driver);
    (netlink, changes)
}

async fn link(netlink: &Netlink, name: &str) -> Link {
    netlink
        .links()
        .await
        .unwrap()
        .into_iter()
        .find(|l| l.name == name)
        .unwrap()
}

fn address(index: u32, text: &str, length: u8) -> Address {
    Address {
        index,
        address: text.parse().unwrap(),
        length,
        protocol: TAG,
        scope: AddressScope::Global,
        tentative: false,
        permanent: true,
    }
}

fn route(index: u32, gateway: &str) -> Route {
    let gateway: IpAddr = gateway.parse().unwrap();
    let any = if gateway.is_ipv4() { "0.0.0.0" } else { "::" };
    Route {
        table: 254,
        destination: any.parse().unwrap(),
        length: 0,
        metric: 1024,
        index,
        gateway: Some(gateway),
        source: None,
        mtu: None,
        onlink: false,
        protocol: TAG,
    }
}

async fn ours(netlink: &Netlink) -> Vec<Route> {
    netlink
        .routes()
        .await
        .unwrap()
        .into_iter()
        .filter(|r| r.protocol == TAG)
        .collect()
}

#[test]
fn links_are_listed_and_changed() {
    isolated("links_are_listed_and_changed", async || {
        ip("link add a0 type veth peer name b0");
        let (netlink, _changes) = open();
        let a = link(&netlink, "a0").await;
        assert_eq!(
            (a.kind.as_str(), a.up, a.mtu, a.address.len()),
            ("veth", false, 1500, 6)
        );
        assert!(a.is_ethernet() && link(&netlink, "lo").await.is_loopback());
        let change = LinkChange {
            up: Some(true),
            mtu: Some(1400),
        };
        netlink.change_link(a.index, change).await.unwrap();
        let a = link(&netlink, "a0").await;
        assert_eq!((a.up, a.mtu, a.carrier), (true, 1400, false));
        let refused = netlink.change_link(9999, change).await.unwrap_err();
        assert!(refused.to_string().contains("link 9999"), "{refused}");
        assert_eq!(refused.errno(), Some(19));
    });
}

#[test]
fn addresses_carry_our_tag_and_go_quietly_when_gone() {
    isolated(
        "addresses_carry_our_tag_and_go_quietly_when_gone",
        async || {
            ip("link add a0 type veth peer name b0");
            ip("address add 192.0.2.9/24 dev a0");
            let (netlink, _changes) = open();
            let index = link(&netlink, "a0").await.index;
            for wanted in [
                address(index, "192.0.2.7", 24),
                address(index, "2001:db8::7", 64),
                address(index, "192.0.2.9", 24),
            ] {
                // Twice: what stands already is no error. The last one was there without a tag.
                netlink.put_address(&wanted).await.unwrap();
                netlink.put_address(&wanted).await.unwrap();
                let there = netlink.addresses().await.unwrap();
                let found = there.iter().find(|a| a.address == wanted.address).unwrap();
                assert_eq!(
                    (found.length, found.protocol, found.permanent),
                    (wanted.length, TAG, true)
                );
            }
            assert!(ip("-4 address show dev a0").contains("192.0.2.7/24 brd 192.0.2.255"));
            for gone in netlink
                .addresses()
                .await
                .unwrap()
                .iter()
                .filter(|a| a.protocol == TAG)
            {
                netlink.remove_address(gone).await.unwrap();
                netlink.remove_address(gone).await.unwrap();
            }
            assert!(
                netlink
                    .addresses()
                    .await
                    .unwrap()
                    .iter()
                    .all(|a| a.protocol != TAG)
            );
        },
    );
}

#[test]
fn routes_of_one_metric_stand_beside_each_other() {
    isolated("routes_of_one_metric_stand_beside_each_other", async || {
        ip("link add a0 type veth peer name b0");
        let (netlink, _changes) = open();
        let (a, b) = (
            link(&netlink, "a0").await.index,
            link(&netlink, "b0").await.index,
        );
        for (index, text, length) in [
            (a, "192.0.2.7", 24),
            (b, "198.51.100.7", 24),
            (a, "2001:db8::7", 64),
        ] {
            let up = LinkChange {
                up: Some(true),
                mtu: None,
            };
            netlink.change_link(index, up).await.unwrap();
            netlink
                .put_address(&address(index, text, length))
                .await
                .unwrap();
        }
        let mut wanted = vec![
            route(a, "192.0.2.1"),
            route(b, "198.51.100.1"),
            route(a, "2001:db8::1"),
        ];
        wanted[0].mtu = Some(1400);
        wanted[1].source = Some("198.51.100.7".parse().unwrap());
        for route in &wanted {
            netlink.add_route(route).await.unwrap();
            netlink.add_route(route).await.unwrap();
        }
        wanted.sort();
        assert_eq!(ours(&netlink).await, wanted);
        // Exactly the named one goes, though another is alike but for its link.
        netlink.remove_route(&wanted[0]).await.unwrap();
        netlink.remove_route(&wanted[0]).await.unwrap();
        assert_eq!(ours(&netlink).await, wanted[1..]);
        // A gateway that no prefix covers, and one that is replaced in place.
        let mut far = route(a, "10.0.0.1");
        far.metric = 7;
        let refused = netlink.add_route(&far).await.unwrap_err();
        assert!(refused.to_string().contains("via 10.0.0.1"), "{refused}");
        far.onlink = true;
        netlink.add_route(&far).await.unwrap();
        far.mtu = Some(1300);
        netlink.replace_route(&far).await.unwrap();
        assert!(ours(&netlink).await.contains(&far));
        assert_eq!(ours(&netlink).await.len(), 3);
    });
}

/// All that changed. The kernel has queued every notification before `ip` ends, so a short silence is the end of them.
async fn noticed(changes: &mut netlink::Changes) -> Dirty {
    let mut all = Dirty::default();
    let silence = std::time::Duration::from_millis(300);
    while let Ok(dirty) = tokio::time::timeout(silence, changes.next()).await {
        let dirty = dirty.expect("the socket stays open");
        all.links |= dirty.links;
        all.addresses |= dirty.addresses;
        all.routes |= dirty.routes;
    }
    all
}

#[test]
fn every_kind_of_change_is_noticed() {
    isolated("every_kind_of_change_is_noticed", async || {
        let (_netlink, mut changes) = open();
        ip("link add a0 type veth peer name b0");
        assert_eq!(noticed(&mut changes).await, Dirty::ALL);
        ip("address add 192.0.2.7/24 dev a0");
        let addresses = Dirty {
            links: false,
            ..Dirty::ALL
        };
        assert_eq!(noticed(&mut changes).await, addresses);
        ip("route add blackhole 203.0.113.0/24");
        let routes = Dirty {
            routes: true,
            ..Dirty::default()
        };
        assert_eq!(noticed(&mut changes).await, routes);
    });
}
