//! The pinned Go compiler, and the surroundings in which it runs.
//!
//! Go publishes its compilers as modules, so any Go can fetch one and hold it to a checksum. The one that does it here is
//! Debian's, from the lock: a host needs no Go. It is used for nothing else. Where modules come from is the user's affair
//! (`GOPROXY` and its like, in the environment or in the settings of an installed Go); all that shapes a program is set
//! here, and nothing of the host's gets through.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::progress::{self, Work};
use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::tools;

/// The checksums of the compiler's module, as in a `go.sum`.
const PIN: &str = include_str!("../../go/toolchain.sum");

/// The module that compilers are published as, and how its versions begin.
const MODULE: (&str, &str) = ("golang.org/toolchain", "v0.0.1-");

/// The set of the lock with the Go that fetches it.
const DEBIAN: &str = "debian-go";

/// What follows the compiler's version in the module's.
const PLATFORM: &str = ".linux-amd64";

/// Settings that say where modules come from and whom to believe about them. The user's stay in force.
const NETWORK: &[&str] = &[
    "GOAUTH",
    "GOINSECURE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOVCS",
];

/// Variables that would shape a program or the way it is built.
const SHAPING: &[&str] = &[
    "GO111MODULE",
    "GO386",
    "GOARM",
    "GOBIN",
    "GOCACHEPROG",
    "GODEBUG",
    "GOEXPERIMENT",
    "GOROOT",
    "GOTOOLDIR",
    "GO_EXTLINK_ENABLED",
];

/// A compiler that is ready to run.
#[derive(Debug)]
pub struct Toolchain {
    root: PathBuf,
    /// The folder of everything of Go's that can be made again.
    cache: PathBuf,
    network: Vec<(String, String)>,
}

/// The compiler's version as it calls itself, `go1.26.11`.
#[must_use]
pub fn version() -> &'static str {
    let (module, version) = pinned();
    debug_assert_eq!(module, MODULE.0, "the pin is of another module");
    version
        .strip_prefix(MODULE.1)
        .and_then(|version| version.strip_suffix(PLATFORM))
        .unwrap_or_default()
}

/// What the pin says: changes whenever the compiler does.
#[must_use]
pub fn pin() -> &'static str {
    PIN
}

/// The first line's module and version.
fn pinned() -> (&'static str, &'static str) {
    let mut words = PIN.split_whitespace();
    (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    )
}

/// The folder of everything of Go's below the builder's cache.
#[must_use]
pub fn cache(fetcher: &Fetcher) -> PathBuf {
    fetcher.cache().join("go")
}

impl Toolchain {
    /// Fetches the compiler, unless it is in the cache.
    ///
    /// # Errors
    /// When it cannot be had, is not what the pin says, or the cache cannot be written.
    pub fn prepare(lock: &Lock, fetcher: &Fetcher) -> Result<Self> {
        let cache = cache(fetcher);
        let key = crate::go::build::hash([PIN]);
        let root = cache.join(format!("{}-{key}", version()));
        if !root.exists() {
            fetch(&bootstrap(lock, fetcher)?, &cache, &root)?;
        }
        let network = settings(&root.join("bin/go"))?;
        Ok(Self {
            root,
            cache,
            network,
        })
    }

    /// A command that runs `go` in `folder`.
    #[must_use]
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(self.root.join("bin/go"));
        sealed(&mut command, &self.cache.join("modules"));
        command
            .envs(self.network.iter().cloned())
            .env("GOCACHE", self.cache.join("compiled"))
            .env(
                "GOFLAGS",
                "-mod=readonly -modcacherw -trimpath -buildvcs=false",
            )
            .current_dir(folder);
        command
    }
}

