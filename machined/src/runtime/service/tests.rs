//! Real processes, kept by a daemon that dies at any moment.

mod controller;
mod images;
mod memory;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use resources::runtime::{ServiceRestart, ServiceSpec, ServiceState, ServiceStatus};
use sys::process::Process;

use super::container::bundle::Bundle;
use super::container::pulls;
use super::container::roots::Roots;
use super::ends::Ends;
use super::groups::{Cgroups, Groups};
use super::health;
use super::keeper::{Facts, Keeper, Looked, Now};
use super::record::{Mark, Record, Records};
use super::rules::{Limits, Name, Service};
use super::shared::Shared;
use crate::runtime::clock;

/// The variable by which processes are found where there are no control groups: a program hands its environment on to
/// those it starts.
const VARIABLE: &str = "GARBOARD_TEST_GROUP";

/// What services are called here.
const NAMES: [&str; 3] = ["one", "two", "containerd"];

/// Groups on a machine that has none to write to: the processes with a variable of their own.
#[derive(Debug)]
struct Marked(PathBuf);

impl Marked {
    fn value(&self, name: &Name) -> String {
        format!("{VARIABLE}={}/{name}", self.0.display())
    }
}

impl Groups for Marked {
    fn make(&self, _: &Name) -> io::Result<Option<File>> {
        Ok(None)
    }

    fn limit(&self, _: &Name, _: &Limits) -> Vec<String> {
        Vec::new()
    }

    fn starved(&self, name: &Name) -> u64 {
        let killed = fs::read_to_string(self.0.join(format!("{name}.starved")));
        killed.map_or(0, |it| it.lines().count() as u64)
    }

    fn pids(&self, name: &Name) -> io::Result<Vec<u32>> {
        let value = self.value(name);
        let mut pids = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse().ok()) else {
                continue;
            };
            // One that has ended, or is another's, shows none.
            let variables = fs::read(entry.path().join("environ")).unwrap_or_default();
            if variables
                .split(|byte| *byte == 0)
                .any(|it| it == value.as_bytes())
            {
                pids.push(pid);
            }
        }
        Ok(pids)
    }

    fn kill(&self, _: &Name) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &Name) -> io::Result<()> {
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<Name>> {
        Ok(NAMES.iter().map(|it| it.parse().expect("a name")).collect())
    }
}

/// Roots without mounts, on a machine without a container runtime: a file each, and a shell in place of what would be run.
#[derive(Debug)]
struct Files(PathBuf);

impl Roots for Files {
    fn make(&self, name: &Name, layers: &[PathBuf], bundle: &Bundle) -> io::Result<Command> {
        let bundle = serde_json::to_value(bundle)?;
        let text = format!("{layers:?} {}", bundle["process"]["args"]);
        fs::write(self.0.join(format!("{name}.root")), text)?;
        let mark = Marked(self.0.clone()).value(name);
        let mut command = Command::new("/usr/bin/env");
        let folder = format!("DIR={}", self.0.display());
        command.args([&mark, &folder, "/bin/sh", "-c", STAYS]);
        Ok(command)
    }

