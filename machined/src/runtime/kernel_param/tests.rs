//! Settings in a folder that stands for `/proc/sys`, and the kernel's own in a network namespace.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ::config::SysctlKey;
use cosi::Runtime;
use jiff::Timestamp;
use proptest::prelude::*;
use resources::config::{ACTIVE, MachineConfig};
use resources::runtime::{KernelParamState, KernelParamStatus};
use store::{Resource, Spec, Store, Transaction};
use tempfile::TempDir;

use super::apply::{Apply, Params};
use super::config::Config;
use super::step::order;

fn key(text: &str) -> SysctlKey {
    text.parse().unwrap()
}

fn wanted(settings: &[(&str, &str)]) -> BTreeMap<SysctlKey, String> {
    let settings = settings.iter();
    settings
        .map(|(name, value)| (key(name), (*value).to_owned()))
        .collect()
}

/// A kernel's settings and what we keep of them, through any number of our lives.
struct Machine {
    folder: TempDir,
    life: Params,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let life = life(folder.path());
        Self { folder, life }
    }

    fn restart(&mut self) {
        self.life = life(self.folder.path());
    }

    /// Sets it by hand.
    fn set(&self, name: &str, value: &str) {
        let path = self.folder.path().join("sys").join(key(name).path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{value}\n")).unwrap();
    }

    fn get(&self, name: &str) -> String {
        let path = self.folder.path().join("sys").join(key(name).path());
        fs::read_to_string(path).unwrap().trim_end().to_owned()
    }

    /// A look, and what it says of one setting.
    fn look(
        &mut self,
        settings: &[(&str, &str)],
        leave: bool,
        name: &str,
    ) -> Option<KernelParamStatus> {
        let statuses = self.life.look(&wanted(settings), leave);
        let found = statuses.into_iter().find(|(it, _)| *it == key(name));
        found.map(|(_, status)| status)
    }
}

fn life(folder: &Path) -> Params {
    Params::new(folder.join("sys"), &folder.join("kept")).unwrap()
}

#[test]
fn a_setting_is_set_kept_and_given_back() {
    let mut machine = Machine::new();
    machine.set("vm.swappiness", "60");
    let ours = [("vm.swappiness", "10")];
    let status = machine.look(&ours, true, "vm.swappiness").unwrap();
    assert_eq!(status.state, KernelParamState::Applied);
    assert_eq!(
        (status.value.as_str(), status.before.as_deref()),
        ("10", Some("60"))
    );

    machine.set("vm.swappiness", "90");
    let status = machine.look(&ours, true, "vm.swappiness").unwrap();
    assert_eq!((status.value.as_str(), status.drifts), ("10", 1));
    let changed = [("vm.swappiness", "20")];
    let status = machine.look(&changed, true, "vm.swappiness").unwrap();
    assert_eq!((status.value.as_str(), status.drifts), ("20", 1));

    // Nothing is wanted for a moment after a restart.
    machine.restart();
    let status = machine.look(&[], false, "vm.swappiness").unwrap();
    assert_eq!((status.value.as_str(), status.drifts), ("20", 0));
    assert_eq!(machine.look(&[], true, "vm.swappiness"), None);
    assert_eq!(machine.get("vm.swappiness"), "60");
}

#[test]
fn what_is_not_there_is_waited_for() {
    let mut machine = Machine::new();
    machine.set("net.ipv4.ip_forward", "1");
    let name = "net/ipv4/conf/eth0.100/forwarding";
    let status = machine.look(&[(name, "0")], true, name).unwrap();
    assert_eq!(status, KernelParamStatus::default());
    machine.set(name, "1");
    let status = machine.look(&[(name, "0")], true, name).unwrap();
    assert_eq!(status.state, KernelParamState::Applied);
    assert_eq!(machine.get(name), "0");

    // It went with its link, and came again: nobody changed it.
    let folder = machine.folder.path().join("sys/net/ipv4/conf/eth0.100");
    fs::remove_dir_all(folder).unwrap();
    let status = machine.look(&[(name, "0")], true, name).unwrap();
    assert_eq!(status.state, KernelParamState::Absent);
    machine.set(name, "1");
    let status = machine.look(&[(name, "0")], true, name).unwrap();
    assert_eq!((status.value.as_str(), status.drifts), ("0", 0));
}

