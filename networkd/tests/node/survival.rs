//! What `kill -9` of either daemon leaves behind: everything. And what goes when it is really unwanted.

use crate::machine::{Dnsmasq, Monitor, ip, wire};
use crate::process::Networkd;
use crate::upstream::{Upstream, Wanted};
use resources::net::{AddressSpec, Dhcp4Phase, LinkSpec, RouteSpec};
use testkit::{isolated, until};

fn wanted() -> Wanted {
    let link = || "client0".parse().unwrap();
    let mut wanted = Wanted::dhcp();
    wanted.links.push(LinkSpec {
        name: link(),
        up: true,
        mtu: Some(1450),
        ..LinkSpec::default()
    });
    for address in ["192.0.2.7/24", "2001:db8::7/64"] {
        wanted.addresses.push(AddressSpec {
            address: address.parse().unwrap(),
            link: link(),
            ..AddressSpec::default()
        });
    }
    for (to, via) in [
        ("198.51.100.0/24", "192.0.2.1"),
        ("2001:db8:1::/48", "2001:db8::1"),
    ] {
        wanted.routes.push(RouteSpec {
            destination: to.parse().unwrap(),
            gateway: Some(via.parse().unwrap()),
            link: link(),
            ..RouteSpec::default()
        });
    }
    wanted
}

fn state() -> String {
    ip("address show dev client0")
        + &ip("-4 route show dev client0")
        + &ip("-6 route show dev client0")
}

fn complete() -> bool {
    let state = state();
    let parts = [
        "192.0.2.7/24",
        "2001:db8::7/64",
        "10.77.0.5",
        "mtu 1450",
        "198.51.100.0/24 via 192.0.2.1",
        "2001:db8:1::/48 via 2001:db8::1",
        "default via 10.77.0.1",
    ];
    parts.iter().all(|p| state.contains(p))
}

/// Everything is there, and was all the time that somebody listened.
async fn nothing_was_removed(monitor: &Monitor) {
    // A mark that must be heard, so that silence before it means something.
    ip("address add 203.0.113.9/32 dev lo");
    ip("address del 203.0.113.9/32 dev lo");
    until("the mark", || {
        monitor.heard().contains("Deleted 1: lo").then_some(())
    })
    .await;
    let heard = monitor.heard();
    let removed: Vec<_> = heard
        .lines()
        .filter(|l| l.starts_with("Deleted") && l.contains("client0"))
        .collect();
    assert!(removed.is_empty(), "{removed:#?}");
    assert!(complete(), "{}", state());
}

#[test]
fn killing_either_daemon_removes_nothing() {
    isolated(
        "survival::killing_either_daemon_removes_nothing",
        async || {
            wire("10.77.0.1/24");
            let server = Dnsmasq::start("10.77.0.50,10.77.0.59,255.255.255.0,2m", &[]);
            let upstream = Upstream::start(1, wanted());
            let networkd = Networkd::start();
            until("everything", || complete().then_some(())).await;
            until("rest", || upstream.is_settled().then_some(())).await;
            let monitor = Monitor::start();

            networkd.kill();
            let networkd = Networkd::start();
            let acknowledged = || server.log().matches("DHCPACK").count() >= 2;
            until("the lease to be confirmed", || acknowledged().then_some(())).await;
            let bound = |upstream: &Upstream| {
                upstream
                    .lease()
                    .is_some_and(|l| l.phase == Dhcp4Phase::Bound)
            };
            until("the lease to be held", || bound(&upstream).then_some(())).await;

            upstream.kill();
            let upstream = Upstream::start(2, wanted());
            until("rest in the new epoch", || {
                upstream.is_settled().then_some(())
            })
            .await;
            until("the lease in the new state", || {
                bound(&upstream).then_some(())
            })
            .await;

            nothing_was_removed(&monitor).await;
            networkd.kill();
        },
    );
}

#[test]
fn losing_both_daemons_at_once_takes_no_address_away() {
    isolated(
        "survival::losing_both_daemons_at_once_takes_no_address_away",
        async || {
            wire("10.77.0.1/24");
            let _server = Dnsmasq::start(
                "10.77.0.50,10.77.0.59,255.255.255.0,2m",
                &["--dhcp-reply-delay=1"],
            );
            let upstream = Upstream::start(1, wanted());
            let networkd = Networkd::start();
            until("everything", || complete().then_some(())).await;
            until("rest", || upstream.is_settled().then_some(())).await;
            let monitor = Monitor::start();

            networkd.kill();
            upstream.kill();
            let upstream = Upstream::start(2, wanted());
            let _networkd = Networkd::start();
            until("the lease in the new state", || upstream.leased()).await;
            until("rest in the new epoch", || {
                upstream.is_settled().then_some(())
            })
            .await;
            nothing_was_removed(&monitor).await;
        },
    );
}

#[test]
fn what_nobody_wants_goes_once_that_is_proven() {
    isolated(
        "survival::what_nobody_wants_goes_once_that_is_proven",
        async || {
            wire("10.77.0.1/24");
            let mut wanted = wanted();
            wanted.dhcp.clear();
            let upstream = Upstream::start(1, wanted.clone());
            let networkd = Networkd::start();
            let has = |text: &str| state().contains(text);
            until("the address", || {
                (has("192.0.2.7/24") && has("198.51.100.0/24")).then_some(())
            })
            .await;
            networkd.kill();
            // A stranger's address and route, which nobody here may touch.
            ip("address add 192.0.2.99/32 dev client0");
            ip("route add 203.0.113.0/24 dev client0");
            // The config changes while networkd is away.
            upstream.change(|wanted| {
                wanted.addresses.remove(0);
                wanted.routes.remove(0);
            });
            let _networkd = Networkd::start();
            until("both gone", || {
                (!has("192.0.2.7/24") && !has("198.51.100.0/24")).then_some(())
            })
            .await;
            assert!(
                has("192.0.2.99/32") && has("203.0.113.0/24") && has("2001:db8::7/64"),
                "{}",
                state()
            );
        },
    );
}

#[test]
fn what_others_take_away_comes_back() {
    isolated("survival::what_others_take_away_comes_back", async || {
        wire("10.77.0.1/24");
        let mut wanted = wanted();
        wanted.dhcp.clear();
        let _upstream = Upstream::start(1, wanted);
        let _networkd = Networkd::start();
        let whole = || state().contains("192.0.2.7/24") && state().contains("198.51.100.0/24 via");
        until("the address", || whole().then_some(())).await;
        ip("address del 192.0.2.7/24 dev client0");
        until("both again", || whole().then_some(())).await;
        // The kernel does not announce that routes fell with their link.
        ip("link set client0 down");
        until("all again", || whole().then_some(())).await;
        // The loopback is up although nobody asked for it.
        assert!(ip("address show dev lo").contains("127.0.0.1/8"));
        assert!(ip("address show dev lo").contains("::1/128"));
    });
}
