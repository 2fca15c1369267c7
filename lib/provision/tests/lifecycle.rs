//! Clusters of machines without an operating system: their whole life, with real QEMU processes.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper fails its test, as the test itself does"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use provision::cluster::Power;
use provision::clusters::ClustersError;
use provision::process::Process;
use provision::{
    Boot, Bus, ClusterError, ClusterSpec, Clusters, Deadline, Destroyed, Disk, Host, Name, VmSpec,
};

/// Says to the test of this name in which folder it shall make a cluster and leave it.
const CREATOR: &str = "GARBOARD_TEST_CREATOR";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Machines with an empty disk: their firmware finds nothing to start and stays.
fn spec(cluster: &str, folder: &Path, vms: &[&str]) -> ClusterSpec {
    let file = folder.join("empty.img");
    fs::File::create(&file).unwrap().set_len(1 << 20).unwrap();
    let vm = |vm: &&str| {
        let mut spec = VmSpec::new(name(vm), 64, Boot::Disk);
        spec.disks.push(Disk::shared(&file, Bus::Virtio));
        spec
    };
    ClusterSpec {
        name: name(cluster),
        tftp: None,
        closed: false,
        vms: vms.iter().map(vm).collect(),
    }
}

/// The processes whose command line names a folder, by a way of looking that is not the crate's own.
fn processes(folder: &Path) -> Vec<String> {
    let needle = folder.to_str().unwrap();
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines
        .filter(|line| line.contains("qemu") && line.contains(needle))
        .collect()
}

#[test]
fn a_cluster_from_making_to_removal() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("clusters");
    let clusters = Clusters::at(&root).unwrap();
    let host = Host::detect().unwrap();
    let spec = spec("life", folder.path(), &["a", "b"]);
    let mut cluster = clusters.create(&host, &spec).unwrap();
    assert_eq!(clusters.list().unwrap(), [name("life")]);
    assert_eq!(processes(&root).len(), 3);

    let leases: BTreeSet<_> = cluster.vms().iter().map(|vm| vm.lease.unwrap()).collect();
    assert_eq!(leases.len(), 2, "each machine has an address of its own");
    let places: BTreeSet<_> = cluster
        .vms()
        .iter()
        .map(|vm| vm.endpoint(provision::spec::API_PORT).unwrap())
        .collect();
    assert_eq!(places.len(), 2, "and a port of its own on this host");
    for place in places {
        assert!(place.ip().is_loopback());
        std::net::TcpStream::connect(place).unwrap();
    }

    let a = name("a");
    cluster.cut(&a).unwrap();
    cluster.restore(&a).unwrap();
    // Twice, changed and taken away twice: each finds what the one before left.
    for interval in [1, 1, 5, 0, 0].map(Duration::from_millis) {
        cluster.delay(&a, interval).unwrap();
    }
    cluster.forward(&a, 80).unwrap();
    let before = cluster.vm(&a).unwrap().forwards.clone();
    cluster.redirect(&a, "10.0.2.99".parse().unwrap()).unwrap();
    let after = cluster.vm(&a).unwrap().forwards.clone();
    assert_eq!(before.len(), 2);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.host, after.host, "a forward keeps its place");
        assert_eq!(after.to.to_string(), "10.0.2.99");
    }

    let first = cluster.vm(&a).unwrap().process;
    cluster.reset(&a).unwrap();
    cluster.switch_off(&a).unwrap();
    assert_eq!(cluster.power(&a).unwrap(), Power::Off);
    cluster.switch_on(&host, &a).unwrap();
    assert_eq!(cluster.power(&a).unwrap(), Power::On);
    assert_ne!(cluster.vm(&a).unwrap().process, first);
    assert_eq!(cluster.network(), Power::On);

    let again = clusters.open(&name("life")).unwrap();
    assert_eq!(again.vms(), cluster.vms());
    assert!(matches!(
        clusters.create(&host, &spec),
        Err(ClustersError::Exists { .. })
    ));

    let destroyed = clusters.destroy(&name("life")).unwrap();
    assert_eq!(destroyed, Destroyed::Cluster { processes: 3 });
    assert_eq!(processes(&root), Vec::<String>::new());
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    assert_eq!(clusters.destroy(&name("life")).unwrap(), Destroyed::Nothing);
}

