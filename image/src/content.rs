//! What stands in the root and in the initramfs, apart from kernel modules.
//!
//! The root holds our binaries, a few static files and the mount points; everything else in `/etc`
//! is made at run time and linked to `/run`.

pub mod runtime;

use std::path::Path;

use anyhow::Result;

use crate::allow::LIBRARIES;
use crate::date;
use crate::tree::{Source, Tree};

/// Our binaries in the root.
pub const BINARIES: &[&str] = &["init", "machined", "networkd"];

/// What makes, repairs and grows ext4, and the libraries of these programs, by their places in Debian's packages, which
/// are those in the root. Only files that may be executed; libraries are not.
const EXT4_PROGRAMS: &[&str] = &[
    "usr/sbin/e2fsck",
    "usr/sbin/mke2fs",
    "usr/sbin/resize2fs",
    "usr/lib64/ld-linux-x86-64.so.2",
];

/// The libraries, in the folder that the loader looks in.
const EXT4_LIBRARIES: &[&str] = &[
    "libblkid.so.1",
    "libc.so.6",
    "libcom_err.so.2",
    "libe2p.so.2",
    "libext2fs.so.2",
    "libuuid.so.1",
];

/// Empty folders that something is mounted on.
const MOUNT_POINTS: &[&str] = &["dev", "proc", "run", "sys", "var"];

/// Links of the root: path and target.
const LINKS: &[(&str, &str)] = &[
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    // Where programs for this processor have their loader.
    ("lib64", "usr/lib64"),
    ("sbin", "usr/sbin"),
    ("usr/sbin/init", "../bin/init"),
    // The kernel asks for modules through this; init knows itself by its name.
    ("usr/sbin/modprobe", "../bin/init"),
    ("etc/hostname", "../run/garboard/hostname"),
    ("etc/hosts", "../run/garboard/hosts"),
    ("etc/machine-id", "../run/garboard/machine-id"),
    ("etc/mtab", "../proc/self/mounts"),
    ("etc/os-release", "../usr/lib/os-release"),
    ("etc/resolv.conf", "../run/garboard/resolv.conf"),
    (
        "etc/ssl/certs/ca-certificates.crt",
        "../../../run/garboard/ca-certificates.crt",
    ),
];

/// Accounts of our own processes, for programs that look names up.
const PASSWD: &str = "root:x:0:0:root:/:/nonexistent\nnetworkd:x:50:50:network daemon:/:/nonexistent\n\
    nobody:x:65534:65534:nobody:/:/nonexistent\n";

/// Groups of the same.
const GROUP: &str = "root:x:0:\nnetworkd:x:50:\nnogroup:x:65534:\n";

/// The root without modules.
///
/// # Errors
/// Never for the tables above; adding to a tree can fail.
pub fn root(bin_dir: &Path, version: &str, profile: &str, epoch: u64) -> Result<Tree> {
    let mut tree = Tree::default();
    for name in BINARIES {
        tree.file(
            &format!("usr/bin/{name}"),
            0o755,
            Source::Path(bin_dir.join(name)),
        )?;
    }
    for path in MOUNT_POINTS {
        tree.folder(path)?;
    }
    tree.folder_mode("tmp", 0o1777)?;
    for (path, target) in LINKS {
        tree.link(path, target)?;
    }
    let texts = [
        ("etc/passwd", PASSWD.to_owned()),
        ("etc/group", GROUP.to_owned()),
        ("usr/lib/os-release", os_release(version, profile, epoch)),
    ];
    for (path, text) in texts {
        tree.file(path, 0o644, Source::Bytes(text.into_bytes()))?;
    }
    Ok(tree)
}

/// Adds the programs for ext4 to a root, from the folder that their packages are unpacked in.
///
/// # Errors
/// Never for the tables above; adding to a tree can fail.
pub fn ext4(tree: &mut Tree, packages: &Path) -> Result<()> {
    for path in EXT4_PROGRAMS {
        tree.file(path, 0o755, Source::Path(packages.join(path)))?;
    }
    for name in EXT4_LIBRARIES {
        let path = format!("{LIBRARIES}/{name}");
        let from = Source::Path(packages.join(&path));
        tree.file(&path, 0o644, from)?;
    }
    Ok(())
}

/// Where machined looks for a config when the node has none.
const CONFIG: &str = "usr/lib/garboard/config.yaml";

/// Adds a config, for root's eyes while the node runs.
///
/// # Errors
/// When one is there already.
pub fn add_config(tree: &mut Tree, config: &[u8]) -> Result<()> {
    tree.file(CONFIG, 0o600, Source::Bytes(config.to_vec()))
}

/// The initramfs without modules.
///
/// # Errors
/// Never for the tables above; adding to a tree can fail.
pub fn initramfs(bin_dir: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    tree.file("init", 0o755, Source::Path(bin_dir.join("init")))?;
    for path in MOUNT_POINTS {
        tree.folder(path)?;
    }
    tree.folder("sbin")?;
    tree.link("sbin/modprobe", "../init")?;
    Ok(tree)
}

/// The text of `os-release`.
#[must_use]
pub fn os_release(version: &str, profile: &str, epoch: u64) -> String {
    format!(
        "NAME=Garboard\nID=garboard\nVERSION_ID={version}\nPRETTY_NAME=\"Garboard {version}\"\n\
         IMAGE_ID=garboard\nIMAGE_VERSION={version}\nVARIANT_ID={profile}\nGARBOARD_BUILT={}\n",
        date::iso(epoch)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_added_for_roots_eyes() {
        let mut tree = Tree::default();
        add_config(&mut tree, b"documents").unwrap();
        let (_, node) = tree.iter().find(|(path, _)| *path == CONFIG).unwrap();
        assert_eq!(node.mode, 0o600);
        add_config(&mut tree, b"others").unwrap_err();
    }
}
