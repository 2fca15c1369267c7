//! The controller on disks that are files, as far as that goes: partitions of a file are no devices.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use cosi::Runtime;
use jiff::Timestamp;
use procfs::process::MountInfo;
use resources::block::{Disk, VolumePhase, VolumeStatus};
use resources::runtime::Condition;
use store::{Resource, Spec as _, Store, Transaction};
use tokio::sync::watch;
use tokio::time::timeout;

use super::Volumes;
use super::apply::{Apply, DEVICES, condition};
use super::host::{Host, Mounted};
use super::layout::Volume;
use crate::config::Storage;

/// Nothing here takes longer, even on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(60);

fn put(store: &Store, resource: Resource) {
    let made = Transaction::owned("test").put(resource);
    store.commit(made, Timestamp::now()).unwrap();
}

fn loaded(store: &Store) {
    let condition = Condition {
        met: true,
        message: String::new(),
    };
    put(store, Resource::in_default(DEVICES, condition));
}

fn disk(store: &Store, folder: &Path, name: &str, bytes: u64, mark: &[u8]) {
    let path = folder.join(name);
    let file = File::create_new(&path).unwrap();
    file.set_len(bytes).unwrap();
    file.write_all_at(mark, 1080).unwrap();
    let disk = Disk {
        path: path.display().to_string(),
        bytes,
        sector_bytes: 512,
        ..Disk::default()
    };
    put(store, Resource::in_default(name, disk));
}

/// Lets the controller look at some disks until it says where configs are kept.
async fn kept(prepare: impl FnOnce(&Store, &Path)) -> (Storage, VolumeStatus) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    let store = Store::new(1);
    prepare(&store, folder.path());
    let volumes = Volumes::new(
        folder.path(),
        &folder.path().join("state"),
        &folder.path().join("var"),
    );
    let (storage, mut told) = watch::channel(Storage::Looking);
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(Apply::new(volumes, storage)).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let watching = async {
        let known = told.wait_for(|it| *it != Storage::Looking).await;
        let known = known.unwrap().clone();
        drop(stop);
        known
    };
    let both = async { tokio::join!(runtime.run(async { drop(stopped.await) }), watching) };
    let (_, known) = timeout(PATIENCE, both).await.expect("it says where");
    let namespace = VolumeStatus::DEFINITION.namespace;
    let state = store.snapshot().get_as::<VolumeStatus>(namespace, "STATE");
    (known, (*state.unwrap().spec).clone())
}

#[tokio::test]
async fn without_a_disk_configs_are_kept_in_memory() {
    let (storage, state) = kept(|store, _| loaded(store)).await;
    assert_eq!(state.phase, VolumePhase::Missing);
    let Storage::Memory { reason } = storage else {
        panic!("there is no disk")
    };
    assert!(reason.contains("no disk holds the node's data"), "{reason}");
    assert_eq!(state.reason, reason);
}

#[test]
fn what_waits_for_the_disk_is_told_why() {
    let status = |phase, mounted_at: &str, reason: &str| VolumeStatus {
        phase,
        mounted_at: mounted_at.to_owned(),
        reason: reason.to_owned(),
        ..VolumeStatus::default()
    };
    let of = |phase, mounted_at| condition(Some(&status(phase, mounted_at, "why")));
    let ready = of(VolumePhase::Ready, "/var").expect("told");
    assert!(ready.met && ready.message.contains("/var"), "{ready:?}");
    for (phase, mounted_at) in [
        (VolumePhase::Preparing, ""),
        // Mounted, and read-only since its disk failed.
        (VolumePhase::Failed, "/var"),
    ] {
        let unmet = of(phase, mounted_at).expect("told");
        assert!(!unmet.met && unmet.message.contains("why"), "{unmet:?}");
    }
    assert_eq!(of(VolumePhase::Missing, ""), None);
    assert_eq!(condition(None), None);
}

#[test]
fn a_mounted_volume_has_what_links_of_the_root_lead_to() {
    let folder = tempfile::tempdir().unwrap();
    let var = folder.path().join("var");
    let host = Host::new(folder.path(), &folder.path().join("state"), &var);
    // A life before may have done it.
    for _ in 0..2 {
        host.furnish(Volume::Ephemeral).unwrap();
    }
    assert!(var.join("opt/cni/bin").is_dir());
    host.furnish(Volume::State).unwrap();
    assert!(!folder.path().join("state").exists());
}

#[tokio::test]
async fn disks_that_nobody_chose_are_left_alone() {
    let (storage, state) = kept(|store, folder| {
        disk(store, folder, "blank", 4 << 30, &[]);
        disk(store, folder, "small", 1 << 12, &[]);
        disk(store, folder, "others", 4 << 30, b"\x53\xef");
        loaded(store);
    })
    .await;
    assert_eq!(state.phase, VolumePhase::Missing);
    assert!(matches!(storage, Storage::Memory { .. }));
}

#[test]
fn a_mount_that_the_kernel_stopped_is_found() {
    let host = Host::new(
        Path::new("/run"),
        Path::new("/run/state"),
        Path::new("/var"),
    );
    let found = |lines: &[&str]| {
        let mounts = lines.iter().map(|it| MountInfo::from_line(it).unwrap());
        host.mounted_of("/dev/vdb", &mounts.collect::<Vec<_>>())
    };
    let state = "36 25 254:21 / /run/state rw,nosuid - ext4 /dev/vdb5 rw,errors=remount-ro";
    let ephemeral = "37 25 254:22 / /var rw,nosuid - ext4 /dev/vdb6 ro,errors=remount-ro";
    // Of another disk, elsewhere, and bound read-only by somebody, which stops nobody else.
    let others = [
        "38 25 254:37 / /run/state rw - ext4 /dev/vdc5 ro",
        "39 25 254:21 / /mnt rw - ext4 /dev/vdb5 ro",
        "40 25 254:22 / /var ro - ext4 /dev/vdb6 rw",
    ];
    assert_eq!(found(&others[..2]), Mounted::default());
    let only = |volume| Mounted {
        volumes: [volume].into(),
        ..Mounted::default()
    };
    assert_eq!(found(&others), only(Volume::Ephemeral));
    assert_eq!(found(&[state]), only(Volume::State));
    let both = Mounted {
        volumes: [Volume::State, Volume::Ephemeral].into(),
        stopped: [Volume::Ephemeral].into(),
    };
    assert_eq!(found(&[state, ephemeral]), both);
}

#[test]
fn a_volume_that_is_not_there_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state");
    let host = Host::new(folder.path(), &place, folder.path());
    assert!(!host.keeps(Volume::State));
    assert!(host.keeps(Volume::Ephemeral));
    std::fs::create_dir(&place).unwrap();
    assert!(host.keeps(Volume::State));
}