#[test]
fn what_does_not_start_says_why_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("clusters");
    let clusters = Clusters::at(&root).unwrap();
    let mut spec = spec("broken", folder.path(), &["a", "b"]);
    // A folder exists, but is no disk.
    spec.vms[1].disks = vec![Disk::shared(folder.path(), Bus::Virtio)];
    let error = clusters
        .create(&Host::detect().unwrap(), &spec)
        .unwrap_err();
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    assert!(said.contains("b ended at once"), "{said}");
    assert!(said.contains("qemu-system"), "QEMU's own words: {said}");
    assert_eq!(processes(&root), Vec::<String>::new());
    assert_eq!(clusters.list().unwrap(), []);
}

#[test]
fn sockets_work_however_long_the_path_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("x".repeat(120)).join("clusters");
    let clusters = Clusters::at(&root).unwrap();
    let spec = spec("deep", folder.path(), &["a"]);
    clusters.create(&Host::detect().unwrap(), &spec).unwrap();
    clusters.destroy(&name("deep")).unwrap();
    assert_eq!(processes(&root), Vec::<String>::new());
}

/// Ends a process that is not this program's child, or is; what it was noted as shows that it is gone.
fn end(process: Process) {
    let pid = process.pid.to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &pid])
            .status()
            .unwrap()
            .success()
    );
    let gone = Deadline::after(Duration::from_secs(60)).until(|| (!process.alive()).then_some(()));
    assert_eq!(gone, Some(()));
}

/// The state's file with something in it changed.
fn edit(file: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let mut state = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut state);
    fs::write(file, state.to_string()).unwrap();
}

#[test]
fn a_machine_that_nobody_wrote_down_does_not_run_beside_its_successor() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("clusters");
    let clusters = Clusters::at(&root).unwrap();
    let host = Host::detect().unwrap();
    let spec = spec("unnoted", folder.path(), &["a"]);
    let first = clusters.create(&host, &spec).unwrap().vms()[0].process;
    edit(&root.join("unnoted/state.json"), |state| {
        state["vms"][0]["process"] = serde_json::Value::Null;
    });
    let mut cluster = clusters.open(&name("unnoted")).unwrap();
    assert_eq!(cluster.power(&name("a")).unwrap(), Power::Off);
    cluster.switch_on(&host, &name("a")).unwrap();
    assert!(!first.unwrap().alive());
    assert_eq!(processes(&root).len(), 2);
    clusters.destroy(&name("unnoted")).unwrap();
}

#[test]
fn what_is_dead_is_said_to_be_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("clusters");
    let clusters = Clusters::at(&root).unwrap();
    let host = Host::detect().unwrap();
    let spec = spec("dead", folder.path(), &["a"]);
    let mut cluster = clusters.create(&host, &spec).unwrap();
    let a = name("a");

    end(cluster.vm(&a).unwrap().process.unwrap());
    assert!(matches!(
        cluster.carrier(&a, false),
        Err(ClusterError::IsOff { .. })
    ));
    let notes = fs::read_to_string(root.join("dead/state.json")).unwrap();
    let notes: serde_json::Value = serde_json::from_str(&notes).unwrap();
    let switch: Process = serde_json::from_value(notes["switch"].clone()).unwrap();
    end(switch);
    assert_eq!(cluster.network(), Power::Off);
    for outcome in [
        cluster.cut(&a),
        cluster.switch_on(&host, &a),
        cluster.delay(&a, Duration::ZERO),
    ] {
        assert!(matches!(outcome, Err(ClusterError::NoNetwork { .. })));
    }
    assert!(!cluster.vm(&a).unwrap().spec.cut, "a cable that is not cut");

    // As after a crash of the host: numbers that may be anybody's by now.
    edit(&root.join("dead/state.json"), |state| {
        let me = std::process::id();
        let stat = fs::read_to_string(format!("/proc/{me}/stat")).unwrap();
        let started = stat.rsplit(')').next().unwrap();
        let started: u64 = started.split_whitespace().nth(19).unwrap().parse().unwrap();
        state["switch"] = serde_json::json!({"pid": me, "started": started});
    });
    let mine = |clusters: &Clusters| clusters.open(&name("dead")).unwrap().network();
    assert_eq!(mine(&clusters), Power::On, "this is how a process is known");
    edit(&root.join("dead/state.json"), |state| {
        state["boot"] = "another".into();
    });
    assert_eq!(mine(&clusters), Power::Off);

    let destroyed = clusters.destroy(&name("dead")).unwrap();
    assert_eq!(destroyed, Destroyed::Cluster { processes: 0 });
}

