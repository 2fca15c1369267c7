//! What the host must have: Debian packages, looked up by the program or file they bring.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::artifacts;
use crate::run::{program, root, run, say};

/// A file that must exist and the package that brings it.
struct Need {
    file: &'static str,
    package: &'static str,
}

/// What building and a local cluster need.
const CLUSTER: &[Need] = &[
    Need {
        file: "/usr/bin/cc",
        package: "gcc",
    },
    Need {
        file: "/usr/bin/cmake",
        package: "cmake",
    },
    Need {
        file: "/usr/bin/curl",
        package: "curl",
    },
    Need {
        file: "/usr/bin/gpgv",
        package: "gpgv",
    },
    Need {
        file: "/usr/bin/qemu-system-x86_64",
        package: "qemu-system-x86",
    },
    Need {
        file: "/usr/share/OVMF/OVMF_CODE_4M.fd",
        package: "ovmf",
    },
    Need {
        file: "/usr/lib/ipxe/qemu/pxe-virtio.rom",
        package: "ipxe-qemu",
    },
];

/// What the tests need besides.
const TESTS: &[Need] = &[
    Need {
        file: "/usr/bin/cpio",
        package: "cpio",
    },
    Need {
        file: "/usr/bin/c++",
        package: "g++",
    },
    Need {
        file: "/usr/sbin/dnsmasq",
        package: "dnsmasq-base",
    },
    Need {
        file: "/usr/sbin/veritysetup",
        package: "cryptsetup-bin",
    },
    Need {
        file: "/usr/sbin/mke2fs",
        package: "e2fsprogs",
    },
    Need {
        file: "/usr/sbin/sfdisk",
        package: "fdisk",
    },
    Need {
        file: "/usr/bin/ip",
        package: "iproute2",
    },
    Need {
        file: "/usr/bin/xorriso",
        package: "xorriso",
    },
    Need {
        file: "/usr/sbin/mkfs.vfat",
        package: "dosfstools",
    },
    Need {
        file: "/usr/bin/mcopy",
        package: "mtools",
    },
    Need {
        file: "/usr/bin/skopeo",
        package: "skopeo",
    },
];

/// What the campaigns need besides.
const CAMPAIGNS: &[Need] = &[
    Need {
        file: "/usr/bin/faketime",
        package: "faketime",
    },
    Need {
        file: "/usr/share/i18n/locales/tr_TR",
        package: "locales",
    },
];

/// Installs what a local cluster needs and the host lacks.
pub(crate) fn prepare_cluster() -> Result<()> {
    install(CLUSTER.iter())
}

/// Installs what the tests need and the host lacks.
pub(crate) fn prepare_tests() -> Result<()> {
    install(CLUSTER.iter().chain(TESTS))
}

/// Installs what the campaigns need and the host lacks.
pub(crate) fn prepare_campaigns() -> Result<()> {
    install(CLUSTER.iter().chain(TESTS).chain(CAMPAIGNS))
}

fn install<'a>(needs: impl Iterator<Item = &'a Need>) -> Result<()> {
    let missing: Vec<_> = needs
        .filter(|need| !exists(need.file))
        .map(|need| need.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "this host lacks: {list} (Debian's names); install them with your package manager and run this again"
        );
    }
    say(&format!("installing host packages: {list}"));
    let mut command = elevated("apt-get");
    run(command.args(["update", "--quiet"]))?;
    let mut command = elevated("apt-get");
    run(command
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(&missing))
}

fn exists(file: &str) -> bool {
    let name = Path::new(file).file_name().unwrap_or_default();
    let on_path = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    Path::new(file).exists() || (file.contains("/bin/") && on_path)
}

/// `sudo` where we are not root: installing packages is the only thing that ever needs it.
fn elevated(name: &str) -> std::process::Command {
    let root = std::fs::metadata("/proc/self")
        .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let mut command = if root { program(name) } else { program("sudo") };
    if !root {
        command.arg(name);
    }
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// The checker of licences and duplicates, and its version.
const DENY: (&str, &str) = ("cargo-deny", "0.20.2");

/// The program that checks dependencies, built once and kept in the user's cache.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let (name, version) = DENY;
    let root = cache()?.join("cargo").join(version);
    let program = root.join("bin").join(name);
    if !program.exists() {
        say(&format!("building {name} {version}, once"));
        run(crate::run::cargo()
            .args(["install", "--locked", "--version", version, "--root"])
            .arg(&root)
            .arg(name))?;
    }
    Ok(program)
}

/// A Debian package that tests run the programs of. It is unpacked into the user's cache and not installed: that would start it
/// as a service of this host, or take the place of one.
struct Peer {
    package: &'static str,
    /// Its programs; the one that is looked for comes last: if it is there, so are the others.
    programs: &'static [&'static str],
}

const PEERS: &[Peer] = &[
    // Asks for metrics.
    Peer {
        package: "prometheus",
        programs: &["usr/bin/promtool", "usr/bin/prometheus"],
    },
    // Is asked for the time.
    Peer {
        package: "chrony",
        programs: &["usr/sbin/chronyd"],
    },
];

/// Unpacks what tests speak to.
pub(crate) fn fetch_peers() -> Result<()> {
    PEERS.iter().try_for_each(fetch)
}

fn fetch(Peer { package, programs }: &Peer) -> Result<()> {
    let folder = cache()?.join(package);
    if programs.iter().all(|it| folder.join(it).exists()) {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "this host lacks {package}; put {} into {}",
            programs.join(" and "),
            folder.display()
        );
    }
    say(&format!("fetching {package}, once"));
    let work = root().join("target").join(package);
    fs::remove_dir_all(&work).ok();
    fs::create_dir_all(&work).with_context(|| format!("creating {}", work.display()))?;
    let download = || {
        let mut command = program("apt-get");
        command.args(["download", "--quiet", package]);
        run(command.current_dir(&work))
    };
    // Without lists of packages, or with old ones, it is not found.
    if download().is_err() {
        run(elevated("apt-get").args(["update", "--quiet"]))?;
        download()?;
    }
    let unpacked = work.with_extension("unpacked");
    for entry in fs::read_dir(&work).with_context(|| format!("reading {}", work.display()))? {
        let package = entry.with_context(|| format!("reading {}", work.display()))?;
        let mut unpack = program("dpkg-deb");
        unpack.arg("--extract").arg(package.path()).arg(&unpacked);
        run(&mut unpack)?;
    }
    for name in *programs {
        let to = folder.join(name);
        let parent = to.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
        artifacts::install(&unpacked.join(name), &to)?;
    }
    for folder in [work, unpacked] {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

/// What can be had again, for this project.
fn cache() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let Some(cache) = cache.filter(|path| path.is_absolute()).or_else(home) else {
        bail!("neither XDG_CACHE_HOME nor HOME is set");
    };
    Ok(cache.join("garboard"))
}
