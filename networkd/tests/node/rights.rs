//! What networkd does before its first packet: look at its own rights, and greet init.

use crate::machine::wire;
use crate::process::{Networkd, THREE, command};
use sys::link::ToInit;
use testkit::isolated;

fn said(capabilities: &str) -> String {
    let output = command(capabilities)
        .output()
        .expect("setpriv (util-linux) is needed");
    assert!(!output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn other_rights_than_its_three_are_refused() {
    isolated(
        "rights::other_rights_than_its_three_are_refused",
        async || {
            let more = said(&format!("{THREE},+sys_admin"));
            assert!(more.contains("CAP_SYS_ADMIN"), "{more}");
            let less = said("-all,+net_admin");
            assert!(less.contains("CAP_NET_RAW is missing"), "{less}");
            let right = said(THREE);
            assert!(right.contains("not by hand"), "{right}");
        },
    );
}

#[test]
fn it_says_when_it_is_ready_and_that_it_lives() {
    isolated(
        "rights::it_says_when_it_is_ready_and_that_it_lives",
        async || {
            wire("10.77.0.1/24");
            let networkd = Networkd::start();
            networkd.says(ToInit::Ready).await;
            networkd.says(ToInit::Ping).await;
            networkd.says(ToInit::Ping).await;
            networkd.kill();
        },
    );
}
