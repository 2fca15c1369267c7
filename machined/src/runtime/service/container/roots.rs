//! The roots of containers: what containerd has unpacked, mounted in memory, with what the container runtime is told beside it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use caps::CapSet;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::bundle::{Bundle, ROOT};
use crate::runtime::service::rules::Name;

/// The container runtime.
const RUNTIME: &str = "/usr/bin/crun";

/// The longest options of a mount: the kernel takes a page, with a zero at its end.
const MOST_OPTIONS: usize = 4095;

/// Where containers of services have their roots.
pub(in crate::runtime::service) trait Roots: fmt::Debug + Send {
    /// Makes a root of layers, the uppermost first, in place of the one before, and gives what is to be run for it. Nothing
    /// of the service may run.
    fn make(&self, name: &Name, layers: &[PathBuf], bundle: &Bundle) -> io::Result<Command>;

    /// Takes away what there is of a service of which nothing runs.
    fn clear(&self, name: &Name) -> io::Result<()>;
}

/// A folder each, in memory: it must not outlive the boot.
#[derive(Debug)]
pub(in crate::runtime::service) struct Mounted(PathBuf);

impl Mounted {
    /// Below `folder`, which is made with the first of them.
    pub(in crate::runtime::service) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

impl Roots for Mounted {
    fn make(&self, name: &Name, layers: &[PathBuf], bundle: &Bundle) -> io::Result<Command> {
        self.clear(name)?;
        let folder = self.0.join(name.as_str());
        // What is in `config.json` may be secret, and only the runtime looks below.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        let [upper, work, state, root] =
            ["upper", "work", "state", ROOT].map(|name| folder.join(name));
        for folder in [&upper, &work, &state, &root] {
            fs::create_dir(folder)?;
        }
        // It shows as the root of the container, whatever the umask was.
        fs::set_permissions(&upper, Permissions::from_mode(0o755))?;
        mount_layers(layers, &upper, &work, &root)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join("config.json"))?;
        file.write_all(&serde_json::to_vec(bundle)?)?;
        let mut command = Command::new(RUNTIME);
        command
            // What it knows of its containers: a folder of its own, so that one that was cut short is in nobody's way.
            .arg("--root")
            .arg(state)
            // The container stays in the group that the runtime is in.
            .arg("--cgroup-manager=disabled")
            .args(["run", "--bundle"])
            .arg(folder)
            .arg(name.as_str());
        Ok(command)
    }

    fn clear(&self, name: &Name) -> io::Result<()> {
        let folder = self.0.join(name.as_str());
        match fs::exists(&folder) {
            Ok(true) => {}
            there => return there.map(drop),
        }
        for point in mounts_below(&folder)?.iter().rev() {
            // Those who are still in there keep it; here it is gone at once.
            umount2(point, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)?;
        }
        // Nothing is removed through a mount: what is behind it is not ours.
        if let Some(point) = mounts_below(&folder)?.first() {
            let why = format!("{} is still mounted", point.display());
            return Err(io::Error::other(why));
        }
        fs::remove_dir_all(folder)
    }
}

/// Puts layers together below a folder in memory, in which the runtime makes those places that something is mounted at and
/// that the image lacks. The container itself cannot write there.
fn mount_layers(layers: &[PathBuf], upper: &Path, work: &Path, root: &Path) -> io::Result<()> {
    let options = options(layers, upper, work)?;
    let none = None::<&Path>;
    mount(
        Some("overlay"),
        root,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_os_str()),
    )?;
    // What the runtime mounts in it is for the container alone.
    mount(none, root, none, MsFlags::MS_PRIVATE, none)?;
    Ok(())
}

/// The options of the kernel's overlayfs (filesystems/overlayfs.rst).
fn options(layers: &[PathBuf], upper: &Path, work: &Path) -> io::Result<OsString> {
    let mut options = OsString::from("lowerdir=");
    for (at, layer) in layers.iter().enumerate() {
        if at > 0 {
            options.push(":");
        }
        options.push(layer);
    }
    for (name, folder) in [(",upperdir=", upper), (",workdir=", work)] {
        options.push(name);
        options.push(folder);
    }
    if options.len() > MOST_OPTIONS {
        let why = format!(
            "its image has {} layers, more than can be mounted at once; make one with fewer",
            layers.len()
        );
        return Err(io::Error::other(why));
    }
    Ok(options)
}

/// What is mounted in a folder, each before what is mounted in it.
fn mounts_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let myself = procfs::process::Process::myself().map_err(io::Error::other)?;
    let mounts = myself.mountinfo().map_err(io::Error::other)?;
    let points = mounts.into_iter().map(|it| it.mount_point);
    // A later one may hide an earlier one, and is below it in this list.
    Ok(points.filter(|it| it.starts_with(folder)).collect())
}

/// The capabilities that a program which is started here could get, one bit each by its number.
pub(in crate::runtime::service) fn held() -> io::Result<u64> {
    let mut held = u64::MAX;
    for set in [CapSet::Bounding, CapSet::Permitted] {
        let set = caps::read(None, set).map_err(io::Error::other)?;
        held &= set.iter().fold(0, |bits, it| bits | it.bitmask());
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_put_together_until_they_are_too_many() {
        let layers = |count| vec![PathBuf::from("/l/fs"); count];
        let of = |count| options(&layers(count), Path::new("/u"), Path::new("/w"));
        let text = "lowerdir=/l/fs:/l/fs,upperdir=/u,workdir=/w";
        assert_eq!(of(2).expect("options"), text);
        let error = of(1000).expect_err("too many").to_string();
        assert!(error.contains("1000 layers"), "{error}");
    }

    #[test]
    fn what_was_left_of_a_start_is_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let roots = Mounted::new(folder.path().to_owned());
        let name = "etcd".parse().expect("a name");
        roots.clear(&name).expect("nothing to do");
        let state = folder.path().join("etcd/state/etcd");
        fs::create_dir_all(&state).expect("a folder");
        fs::write(state.join("status"), "").expect("a file");
        roots.clear(&name).expect("cleared");
        assert!(!folder.path().join("etcd").exists());
    }

    #[test]
    fn mounts_are_found_below_their_folder() {
        let all = mounts_below(Path::new("/")).expect("mounts");
        assert!(all.contains(&PathBuf::from("/proc")), "{all:?}");
        let proc = mounts_below(Path::new("/proc")).expect("mounts");
        assert!(proc.iter().all(|it| it.starts_with("/proc")), "{proc:?}");
    }
}
