//! The programs that the nodes run.

use std::path::PathBuf;
use std::process::Command;

/// One of etcd's.
pub(crate) fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("GARBOARD_ETCD").expect(
        "GARBOARD_ETCD, a folder with etcd's programs: `cargo xtask test` sets it; by hand it is what \
         `cargo run -p garboard-image -- go build etcd` prints",
    );
    let path = PathBuf::from(folder).join(name);
    assert!(path.exists(), "there is no {}", path.display());
    path
}

/// Brings the loopback of the test's own network up, once it is certain that there is something to run there.
pub(crate) fn loopback() {
    program("etcd");
    let status = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(status.expect("ip (iproute2) is needed").success());
}
