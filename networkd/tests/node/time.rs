//! The time, from a real chronyd over a real wire. It is told to keep its hands off the host's clock, and networkd has no right to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use resources::net::{TimeServerPhase, TimeServerSpec, TimeServerStatus};
use sys::clock::Moment;
use tempfile::TempDir;
use testkit::{isolated, until};

use crate::machine::{far, ip, wire};
use crate::process::Networkd;
use crate::upstream::{Upstream, Wanted};

const SERVER: &str = "10.77.0.1";

/// Where `cargo xtask test` puts chronyd.
fn chronyd() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Path::new(&std::env::var_os("HOME").unwrap()).join(".cache");
    let program = cache
        .unwrap_or_else(home)
        .join("garboard/chrony/usr/sbin/chronyd");
    assert!(
        program.exists(),
        "there is no {}: `cargo xtask test` fetches it",
        program.display()
    );
    program
}

/// A server in the far namespace; ended with the test.
struct Chronyd {
    child: Child,
    _folder: TempDir,
}

impl Chronyd {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("chrony.conf");
        let pid = folder.path().join("pid");
        let text = format!(
            "local stratum 5\nallow all\nbindaddress {SERVER}\ncmdport 0\nbindcmdaddress /\npidfile {}\n",
            pid.display()
        );
        fs::write(&config, text).unwrap();
        let child = Command::new("ip")
            .args(["netns", "exec", "far"])
            .arg(chronyd())
            // In the foreground, without touching the clock, as the user that it is started as.
            .args(["-d", "-x", "-u", "root", "-f"])
            .arg(&config)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            _folder: folder,
        }
    }
}

impl Drop for Chronyd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How far a sample is from the clock that both ends share, in nanoseconds.
fn off(status: &TimeServerStatus) -> u128 {
    let sample = status.samples.last().unwrap();
    let before = Moment::now().raw.as_nanos();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let passed = before - u128::from(sample.raw_nanos);
    let told = u128::try_from(sample.server_nanos).unwrap() + passed;
    told.abs_diff(now.as_nanos())
}

#[test]
fn a_server_is_waited_for_asked_and_let_go() {
    isolated(
        "time::a_server_is_waited_for_asked_and_let_go",
        async || {
            wire("10.77.0.1/24");
            let spec = TimeServerSpec {
                address: SERVER.parse().unwrap(),
                server: SERVER.to_owned(),
            };
            let wanted = Wanted {
                time: vec![spec],
                ..Wanted::default()
            };
            let upstream = Upstream::start(1, wanted);
            let _networkd = Networkd::start();
            let status = || upstream.get::<TimeServerStatus>(SERVER);
            let phase = |phase| status().filter(|it| it.phase == phase);
            // There is no way to it yet.
            let silent = until("the first failure", || phase(TimeServerPhase::Silent)).await;
            assert!(
                silent.unanswered > 0 && !silent.error.is_empty(),
                "{silent:?}"
            );

            ip("address add 10.77.0.2/24 dev client0");
            ip("link set client0 up");
            let server = Chronyd::start();
            let found = until("answers", || {
                phase(TimeServerPhase::Answering).filter(|it| it.samples.len() > 1)
            })
            .await;
            assert_eq!((found.stratum, found.interval_seconds), (5, 32));
            assert_eq!((found.unanswered, &*found.error), (0, ""));
            let off = off(&found);
            assert!(off < 1_000_000_000, "{off} ns off: {found:?}");

            // Nobody listens any more, which its host says, and then nobody is to be asked.
            drop(server);
            far("link set server0 down");
            upstream.change(|wanted| wanted.time.clear());
            until("the end", || status().is_none().then_some(())).await;
        },
    );
}
