//! Links, programs and what the kernel tells of itself, by the tools a person would use.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Runs `ip` and gives what it says.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("iproute2 is needed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same in the far namespace.
pub(crate) fn far(arguments: &str) -> String {
    ip(&format!("-n far {arguments}"))
}

/// Makes the far namespace and a wire to it. The near end stays down, the far one is up with this address.
pub(crate) fn wire(address: &str) {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "run", "/run"])
        .status()
        .unwrap();
    assert!(mounted.success());
    ip("netns add far");
    ip("link add client0 type veth peer name server0 netns far");
    far(&format!("address add {address} dev server0"));
    far("link set server0 up");
    far("link set lo up");
}

/// A dnsmasq in the far namespace.
pub(crate) struct Dnsmasq {
    child: Child,
    folder: TempDir,
}

impl Dnsmasq {
    /// Serves addresses of this range, with these options besides.
    pub(crate) fn start(range: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new("ip")
            .args("netns exec far dnsmasq --keep-in-foreground --log-facility=- --conf-file=/dev/null".split(' '))
            .args("--user=root --group= --port=0 --interface=server0 --bind-interfaces".split(' '))
            .args("--dhcp-authoritative --no-ping --log-dhcp --pid-file=".split(' '))
            .arg(format!("--dhcp-leasefile={}", folder.path().join("leases").display()))
            .arg(format!("--dhcp-range={range}"))
            .args(options)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("dnsmasq is needed");
        Self { child, folder }
    }

    /// Everything it logged.
    pub(crate) fn log(&self) -> String {
        read(&self.folder.path().join("log"))
    }

    /// Ends it without a word to anybody.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("dnsmasq said:\n{}", self.log());
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An `ip monitor` that hears everything about addresses and routes.
pub(crate) struct Monitor {
    child: Child,
    folder: TempDir,
}

impl Monitor {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new("ip")
            .args(["monitor", "address", "route"])
            .stdout(log)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// What it has heard so far.
    pub(crate) fn heard(&self) -> String {
        read(&self.folder.path().join("log"))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    File::open(path)
        .and_then(|mut f| f.read_to_string(&mut text))
        .unwrap();
    text
}