#[test]
fn half_a_copy_of_the_firmwares_variables_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("clusters");
    let clusters = Clusters::at(&root).unwrap();
    let host = Host::detect().unwrap();
    let mut spec = spec("half", folder.path(), &["a"]);
    spec.vms[0].uefi = true;
    let mut cluster = clusters.create(&host, &spec).unwrap();
    cluster.switch_off(&name("a")).unwrap();
    // As a crash in the middle of the copy leaves it.
    let vars = root.join("half/vm-a.vars");
    let whole = fs::metadata(&vars).unwrap().len();
    fs::remove_file(&vars).unwrap();
    fs::write(root.join("half/vm-a.vars.new"), "half").unwrap();
    cluster.switch_on(&host, &name("a")).unwrap();
    assert_eq!(fs::metadata(&vars).unwrap().len(), whole);
    clusters.destroy(&name("half")).unwrap();
}

#[test]
fn a_stray_file_is_no_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let clusters = Clusters::at(folder.path()).unwrap();
    fs::write(folder.path().join("notes"), "").unwrap();
    assert_eq!(clusters.list().unwrap(), []);
}

/// Makes a cluster; in the folder of another test it leaves it for that test to remove.
#[test]
fn creator() {
    let own = tempfile::tempdir().unwrap();
    let given = std::env::var_os(CREATOR).map(PathBuf::from);
    let folder = given.as_deref().unwrap_or(own.path());
    let clusters = Clusters::at(&folder.join("clusters")).unwrap();
    let mut spec = spec("crash", folder, &["a", "b"]);
    spec.vms[0].disks.push(Disk::system(1 << 20));
    clusters.create(&Host::detect().unwrap(), &spec).unwrap();
    if given.is_none() {
        clusters.destroy(&name("crash")).unwrap();
    }
}

/// The creator with what it says in a file, or the file's text when it ends without having made what is waited for.
fn start_creator(folder: &Path) -> Child {
    let said = fs::File::create(folder.join("said")).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "creator", "--nocapture"])
        .env(CREATOR, folder)
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .spawn()
        .unwrap()
}

/// Busy, since the point would have passed with any pause; the deadline ends it.
fn wait_for(file: &Path, creator: &mut Child, said: &Path) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !file.exists() {
        let ended = creator.try_wait().unwrap().is_some() && !file.exists();
        let late = Instant::now() > limit;
        let text = || fs::read_to_string(said).unwrap();
        assert!(!ended && !late, "no {}: {}", file.display(), text());
        std::thread::yield_now();
    }
}

#[test]
fn a_creator_that_dies_at_any_point_leaves_nothing_that_destroy_does_not_find() {
    let points = [
        "",
        "state.json",
        "vm-a.disk1",
        "switch.log",
        "switch.pid",
        "switch.qmp",
        "vm-a.log",
        "vm-a.pid",
        "console-a.log",
        "vm-b.qmp",
    ];
    for point in points {
        let folder = tempfile::tempdir().unwrap();
        let clusters = Clusters::at(&folder.path().join("clusters")).unwrap();
        let mut creator = start_creator(folder.path());
        let file = folder.path().join("clusters/crash").join(point);
        wait_for(&file, &mut creator, &folder.path().join("said"));
        creator.kill().unwrap();
        creator.wait().unwrap();

        clusters.destroy(&name("crash")).unwrap();
        assert_eq!(processes(folder.path()), Vec::<String>::new(), "{point:?}");
        assert_eq!(clusters.list().unwrap(), [], "{point:?}");
    }
}

#[test]
fn damaged_notes_do_not_keep_a_cluster_alive() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("clusters");
    let clusters = Clusters::at(&root).unwrap();
    let spec = spec("damaged", folder.path(), &["a"]);
    clusters.create(&Host::detect().unwrap(), &spec).unwrap();
    fs::write(root.join("damaged/state.json"), "{").unwrap();
    assert!(matches!(
        clusters.open(&name("damaged")),
        Err(ClustersError::State { .. })
    ));
    let destroyed = clusters.destroy(&name("damaged")).unwrap();
    assert_eq!(destroyed, Destroyed::Cluster { processes: 2 });
    assert_eq!(processes(&root), Vec::<String>::new());
}
