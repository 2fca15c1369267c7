//! The controller on devices that are files: as far as the mount, which needs a kernel of one's own.

use std::fs;
use std::path::PathBuf;

use cosi::Runtime;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use resources::images::BUNDLE_LABEL;
use store::Store;
use sys::squashfs::label_block;
use sys::uevent::Listener;
use tempfile::TempDir;
use testkit::until;
use tokio::sync::watch;

use super::apply::Apply;
use crate::images::Faults;

/// A node's devices.
struct Node(TempDir);

impl Node {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn disk(&self, name: &str, sequence: u64, content: &[u8]) {
        let write = |path: PathBuf, content: &[u8]| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let folder = self.path("sys/block").join(name);
        let sectors = content.len() / 512;
        write(folder.join("device/uevent"), b"");
        write(folder.join("diskseq"), sequence.to_string().as_bytes());
        write(folder.join("size"), sectors.to_string().as_bytes());
        write(self.path("dev").join(name), content);
    }
}

/// Something with a bundle's label that no kernel mounts.
fn false_bundle() -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[..4].copy_from_slice(b"hsqs");
    bytes[28] = 4;
    bytes[40] = 100;
    bytes.extend(label_block(BUNDLE_LABEL).unwrap());
    bytes
}

fn start(node: &Node, faults: watch::Sender<Faults>) -> (Store, Runtime) {
    let store = Store::new(1);
    let mut runtime = Runtime::new("machined", store.clone());
    let listener = Listener::open().unwrap();
    let folder = |name| node.path(name);
    let (sys, dev, shelf) = (folder("sys"), folder("dev"), folder("bundles"));
    let apply = Apply::new(&sys, &dev, &shelf, listener, faults);
    runtime.register(apply).unwrap();
    (store, runtime)
}

#[tokio::test]
async fn a_bundle_that_cannot_be_mounted_is_told_whatever_the_other_devices_do() {
    let node = Node(tempfile::tempdir().unwrap());
    node.disk("vda", 1, &vec![7; 65536]);
    node.disk("vdb", 2, &false_bundle());
    node.disk("sr0", 3, &[]);
    // A drive that fails to read, as a folder does, and ones that never answer, as pipes into which nobody writes: more of
    // them than there are threads for what blocks.
    for name in ["sdc", "sdd", "sde", "sdf", "sdg"] {
        node.disk(name, 4, &[0; 4096]);
        fs::remove_file(node.path("dev").join(name)).unwrap();
    }
    fs::create_dir(node.path("dev/sdc")).unwrap();
    for name in ["sdd", "sde", "sdf", "sdg"] {
        mkfifo(&node.path("dev").join(name), Mode::S_IRWXU).unwrap();
    }

    let (faults, told) = watch::channel(Faults::new());
    let (_, runtime) = start(&node, faults);
    let watched = async {
        let place = node.path("bundles/vdb");
        let faults = until("a fault", || {
            let faults = told.borrow().clone();
            (!faults.is_empty()).then_some(faults)
        });
        let faults = faults.await;
        assert_eq!(faults.keys().collect::<Vec<_>>(), [&place]);
        let device = node.path("dev/vdb").display().to_string();
        let reason = &faults[&place];
        assert!(reason.contains(&device), "{reason}");
        assert!(!place.exists());
    };
    beside(runtime, watched).await;
}

/// Does something while the controllers run.
async fn beside(runtime: Runtime, work: impl Future<Output = ()>) {
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = work => {}
    }
}
