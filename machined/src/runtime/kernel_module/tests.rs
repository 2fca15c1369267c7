//! Modules of a folder, loaded into a folder that stands for the kernel.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cosi::Runtime;
use jiff::{SignedDuration, Timestamp};
use nix::errno::Errno;
use resources::config::{ACTIVE, MachineConfig};
use resources::runtime::{KernelModule, KernelModuleState, KernelModuleStatus};
use store::{Resource, Spec, Store, Transaction};
use sys::modules::{InsertError, Module, Outcome};
use tempfile::TempDir;

use super::apply::Apply;
use super::config::Config;
use super::loader::{AGAIN, Insert, Loader, Parameters};

/// A folder with modules, and another one in which those that are loaded show up.
struct Machine {
    folder: TempDir,
    tries: Arc<AtomicUsize>,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let modules = folder.path().join("modules");
        fs::create_dir_all(&modules).unwrap();
        let write = |name: &str, text: &str| fs::write(modules.join(name), text).unwrap();
        write(
            "modules.dep",
            "k/dummy.ko:\nk/needs-it.ko: k/dummy.ko\nk/broken.ko:\n",
        );
        write("modules.builtin", "k/inside.ko\n");
        fs::create_dir(modules.join("k")).unwrap();
        write("k/dummy.ko", "\0parmtype=numdummies:int\0");
        fs::create_dir_all(folder.path().join("sys")).unwrap();
        Self {
            folder,
            tries: Arc::default(),
        }
    }

    fn modules(&self) -> PathBuf {
        self.folder.path().join("modules")
    }

    fn sys(&self) -> PathBuf {
        self.folder.path().join("sys")
    }

    /// A kernel that shows what it is given, and refuses `broken`.
    fn insert(&self) -> Insert {
        let (sys, tries) = (self.sys(), Arc::clone(&self.tries));
        Box::new(move |module: &Module, command_line: &str, asked| {
            assert_eq!(command_line, "quiet");
            if module.name == "broken" {
                tries.fetch_add(1, Ordering::Relaxed);
                return Err(InsertError::Load("broken".to_owned(), Errno::EINVAL));
            }
            if sys.join(&module.name).exists() {
                return Ok(Outcome::Present);
            }
            load(&sys, &module.name, asked);
            Ok(Outcome::Loaded)
        })
    }

    fn loader(&self) -> Loader {
        Loader::new(self.modules(), self.sys(), "quiet", self.insert())
    }
}

fn load(sys: &Path, name: &str, parameters: &[(String, String)]) {
    let shown = sys.join(name).join("parameters");
    fs::create_dir_all(&shown).unwrap();
    fs::write(sys.join(name).join("initstate"), "live\n").unwrap();
    for (name, value) in parameters.iter().filter(|(name, _)| name != "typo") {
        fs::write(shown.join(name), format!("{value}\n")).unwrap();
    }
}

fn wanted(modules: &[(&str, &[(&str, &str)])]) -> BTreeMap<String, Parameters> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let modules = modules.iter();
    modules
        .map(|(name, asked)| ((*name).to_owned(), asked.iter().map(own).collect()))
        .collect()
}

/// A look at one module.
fn look(loader: &mut Loader, name: &str, asked: &[(&str, &str)]) -> KernelModuleStatus {
    let wanted = wanted(&[(name, asked)]);
    let mut statuses = loader.look(&wanted, Timestamp::UNIX_EPOCH);
    assert_eq!(statuses.len(), 1);
    statuses.remove(0).1
}

#[test]
fn a_module_is_loaded_after_what_it_needs_each_with_its_own_parameters() {
    let machine = Machine::new();
    let asked = wanted(&[
        ("needs_it", &[("deep", "yes")]),
        ("dummy", &[("numdummies", "3")]),
    ]);
    let statuses = machine.loader().look(&asked, Timestamp::UNIX_EPOCH);
    let said: Vec<_> = statuses
        .iter()
        .map(|(name, it)| (name.as_str(), it.state, it.parameters.concat()))
        .collect();
    assert_eq!(
        said,
        [
            (
                "dummy",
                KernelModuleState::Loaded,
                "numdummies=3".to_owned()
            ),
            ("needs_it", KernelModuleState::Loaded, "deep=yes".to_owned()),
        ]
    );
}