    fn clear(&self, name: &Name) -> io::Result<()> {
        match fs::remove_file(self.0.join(format!("{name}.root"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A folder of a control group file system that this process may write to, if the machine has one.
fn writable_groups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
    let mut folders = mounts.lines().filter(|line| line.contains(" - cgroup2 "));
    folders.find_map(|line| {
        let folder = Path::new(line.split(' ').nth(4)?)
            .join(format!("garboard-test-{}", std::process::id()));
        fs::create_dir_all(&folder).ok()?;
        folder.join("cgroup.kill").exists().then_some(folder)
    })
}

/// A node's services, kept by one daemon after the other.
struct Node {
    folder: tempfile::TempDir,
    groups: Option<PathBuf>,
    specs: BTreeMap<Name, ServiceSpec>,
    facts: Facts,
    health: health::Known,
    pulls: pulls::Known,
}

impl Node {
    /// On the kernel's groups where there are some, unless `marked`.
    fn new(marked: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("logs")).expect("a folder");
        let groups = writable_groups().filter(|_| !marked);
        let own = folder.path().file_name().expect("a name").to_owned();
        Self {
            groups: groups.map(|it| it.join(own)),
            specs: BTreeMap::new(),
            facts: Facts {
                met: BTreeSet::new(),
                leave: true,
                down: false,
                shared: Shared::default(),
            },
            health: health::Known::default(),
            pulls: pulls::Known::default(),
            folder,
        }
    }

    fn groups(&self) -> Box<dyn Groups> {
        match &self.groups {
            Some(folder) => Box::new(Cgroups::new(folder.clone())),
            None => Box::new(Marked(self.folder.path().to_owned())),
        }
    }

    fn roots(&self) -> Box<dyn Roots> {
        Box::new(Files(self.folder.path().to_owned()))
    }

    /// A life of the daemon that keeps them; dropping it is its death.
    fn life(&self) -> Life<'_> {
        let ends = Ends::new().expect("a descriptor");
        let records = Records::open(self.folder.path().join("services")).expect("a folder");
        let logs = self.folder.path().join("logs");
        let (groups, roots) = (self.groups(), self.roots());
        Life {
            keeper: Keeper::new(records, logs, groups, roots, ends, self.pulls.clone()),
            node: self,
        }
    }

    /// Wants a shell that does something.
    fn want(&mut self, service: &str, script: &str) -> &mut ServiceSpec {
        let mark = format!("{VARIABLE}={}/{service}", self.folder.path().display());
        let spec = ServiceSpec {
            program: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            environment: vec![format!("DIR={}", self.folder.path().display()), mark],
            capabilities: vec!["all".to_owned()],
            ..ServiceSpec::default()
        };
        self.specs.insert(name(service), spec);
        self.specs.get_mut(&name(service)).expect("just put")
    }

    fn log(&self, service: &str) -> String {
        let path = self.folder.path().join(format!("logs/{service}.log"));
        fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let groups = self.groups();
        for service in NAMES.map(name) {
            for pid in groups.pids(&service).expect("the processes") {
                drop(Process::open(pid).map(|it| it.signal(Signal::SIGKILL)));
            }
            // Its own process takes leave of those that were its children; a group then goes with the last.
            while !groups.pids(&service).expect("the processes").is_empty() {
                pause();
            }
            drop(groups.remove(&service));
        }
        if let Some(folder) = &self.groups {
            drop(fs::remove_dir(folder));
            drop(fs::remove_dir(folder.parent().expect("a folder")));
        }
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

struct Life<'a> {
    keeper: Keeper,
    node: &'a Node,
}

impl Life<'_> {
    fn look(&mut self) -> Looked {
        let now = Now {
            boot: clock::since_boot(),
            wall: jiff::Timestamp::now(),
        };
        while !self.keeper.adopt(now).expect("adopted") {
            pause();
        }
        let specs = self.node.specs.iter();
        let wanted = specs
            .map(|(name, spec)| (name.clone(), Service::of(spec).expect("a service")))
            .collect();
        let looked = self
            .keeper
            .look(&wanted, &self.node.facts, &self.node.health, now);
        looked.expect("looked")
    }

    /// Looks until a service is as wanted. It takes as long as it takes: the test's own limit is the end of it.
    fn until(&mut self, service: &str, wanted: impl Fn(&ServiceStatus) -> bool) -> ServiceStatus {
        loop {
            let mut looked = self.look();
            if let Some(status) = looked.statuses.remove(&name(service))
                && wanted(&status)
            {
                return status;
            }
            pause();
        }
    }

    fn runs(&mut self, service: &str) -> u32 {
        let running = |it: &ServiceStatus| it.state == ServiceState::Running;
        self.until(service, running).pid
    }
}

/// Lets others run for a moment. What is waited for has no time of its own.
fn pause() {
    nix::poll::poll(&mut [], 5_u8).expect("nothing to wait for");
}

/// Waits until a file is there: what a script does is done when it says so.
fn exists(node: &Node, file: &str) {
    while !node.folder.path().join(file).exists() {
        pause();
    }
}

/// Ends when nobody writes to its pipe any more, which no test does: with the test.
const STAYS: &str = "touch $DIR/$$; exec sleep 100000";

fn on_both(test: impl Fn(Node)) {
    test(Node::new(false));
    test(Node::new(true));
}

#[test]
fn services_go_on_when_the_daemon_dies_and_none_is_started_twice() {
    on_both(|mut node| {
        node.want("one", STAYS);
        node.want("two", STAYS).needs = vec!["one".to_owned()];
        let (first, second) = {
            let mut life = node.life();
            (life.runs("one"), life.runs("two"))
        };
        for _ in 0..3 {
            let mut life = node.life();
            assert_eq!((life.runs("one"), life.runs("two")), (first, second));
        }
        // Killed while nobody looks.
        kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).expect("killed");
        let mut life = node.life();
        let again = life.until("one", |it| it.pid != 0 && it.pid != first);
        assert_eq!((again.state, again.restarts), (ServiceState::Running, 1));
        assert_eq!(life.runs("two"), second);
    });
}

#[test]
fn what_is_said_goes_to_the_log_and_the_end_is_told() {
    on_both(|mut node| {
        node.want("one", "echo said; echo wrong >&2; exit 3")
            .restart = ServiceRestart::Never;
        let mut life = node.life();
        let status = life.until("one", |it| it.state == ServiceState::Failed);
        assert_eq!(status.last_exit, "exited with status 3");
        assert_eq!((status.pid, status.restarts), (0, 0));
        assert_eq!(life.node.log("one"), "said\nwrong\n");
    });
}

#[test]
fn what_cannot_be_started_is_told_and_tried_again() {
    on_both(|mut node| {
        node.want("one", "").program = "/nonexistent".to_owned();
        let mut life = node.life();
        let status = life.until("one", |it| it.state == ServiceState::Restarting);
        assert!(
            status.reason.contains("could not be started: No such file"),
            "{status:?}"
        );
        assert!(life.look().next.is_some());
    });
}

#[test]
fn who_is_no_longer_wanted_ends_with_all_it_started() {
    on_both(|mut node| {
        // The child takes no notice of the signal, and has a session of its own.
        let script = "trap '' TERM; setsid sh -c 'touch $DIR/child; exec sleep 100000' & wait";
        let spec = node.want("one", script);
        (spec.stop_seconds, spec.restart) = (Some(0), ServiceRestart::Never);
        {
            let mut life = node.life();
            life.runs("one");
            exists(life.node, "child");
            // And the one that made the file, for a moment.
            while node.groups().pids(&name("one")).expect("them").len() != 2 {
                pause();
            }
        }
        node.specs.clear();
        node.facts.leave = false;
        assert_eq!(
            node.life().look().statuses[&name("one")].state,
            ServiceState::Running
        );
        node.facts.leave = true;
        let mut life = node.life();
        while !life.look().statuses.is_empty() {
            pause();
        }
        assert!(node.groups().pids(&name("one")).expect("none").is_empty());
        let records = Records::open(node.folder.path().join("services")).expect("a folder");
        assert!(records.all().expect("read").is_empty());
    });
}

#[test]
fn children_that_a_main_process_leaves_are_ended_before_the_next_start() {
    on_both(|mut node| {
        let script = "sh -c 'touch $DIR/child; exec sleep 100000' & while ! [ -e $DIR/child ]; do :; done; exit 4";
        node.want("one", script).restart = ServiceRestart::Never;
        let mut life = node.life();
        let status = life.until("one", |it| it.state == ServiceState::Failed);
        assert_eq!(status.last_exit, "exited with status 4");
        assert!(node.groups().pids(&name("one")).expect("none").is_empty());
    });
}

#[test]
fn a_start_that_was_cut_short_is_found_and_not_doubled() {
    on_both(|mut node| {
        node.want("one", STAYS);
        let first = node.life().runs("one");
        // As if the daemon had died before it noted the process.
        let records = Records::open(node.folder.path().join("services")).expect("a folder");
        records.forget(&name("one")).expect("forgotten");
        let stray = Process::open(first).expect("it runs");
        let mut life = node.life();
        let second = life.runs("one");
        assert_ne!(second, first);
        // Whoever ends leaves its group a moment before the kernel tells of its end.
        while !stray.has_ended().expect("asked") {
            pause();
        }
        let pids = node.groups().pids(&name("one")).expect("them");
        assert!(pids.contains(&second) && !pids.contains(&first), "{pids:?}");
    });
}

#[test]
fn nothing_is_taken_over_while_a_start_of_the_life_before_is_under_way() {
    let node = Node::new(true);
    let mut life = node.life();
    let now = Now {
        boot: clock::since_boot(),
        wall: jiff::Timestamp::now(),
    };
    let lock = node.folder.path().join("services/starting.lock");
    // What a process between fork and exec has of the one it was forked from.
    let held = File::create(&lock).expect("a file");
    let held = nix::fcntl::Flock::lock(held, nix::fcntl::FlockArg::LockExclusive).expect("locked");
    assert!(!life.keeper.adopt(now).expect("asked"));
    drop(held);
    assert!(life.keeper.adopt(now).expect("asked"));
}

#[test]
fn a_number_that_has_come_to_mean_another_process_is_not_taken_for_the_service() {
    let mut node = Node::new(true);
    node.want("one", STAYS);
    let first = node.life().runs("one");
    let records = Records::open(node.folder.path().join("services")).expect("a folder");
    let (_, record) = records.all().expect("read").pop().expect("one");
    kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).expect("killed");
    // Our own number, which started at another time.
    let main = Mark::of(std::process::id()).expect("ourselves");
    let main = Some(Mark {
        started: main.started + 1,
        ..main
    });
    records
        .keep(&name("one"), &Record { main, ..record })
        .expect("kept");
    let mut life = node.life();
    let ended = life.until("one", |it| !it.last_exit.is_empty());
    assert_eq!(
        ended.last_exit,
        "ended while machined was away, nobody knows how"
    );
    assert_ne!(ended.pid, std::process::id());
}

#[test]
fn records_are_for_root_alone_and_a_broken_one_stops_nobody() {
    let node = Node::new(true);
    let folder = node.folder.path().join("services");
    let records = Records::open(folder.clone()).expect("a folder");
    let mode = fs::metadata(&folder)
        .expect("a folder")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    records
        .keep(&name("one"), &Record::default())
        .expect("kept");
    let mut broken = File::create(folder.join("two.json")).expect("a file");
    broken.write_all(b"{\"seen").expect("written");
    assert_eq!(records.all().expect("read").len(), 1);
}