/// Makes a command of Go's independent of the host's settings. Modules are kept below `modules`.
fn sealed(command: &mut Command, modules: &Path) {
    for name in SHAPING {
        command.env_remove(name);
    }
    command
        .env("GOENV", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("GOFLAGS", "-modcacherw")
        .env("GOOS", "linux")
        .env("GOARCH", "amd64")
        .env("GOAMD64", "v1")
        .env("GOFIPS140", "off")
        .env("CGO_ENABLED", "0")
        .env("GOMODCACHE", modules);
}

/// Debian's Go, unpacked.
fn bootstrap(lock: &Lock, fetcher: &Fetcher) -> Result<PathBuf> {
    let path = debian_go(lock)?;
    let go = tools::unpack_set(lock, fetcher, DEBIAN)?.join(&path);
    ensure!(go.exists(), "the locked Go has no {path}");
    Ok(go)
}

/// Where the program is in Debian's package.
fn debian_go(lock: &Lock) -> Result<String> {
    let (name, _) = lock.only(DEBIAN)?;
    let version = name
        .strip_prefix("golang-")
        .and_then(|name| name.strip_suffix("-go"))
        .with_context(|| format!("the lock's set {DEBIAN:?} holds {name} instead of a Go"))?;
    Ok(format!("usr/lib/go-{version}/bin/go"))
}

/// The user's settings about the network, from the environment or the settings of an installed Go.
fn settings(go: &Path) -> Result<Vec<(String, String)>> {
    let mut command = Command::new(go);
    for name in SHAPING.iter().chain(&["GOFLAGS"]) {
        command.env_remove(name);
    }
    command.args(["env", "-json"]).args(NETWORK);
    // Not in the user's folder, whose module may ask for another Go.
    command.env("GOTOOLCHAIN", "local").current_dir("/");
    let output = tools::run(command, "go env")?.stdout;
    let found: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&output).context("reading what go env prints")?;
    Ok(found.into_iter().collect())
}

/// Has `go` fetch the compiler's module, which it checks against the pin, and moves it to `root`.
fn fetch(go: &Path, cache: &Path, root: &Path) -> Result<()> {
    let temporary = super::build::temporary(cache)?;
    let folder = temporary.path();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).with_context(|| format!("writing {name}"))
    };
    write("go.mod", "module garboard/toolchain\n\ngo 1.24\n")?;
    write("go.sum", PIN)?;
    let (module, version) = pinned();
    let mut command = Command::new(go);
    let modules = folder.join("modules");
    command.envs(settings(go)?);
    sealed(&mut command, &modules);
    command
        .env("GOROOT", go.ancestors().nth(2).unwrap_or(go))
        .args(["mod", "download", &format!("{module}@{version}")])
        .current_dir(folder);
    let work = Work {
        name: &format!("fetching {}", crate::go::toolchain::version()),
        unit: "",
        total: 0,
    };
    progress::run(command, work, |_| false)?;
    let found = modules.join(format!("{module}@{version}"));
    executable(&found)?;
    super::build::place(&found, root)
}

/// Modules hold no modes, so the compiler's programs get theirs here.
fn executable(root: &Path) -> Result<()> {
    for folder in ["bin", "pkg/tool/linux_amd64"] {
        let folder = root.join(folder);
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let path = entry.context("reading the compiler's folder")?.path();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
                .with_context(|| format!("opening {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::sums::Sums;

    #[test]
    fn the_pin_is_whole() {
        let (module, version) = pinned();
        assert_eq!(module, MODULE.0);
        assert!(self::version().starts_with("go1."), "{}", self::version());
        let sums = Sums::parse(PIN).unwrap();
        assert!(sums.module(module, version).is_some());
        assert!(sums.mod_file(module, version).is_some());
    }

    #[test]
    fn the_lock_has_a_go_that_fetches_it() {
        let path = debian_go(&Lock::load(None).unwrap()).unwrap();
        assert!(path.starts_with("usr/lib/go-1."), "{path}");
        assert!(path.ends_with("/bin/go"), "{path}");
    }

    #[test]
    fn nothing_that_shapes_a_program_gets_through() {
        let toolchain = Toolchain {
            root: "/go".into(),
            cache: "/cache".into(),
            network: vec![("GOPROXY".into(), "off".into())],
        };
        let command = toolchain.command(Path::new("/"));
        let value = |name: &str| {
            let mut all = command.get_envs();
            all.find(|(found, _)| *found == std::ffi::OsStr::new(name))
                .and_then(|(_, value)| value?.to_str())
        };
        assert!(
            command
                .get_envs()
                .any(|(name, value)| name == "GOEXPERIMENT" && value.is_none())
        );
        assert_eq!(value("GOPROXY"), Some("off"));
        assert_eq!(value("GOENV"), Some("off"));
        assert_eq!(value("GOTOOLCHAIN"), Some("local"));
        assert!(value("GOFLAGS").is_some_and(|flags| flags.contains("-mod=readonly")));
    }
}