#[test]
fn values_are_compared_as_the_kernel_shows_them() {
    let mut machine = Machine::new();
    machine.set("net.ipv4.tcp_rmem", "4096\t131072\t6291456");
    let same = [("net.ipv4.tcp_rmem", "4096 131072 6291456")];
    machine.look(&same, true, "net.ipv4.tcp_rmem").unwrap();
    assert_eq!(
        machine.get("net.ipv4.tcp_rmem"),
        "4096\t131072\t6291456",
        "it is not written"
    );
}

#[test]
fn what_cannot_be_read_says_so() {
    let mut machine = Machine::new();
    let folder = machine.folder.path().join("sys/vm/swappiness");
    fs::create_dir_all(folder).unwrap();
    let status = machine
        .look(&[("vm.swappiness", "10")], true, "vm.swappiness")
        .unwrap();
    assert_eq!(status.state, KernelParamState::Failed);
    assert!(
        status.error.starts_with("it cannot be read: "),
        "{}",
        status.error
    );
}

#[test]
fn a_damaged_file_of_old_values_is_begun_anew() {
    let mut machine = Machine::new();
    machine.set("vm.swappiness", "60");
    machine.look(&[("vm.swappiness", "10")], true, "vm.swappiness");
    fs::write(machine.folder.path().join("kept/before.json"), "{").unwrap();
    machine.restart();
    let status = machine
        .look(&[("vm.swappiness", "10")], true, "vm.swappiness")
        .unwrap();
    assert_eq!(status.before.as_deref(), Some("10"));
}

#[test]
fn what_says_more_is_written_first() {
    let mut keys = [
        "net.ipv4.conf.ae0.forwarding",
        "net.ipv4.conf.default.forwarding",
        "net.ipv4.conf.all.forwarding",
        "net.ipv4.ip_forward",
        "vm.swappiness",
    ]
    .map(key);
    keys.sort_by_cached_key(order);
    assert_eq!(
        keys.map(|it| it.to_string()),
        [
            "vm.swappiness",
            "net.ipv4.ip_forward",
            "net.ipv4.conf.all.forwarding",
            "net.ipv4.conf.default.forwarding",
            "net.ipv4.conf.ae0.forwarding",
        ]
    );
}

const KEYS: [&str; 3] = ["vm.a", "vm.b", "net.core.c"];