#[test]
fn what_is_there_already_is_held_against_what_is_asked() {
    let machine = Machine::new();
    let mut loader = machine.loader();
    assert_eq!(
        look(&mut loader, "dummy", &[]).state,
        KernelModuleState::Loaded
    );
    let other = look(&mut loader, "dummy", &[("typo", "1")]);
    assert_eq!(other.state, KernelModuleState::Differs);
    assert_eq!(
        other.reason,
        "it has no parameter `typo`; it has numdummies"
    );
    fs::write(machine.sys().join("dummy/parameters/numdummies"), "2\n").unwrap();
    let other = look(&mut loader, "dummy", &[("numdummies", "3")]);
    assert_eq!(other.state, KernelModuleState::Differs);
    assert!(
        other.reason.starts_with("`numdummies` is 2, not 3"),
        "{}",
        other.reason
    );
    assert_eq!(other.parameters, ["numdummies=2"]);
}

#[test]
fn what_is_built_in_or_missing_says_so() {
    let machine = Machine::new();
    let mut loader = machine.loader();
    let inside = look(&mut loader, "inside", &[]);
    assert_eq!(
        (inside.state, inside.reason.as_str()),
        (KernelModuleState::BuiltIn, "")
    );
    let missing = look(&mut loader, "dumy", &[]);
    assert_eq!(missing.state, KernelModuleState::Missing);
    assert_eq!(
        missing.reason,
        "this image has no module `dumy`; did you mean `dummy`?"
    );
}

#[test]
fn what_is_refused_is_tried_again_later_or_when_asked_otherwise() {
    let machine = Machine::new();
    let mut loader = machine.loader();
    let tried = || machine.tries.load(Ordering::Relaxed);
    let first = look(&mut loader, "broken", &[]);
    assert_eq!(first.state, KernelModuleState::Failed);
    assert_eq!(
        first.reason,
        "load module broken: EINVAL: Invalid argument; `osctl dmesg` may tell more"
    );
    assert_eq!(look(&mut loader, "broken", &[]), first);
    assert_eq!(tried(), 1);
    assert_eq!(look(&mut loader, "broken", &[("a", "1")]), first);
    assert_eq!(tried(), 2);
    let later = Timestamp::UNIX_EPOCH + SignedDuration::try_from(AGAIN).unwrap();
    loader.look(&wanted(&[("broken", &[("a", "1")])]), later);
    assert_eq!(tried(), 3);
}

#[tokio::test]
async fn a_document_loads_a_module_and_one_that_was_unloaded_comes_back() {
    let machine = Machine::new();
    let store = Store::new(1);
    let text = "apiVersion: garboard/v1alpha1\nkind: KernelModule\nname: needs-it\nparameters: {deep: true}\n";
    let spec = MachineConfig {
        text: text.to_owned(),
        ..MachineConfig::default()
    };
    put(&store, Resource::in_default(ACTIVE, spec));
    let mut runtime = Runtime::new("machined", store.clone());
    runtime.register(Config).unwrap();
    let apply = Apply::with(machine.modules(), machine.sys(), "quiet", machine.insert());
    runtime.register(apply).unwrap();
    let rest = runtime.rest();
    let testing = async {
        rest.reached().await;
        let namespace = KernelModuleStatus::DEFINITION.namespace;
        let status = store
            .snapshot()
            .get_as::<KernelModuleStatus>(namespace, "needs_it")
            .unwrap();
        assert_eq!(status.spec.state, KernelModuleState::Loaded);
        assert_eq!(status.spec.parameters, ["deep=1"]);

        fs::remove_dir_all(machine.sys().join("needs_it")).unwrap();
        put(
            &store,
            Resource::in_default("dummy", KernelModule::default()),
        );
        rest.reached().await;
        assert!(machine.sys().join("needs_it/initstate").exists());
    };
    tokio::select! {
        _ = runtime.run(std::future::pending()) => unreachable!("it has no end"),
        () = testing => {}
    }
}

fn put(store: &Store, resource: Resource) {
    let transaction = Transaction::owned("test").put(resource);
    store.commit(transaction, Timestamp::UNIX_EPOCH).unwrap();
}
