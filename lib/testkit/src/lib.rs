//! Fixtures for tests. Knows nothing of the product, and is in nothing that ships.

#![expect(
    clippy::panic,
    reason = "a fixture reports what is wrong the way a test does: by failing it"
)]

use std::process::Command;
use std::time::{Duration, Instant};

const INSIDE: &str = "GARBOARD_TEST_INSIDE";
/// Nothing a test waits for takes longer, even on a slow machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(60);

/// The start of an x86-64 ELF file of this type, such as 2 for a static program (`e_type` of elf(5)): a header without segments.
#[must_use]
pub fn elf(kind: u8) -> Vec<u8> {
    let identity: &[u8] = b"\x7fELF\x02\x01\x01";
    // Its type, x86-64, the version; further on the sizes of the header and of a segment's.
    let what = [kind, 0, 62, 0, 1, 0, 0, 0];
    [identity, &[0; 9], &what, &[0; 28], &[64, 0, 56, 0], &[0; 8]].concat()
}

/// Runs a test's body in user, network, mount and process namespaces of its own, so that nobody needs root. `name` is the path of the
/// test's function, as the test harness prints it.
///
/// Outside it starts this very test again inside, and fails when that fails: also where namespaces cannot be made.
pub fn isolated<F: Future<Output = ()>>(name: &str, body: impl FnOnce() -> F) {
    if let Some(ran) = std::env::var_os(INSIDE) {
        std::fs::write(ran, "").expect("the mark that the body ran");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(body());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ran = folder.path().join("ran");
    let program = std::env::current_exe().expect("this test's own program");
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "--pid"])
        .args(["--fork", "--kill-child", "--mount-proc"])
        .arg(program)
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, &ran)
        .status();
    match status {
        // Without the mark no test has this name, and success means nothing.
        Ok(status) if status.success() => {
            assert!(ran.exists(), "{name} is not the name of this test")
        }
        Ok(_) => panic!("{name} failed inside its namespaces, or they cannot be made here"),
        Err(error) => panic!("unshare (util-linux) is needed: {error}"),
    }
}

/// Looks again and again until a condition gives something; fails the test when it never does.
pub async fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
