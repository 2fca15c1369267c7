//! DHCP against a real dnsmasq over a real wire.

use crate::machine::{Dnsmasq, far, ip, wire};
use crate::process::Networkd;
use crate::upstream::{Upstream, Wanted};
use resources::net::{
    AddressStatus, Dhcp4Phase, HostnameSpec, LAYERED, LinkStatus, ResolverSpec, RouteStatus,
    TimeSpec,
};
use store::Spec;
use testkit::{isolated, until};

const RANGE: &str = "10.77.0.50,10.77.0.60,255.255.255.0,2m";
/// Renewal after three seconds, rebinding after six: dnsmasq gives no lease under two minutes, and takes no shorter times.
const SOON: [&str; 2] = ["--dhcp-option=option:T1,3", "--dhcp-option=option:T2,6"];

fn has_address(address: &str) -> bool {
    ip("-4 address show dev client0").contains(address)
}

/// What the lease of the link under test wants.
fn leased<S: Spec>(upstream: &Upstream) -> S {
    let found = upstream
        .snapshot()
        .get_as::<S>(LAYERED, "operator/dhcp4/client0");
    (*found.unwrap().spec).clone()
}

#[test]
fn a_lease_becomes_address_routes_resolvers_and_name() {
    isolated(
        "dhcp::a_lease_becomes_address_routes_resolvers_and_name",
        async || {
            wire("10.77.0.1/24");
            let mac = ip("-br link show client0")
                .split_whitespace()
                .nth(2)
                .unwrap()
                .to_owned();
            let host = format!("--dhcp-host={mac},10.77.0.55,node-1");
            let options = [
                "--dhcp-option=6,10.77.0.1,9.9.9.9",
                "--domain=example.org",
                "--dhcp-option=26,1400",
                "--dhcp-option=42,10.77.0.1,10.77.0.2",
                &host,
            ];
            let _server = Dnsmasq::start(RANGE, &options);
            let upstream = Upstream::start(1, Wanted::dhcp());
            let _networkd = Networkd::start();
            assert_eq!(until("the lease", || upstream.leased()).await, "10.77.0.55");
            until("the address", || has_address("10.77.0.55/24").then_some(())).await;
            let route =
                "default via 10.77.0.1 dev client0 proto 71 src 10.77.0.55 metric 1024 mtu 1400";
            until("the route", || {
                ip("-4 route show default").contains(route).then_some(())
            })
            .await;
            let status: AddressStatus =
                until("the status", || upstream.get("client0/10.77.0.55/24")).await;
            assert!(status.managed);
            let route: RouteStatus =
                until("the status", || upstream.get("client0/0.0.0.0/0/1024")).await;
            assert_eq!(route.protocol, "garboard");
            let link: LinkStatus = until("the status", || upstream.get("client0")).await;
            assert_eq!(
                (
                    link.kind.as_str(),
                    link.physical,
                    link.carrier,
                    link.hardware_address
                ),
                ("veth", false, true, mac)
            );
            let resolvers: ResolverSpec = leased(&upstream);
            assert_eq!(resolvers.servers.len(), 2);
            assert_eq!(resolvers.search, ["example.org"]);
            let name: HostnameSpec = leased(&upstream);
            assert_eq!((&*name.hostname, &*name.domain), ("node-1", "example.org"));
            let time: TimeSpec = leased(&upstream);
            assert_eq!(time.servers, ["10.77.0.1", "10.77.0.2"]);
            until("rest", || upstream.is_settled().then_some(())).await;
        },
    );
}

#[test]
fn a_lease_is_renewed_by_unicast() {
    isolated("dhcp::a_lease_is_renewed_by_unicast", async || {
        wire("10.77.0.1/24");
        let server = Dnsmasq::start(RANGE, &SOON);
        let upstream = Upstream::start(1, Wanted::dhcp());
        let _networkd = Networkd::start();
        until("the lease", || upstream.leased()).await;
        let first = upstream.lease().unwrap();
        // A busy machine may have asked twice; the server has taken all of that up before it leased.
        let discoveries = || server.log().matches("DHCPDISCOVER").count();
        let before = discoveries();
        let renewed = until("a renewal", || {
            upstream
                .lease()
                .filter(|l| l.acquired_at > first.acquired_at)
        })
        .await;
        assert_eq!(
            (renewed.phase, renewed.address),
            (Dhcp4Phase::Bound, first.address)
        );
        // The renewals were requests alone.
        assert_eq!(discoveries(), before, "{}", server.log());
    });
}

