//! Disks that are of one machine alone, with real QEMU processes and machines that write.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails its test, as the test itself does"
)]

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::time::Duration;

use provision::disk::DiskError;
use provision::{
    Boot, Bus, Cluster, ClusterError, ClusterSpec, Clusters, Deadline, Disk, Host, Name, OwnDisk,
    VmSpec,
};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Machines that start from their first disk.
fn spec<'a>(cluster: &str, vms: impl IntoIterator<Item = (&'a str, Vec<Disk>)>) -> ClusterSpec {
    let vm = |(vm, disks)| VmSpec {
        disks,
        ..VmSpec::new(name(vm), 64, Boot::Disk)
    };
    ClusterSpec {
        name: name(cluster),
        tftp: None,
        closed: false,
        vms: vms.into_iter().map(vm).collect(),
    }
}

/// A disk's first sector that starts a machine's BIOS: it writes itself, all 512 bytes, to the second sector.
fn scribe(signature: u8) -> Vec<u8> {
    let mut sector = vec![
        0x31, 0xc0, // xor ax, ax
        0x8e, 0xc0, // mov es, ax
        0xb8, 0x01, 0x03, // mov ax, 0x0301: write one sector
        0xbb, 0x00, 0x7c, // mov bx, 0x7c00: from where this program is
        0xb9, 0x02, 0x00, // mov cx, 2: to the second
        0xb6, 0x00, // mov dh, 0
        0xcd, 0x13, // int 0x13
        0xf4, // hlt
        0xeb, 0xfd, // jmp back to it
    ];
    sector.resize(509, 0);
    sector.extend([signature, 0x55, 0xaa]);
    sector
}

/// Starts a machine with such a first sector on its disk, waits until the second is the same, and pulls the plug.
fn scribble(cluster: &mut Cluster, host: &Host, vm: &Name, signature: u8) {
    cluster.switch_off(vm).unwrap();
    let file = cluster.disk(vm, 0).unwrap();
    let open = || fs::OpenOptions::new().read(true).write(true).open(&file);
    let program = scribe(signature);
    open().unwrap().write_all_at(&program, 0).unwrap();
    cluster.switch_on(host, vm).unwrap();
    let record = cluster.disk_record(vm, 0).ok();
    let written = Deadline::after(Duration::from_secs(300)).until(|| {
        let mut found = vec![0; program.len()];
        open().unwrap().read_exact_at(&mut found, 512).unwrap();
        // What is done is recorded after it is done.
        let record = record.as_ref().map(|record| fs::read(record).unwrap());
        let recorded = record.is_none_or(|record| entries(&record) == u64::from(signature));
        (found == program && recorded).then_some(())
    });
    assert_eq!(written, Some(()), "{}", cluster.console_tail(vm));
    cluster.switch_off(vm).unwrap();
}

/// How many entries a record has, by its first sector: a magic number, a version, and this, all in little-endian 64 bits.
fn entries(record: &[u8]) -> u64 {
    let number = |at: usize| {
        let bytes = record.get(at..at + 8);
        bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
    };
    if !record.is_empty() {
        assert_eq!((number(0), number(8)), (0x006a_7366_7773_6872, 1));
    }
    number(16)
}

#[test]
fn a_machine_writes_its_own_disk_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("clusters");
    let clusters = Clusters::at(&root).unwrap();
    let host = Host::detect().unwrap();
    let recorded = OwnDisk {
        record: true,
        ..OwnDisk::new(1 << 20, Bus::Virtio)
    };
    let disks = [Disk::system(10 << 30), Disk::Own(recorded)];
    let vms = ["a", "b"].into_iter().zip(disks.map(|disk| vec![disk]));
    let spec = spec("disks", vms);
    let mut cluster = clusters.create(&host, &spec).unwrap();
    let (a, b) = (name("a"), name("b"));
    let size = |cluster: &Cluster, vm| {
        let found = fs::metadata(cluster.disk(vm, 0).unwrap()).unwrap();
        (found.len(), found.blocks() * 512)
    };
    assert_eq!(size(&cluster, &a), (10 << 30, 0), "nothing of it is there");

    let (uuid, mac) = identity(&cluster, &a);
    for signature in [1, 2] {
        scribble(&mut cluster, &host, &a, signature);
        scribble(&mut cluster, &host, &b, signature);
    }
    assert_eq!(identity(&cluster, &a), (uuid, mac));
    assert!(size(&cluster, &a).1 < 1 << 20, "{:?}", size(&cluster, &a));

    cluster.grow_disk(&a, 0, 11 << 30).unwrap();
    assert_eq!(size(&cluster, &a).0, 11 << 30);
    let notes = clusters.open(&name("disks")).unwrap();
    assert_eq!(
        notes.vm(&a).unwrap().spec.disks,
        [Disk::system(11 << 30)],
        "and it is noted"
    );
    scribble(&mut cluster, &host, &a, 3);

    // A sector about every entry, and then its data; the second start went on after the first.
    let record = fs::read(cluster.disk_record(&b, 0).unwrap()).unwrap();
    assert_eq!(record[1024..1536], scribe(1));
    assert_eq!(record[2048..2560], scribe(2));

    clusters.destroy(&name("disks")).unwrap();
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
}

/// What a machine is known by.
fn identity(cluster: &Cluster, vm: &Name) -> (String, String) {
    let vm = cluster.vm(vm).unwrap();
    (vm.uuid.clone(), vm.mac.clone())
}

#[test]
fn what_cannot_be_done_with_disks_is_said_and_changes_none() {
    let folder = tempfile::tempdir().unwrap();
    let clusters = Clusters::at(&folder.path().join("clusters")).unwrap();
    let host = Host::detect().unwrap();
    let file = folder.path().join("shared.img");
    fs::File::create(&file).unwrap().set_len(1 << 20).unwrap();
    let disks = vec![Disk::shared(&file, Bus::Virtio), Disk::system(2 << 20)];
    let spec = spec("grow", [("a", disks)]);
    let mut cluster = clusters.create(&host, &spec).unwrap();
    let a = name("a");
    let failed = |outcome: Result<(), ClusterError>| match outcome {
        Err(ClusterError::Disk(error)) => error,
        other => panic!("{other:?}"),
    };
    let on = failed(cluster.grow_disk(&a, 1, 3 << 20));
    assert!(matches!(on, DiskError::On { .. }), "{on}");
    cluster.switch_off(&a).unwrap();
    let less = failed(cluster.grow_disk(&a, 1, 1 << 20));
    assert!(matches!(less, DiskError::Shrink { .. }), "{less}");
    let odd = failed(cluster.grow_disk(&a, 1, (3 << 20) + 1));
    assert!(matches!(odd, DiskError::Unfit(_)), "{odd}");
    for number in [0, 2] {
        let none = failed(cluster.grow_disk(&a, number, 3 << 20));
        assert!(matches!(none, DiskError::None { .. }), "{none}");
    }
    let silent = failed(cluster.disk_record(&a, 1).map(drop));
    assert!(matches!(silent, DiskError::NoRecord { .. }), "{silent}");
    let file = cluster.disk(&a, 1).unwrap();
    assert_eq!(fs::metadata(file).unwrap().len(), 2 << 20);
    clusters.destroy(&name("grow")).unwrap();
}
