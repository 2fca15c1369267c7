//! A config names the node's disk: it is told at once when there is none such.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use resources::block::Disk as Device;
use store::{Resource, Transaction};

use super::*;

/// As large as a disk has to be, and then some.
const BYTES: u64 = 4 << 30;

/// A node with two blank disks and one with somebody's file system.
fn node(folder: &Path) -> Life {
    let life = Life::begin(&folder.join("memory"), &Beginning::Usual);
    for (name, serial) in [("vdb", "a"), ("vdc", "b"), ("vdd", "other")] {
        let path = folder.join(name);
        let file = File::create_new(&path).unwrap();
        file.set_len(BYTES).unwrap();
        if serial == "other" {
            file.write_all_at(b"\x53\xef", 1080).unwrap();
        }
        let disk = Device {
            path: path.display().to_string(),
            serial: serial.to_owned(),
            bytes: BYTES,
            sector_bytes: 512,
            ..Device::default()
        };
        let made = Transaction::owned("test").put(Resource::in_default(name, disk));
        life.store.commit(made, Timestamp::now()).unwrap();
    }
    life
}

fn config(hostname: &str, selector: &str) -> v1::ApplyConfigRequest {
    let documents = format!(
        "{HOSTNAME}{hostname}\n---\napiVersion: garboard/v1alpha1\nkind: SystemDisk\nmatch: {selector}\n"
    );
    v1::ApplyConfigRequest {
        documents: documents.into(),
        ..Default::default()
    }
}

/// What is said of disks.
fn of_disks(answer: v1::ApplyConfigResponse) -> Vec<String> {
    let all = answer.warnings.into_iter();
    all.filter(|it| !it.contains("ApiTrust")).collect()
}

#[tokio::test]
async fn a_disk_that_is_not_there_is_told_before_anything_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = node(folder.path());
    for (selector, told) in [
        (
            "serial == \"c\"",
            &["fits none of the disks", "vdb (4096 MiB, other, a)", "vdd"][..],
        ),
        (
            "size > 1GiB",
            &["fits several disks (vdb, vdc, vdd)", "vdc (4096 MiB"][..],
        ),
        (
            "serial == \"other\"",
            &["vdd holds an ext2", "wipe: true"][..],
        ),
    ] {
        for dry_run in [true, false] {
            let request = v1::ApplyConfigRequest {
                dry_run,
                ..config("a", selector)
            };
            let refused = life.head.apply(&caller(None), request).await;
            let refused = refused.unwrap_err().to_string();
            for told in told.iter().chain(&["Nothing has changed", "--force"]) {
                assert!(refused.contains(told), "{selector}: {refused}");
            }
        }
        assert_eq!(life.generation(), None);
    }
    let request = config("a", "serial == \"b\"");
    let taken = life.head.apply(&caller(None), request).await.unwrap();
    assert_eq!(of_disks(taken), Vec::<String>::new());
    assert_eq!(life.generation(), Some(1));
}

#[tokio::test]
async fn who_insists_is_warned_and_is_not_asked_again_of_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = node(folder.path());
    let request = v1::ApplyConfigRequest {
        force: true,
        ..config("a", "serial == \"c\"")
    };
    let taken = life.head.apply(&caller(None), request).await.unwrap();
    let warnings = of_disks(taken);
    assert!(
        matches!(warnings.as_slice(), [one] if one.contains("fits none") && one.contains("in memory")),
        "{warnings:?}"
    );
    // A node whose disk is gone can still be given another config.
    let other = config("b", "serial == \"c\"");
    let taken = life.head.apply(&caller(None), other).await.unwrap();
    assert_eq!(of_disks(taken), Vec::<String>::new());
    assert_eq!(life.generation(), Some(2));
}