#[test]
fn a_vanished_server_takes_nothing_away() {
    isolated("dhcp::a_vanished_server_takes_nothing_away", async || {
        wire("10.77.0.1/24");
        let mut server = Dnsmasq::start(RANGE, &SOON);
        let upstream = Upstream::start(1, Wanted::dhcp());
        let _networkd = Networkd::start();
        let address = until("the lease", || upstream.leased()).await;
        until("the address", || has_address(&address).then_some(())).await;
        server.kill();
        let phase = |phase| upstream.lease().is_some_and(|l| l.phase == phase);
        until("rebinding", || phase(Dhcp4Phase::Rebinding).then_some(())).await;
        assert!(has_address(&address));
        assert_eq!(upstream.leased(), Some(address));
    });
}

#[test]
fn without_an_answer_it_goes_on_asking_and_says_so() {
    isolated(
        "dhcp::without_an_answer_it_goes_on_asking_and_says_so",
        async || {
            wire("10.77.0.1/24");
            let upstream = Upstream::start(1, Wanted::dhcp());
            let _networkd = Networkd::start();
            let asked = || {
                upstream
                    .lease()
                    .filter(|l| l.phase == Dhcp4Phase::Selecting && l.attempts >= 2)
            };
            until("a second attempt", asked).await;
            // Nothing waits for it.
            until("rest", || upstream.is_settled().then_some(())).await;
            let _server = Dnsmasq::start(RANGE, &[]);
            until("the lease", || upstream.leased()).await;
        },
    );
}

#[test]
fn a_refused_lease_is_given_up_for_a_new_one() {
    isolated(
        "dhcp::a_refused_lease_is_given_up_for_a_new_one",
        async || {
            wire("10.77.0.1/24");
            let mut server = Dnsmasq::start(RANGE, &[]);
            let upstream = Upstream::start(1, Wanted::dhcp());
            let networkd = Networkd::start();
            let old = until("the lease", || upstream.leased()).await;
            until("the address", || has_address(&old).then_some(())).await;
            // The node moves to another network while networkd is away.
            networkd.kill();
            server.kill();
            far("address replace 10.78.0.1/24 dev server0");
            far("address del 10.77.0.1/24 dev server0");
            let server = Dnsmasq::start("10.78.0.50,10.78.0.60,255.255.255.0,2m", &[]);
            assert_eq!(
                upstream.leased(),
                Some(old.clone()),
                "the lease is remembered"
            );
            let _networkd = Networkd::start();
            let new = until("another lease", || upstream.leased().filter(|l| *l != old)).await;
            assert!(new.starts_with("10.78.0."));
            assert!(server.log().contains("DHCPNAK"), "{}", server.log());
            until("the new address instead of the old", || {
                (has_address(&new) && !has_address(&old)).then_some(())
            })
            .await;
        },
    );
}

#[test]
fn a_client_nobody_wants_gives_its_lease_back() {
    isolated(
        "dhcp::a_client_nobody_wants_gives_its_lease_back",
        async || {
            wire("10.77.0.1/24");
            let server = Dnsmasq::start(RANGE, &[]);
            let upstream = Upstream::start(1, Wanted::dhcp());
            let _networkd = Networkd::start();
            let address = until("the lease", || upstream.leased()).await;
            until("the address", || has_address(&address).then_some(())).await;
            upstream.change(|wanted| wanted.dhcp[0].enabled = false);
            until("the release", || {
                server.log().contains("DHCPRELEASE").then_some(())
            })
            .await;
            until("the address gone", || {
                (!has_address(&address)).then_some(())
            })
            .await;
            assert!(upstream.lease().is_none());
        },
    );
}