/// What may happen to a machine.
#[derive(Clone, Debug)]
enum Event {
    Want(usize, u8),
    Unwant(usize),
    ByHand(usize, u8),
    Restart,
    Look { leave: bool },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..KEYS.len(), 0..4u8).prop_map(|(key, value)| Event::Want(key, value)),
        (0..KEYS.len()).prop_map(Event::Unwant),
        (0..KEYS.len(), 0..4u8).prop_map(|(key, value)| Event::ByHand(key, value)),
        Just(Event::Restart),
        any::<bool>().prop_map(|leave| Event::Look { leave }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_look_leaves_what_is_wanted_and_gives_back_what_was(
        events in prop::collection::vec(event(), 0..24),
    ) {
        let mut machine = Machine::new();
        let mut wants: BTreeMap<usize, u8> = BTreeMap::new();
        // What is to come back, of what we have touched.
        let mut before: BTreeMap<usize, String> = BTreeMap::new();
        for name in KEYS {
            machine.set(name, "9");
        }
        let end = Event::Look { leave: true };
        for event in events.into_iter().chain([end]) {
            match event {
                Event::Want(at, value) => drop(wants.insert(at, value)),
                Event::Unwant(at) => drop(wants.remove(&at)),
                Event::ByHand(at, value) => machine.set(KEYS[at], &value.to_string()),
                Event::Restart => machine.restart(),
                Event::Look { leave } => {
                    let were: Vec<String> = KEYS.iter().map(|name| machine.get(name)).collect();
                    let texts: Vec<(&str, String)> =
                        wants.iter().map(|(at, value)| (KEYS[*at], value.to_string())).collect();
                    let settings: Vec<(&str, &str)> =
                        texts.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    machine.life.look(&wanted(&settings), leave);
                    for (at, name) in KEYS.into_iter().enumerate() {
                        let is = machine.get(name);
                        match (wants.get(&at), before.get(&at)) {
                            (Some(want), _) => {
                                prop_assert_eq!(is, want.to_string());
                                before.entry(at).or_insert_with(|| were[at].clone());
                            }
                            (None, Some(was)) if leave => {
                                prop_assert_eq!(&is, was);
                                before.remove(&at);
                            }
                            (None, _) => prop_assert_eq!(&is, &were[at]),
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_by_somebody_else_does_not_last() {
    let machine = Machine::new();
    machine.set("vm.swappiness", "60");
    let store = Store::new(1);
    configure(&store, &[("vm.swappiness", "10")]);
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(Config).unwrap();
    let folder = machine.folder.path();
    let apply = Apply::new(folder.join("sys"), &folder.join("kept")).unwrap();
    runtime.register(apply).unwrap();
    let rest = runtime.rest();
    let testing = async {
        rest.reached().await;
        assert_eq!(machine.get("vm.swappiness"), "10");
        machine.set("vm.swappiness", "90");
        testkit::until("the change to be put back", || {
            status(&store, "vm.swappiness").filter(|it| it.drifts == 1)
        })
        .await;
        assert_eq!(machine.get("vm.swappiness"), "10");
    };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = testing => {}
    }
}

/// The kernel's own settings of an empty network, with the controllers on a runtime.
#[test]
fn the_kernel_is_told_and_told_back() {
    testkit::isolated(
        "runtime::kernel_param::tests::the_kernel_is_told_and_told_back",
        || async {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::new(1);
            let mut runtime = Runtime::new("machined", store.clone());
            runtime.register(Config).unwrap();
            let apply = Apply::new("/proc/sys".into(), &folder.path().join("kept")).unwrap();
            runtime.register(apply).unwrap();
            let rest = runtime.rest();
            let testing = async {
                let ttl = || fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap();
                let before = ttl();
                configure(
                    &store,
                    &[
                        ("net.ipv4.ip_default_ttl", "42"),
                        ("net.ipv4.ip_forward", "false"),
                        ("net.ipv4.tcp_congestion_control", "no-such-thing"),
                        ("net.ipv4.no_such_setting", "1"),
                    ],
                );
                rest.reached().await;
                assert_eq!(ttl(), "42\n");
                let status = |name| status(&store, name).unwrap();
                assert_eq!(status("net.ipv4.ip_forward").value, "0");
                let refused = status("net.ipv4.tcp_congestion_control");
                assert_eq!(refused.state, KernelParamState::Failed);
                assert_eq!(
                    refused.error,
                    "the kernel refuses `no-such-thing`: No such file or directory (os error 2)"
                );
                let absent = status("net.ipv4.no_such_setting").state;
                assert_eq!(absent, KernelParamState::Absent);
                configure(&store, &[]);
                rest.reached().await;
                assert_eq!(ttl(), before);
            };
            tokio::select! {
                _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
                () = testing => {}
            }
            assert_eq!(status(&store, "net.ipv4.ip_default_ttl"), None);
        },
    );
}

fn configure(store: &Store, settings: &[(&str, &str)]) {
    let documents = settings.iter().map(|(name, value)| {
        format!("apiVersion: garboard/v1alpha1\nkind: Sysctl\nname: {name}\nvalue: {value}\n")
    });
    let hostname = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: a\n".to_owned();
    let text = documents
        .chain([hostname])
        .collect::<Vec<_>>()
        .join("---\n");
    let spec = MachineConfig {
        text,
        ..MachineConfig::default()
    };
    let transaction = Transaction::owned("test").put(Resource::in_default(ACTIVE, spec));
    store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
}

fn status(store: &Store, name: &str) -> Option<KernelParamStatus> {
    let namespace = KernelParamStatus::DEFINITION.namespace;
    let found = store
        .snapshot()
        .get_as::<KernelParamStatus>(namespace, name);
    found.map(|it| (*it.spec).clone())
}
