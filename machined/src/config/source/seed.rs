//! A seed disk as hypervisors and installers make them (cloud-init's NoCloud): labelled `cidata`, with `user-data` and
//! `meta-data` at its root.
//!
//! The disk may be anybody's. It is mounted read-only, for as long as two files are read, and no link on it is followed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use resources::block::Disk;
use serde::Deserialize;
use store::{Snapshot, Spec as _};
use thiserror::Error;

use super::Finding;

/// What the disk is called, in any case of letters.
const LABEL: &str = "CIDATA";
/// The file of documents.
const USER_DATA: &str = "user-data";
/// The file with the node's name.
const META_DATA: &str = "meta-data";
/// What begins a file for cloud-init.
const CLOUD_CONFIG: &str = "#cloud-config";
/// Where the primary volume descriptor of ISO 9660 begins: after 16 sectors of 2048 bytes (ECMA-119 §6.2.1, §8.4).
const ISO: u64 = 16 * 2048;

/// Why a seed disk gives nothing.
#[derive(Debug, Error)]
enum SeedError {
    #[error("mounting it as {kind}")]
    Mount {
        kind: &'static str,
        #[source]
        source: nix::Error,
    },
    #[error("making {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("reading its {file}")]
    Read {
        file: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("its user-data is for cloud-init; it is to hold the documents of this system")]
    CloudInit,
    #[error("its meta-data")]
    MetaData(#[source] serde_yaml::Error),
    #[error("the local-hostname in its meta-data")]
    Hostname(#[source] config::HostnameError),
}

/// A file system with our label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Iso,
    Fat,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Iso => "iso9660",
            Self::Fat => "vfat",
        }
    }
}

/// What the seed disk gives, if there is one; mounted at `mount_point` meanwhile. Blocks.
pub(super) fn find(snapshot: &Snapshot, mount_point: &Path) -> Finding {
    let disks = snapshot.list_as::<Disk>(Disk::DEFINITION.namespace);
    let devices = disks.flat_map(|disk| devices(&disk.spec));
    let seeds: Vec<(PathBuf, Kind)> = devices
        .filter_map(|device| {
            // A drive without a medium, or one that fails, is no seed.
            let kind = File::open(&device).and_then(labelled).ok()??;
            Some((device, kind))
        })
        .collect();
    match seeds.as_slice() {
        [] => Finding::Nothing,
        [(device, kind)] => match read(device, *kind, mount_point) {
            Ok(documents) => Finding::Documents(documents),
            Err(error) => {
                Finding::Broken(format!("{}: {}", device.display(), cosi::report(&error)))
            }
        },
        [(first, _), (second, _), ..] => Finding::Broken(format!(
            "{} and {} are both labelled so; take one of them away",
            first.display(),
            second.display()
        )),
    }
}

/// A disk and its partitions.
fn devices(disk: &Disk) -> Vec<PathBuf> {
    let partitions = disk.partitions.iter();
    let partitions = partitions.map(|name| Path::new("/dev").join(name));
    std::iter::once(PathBuf::from(&disk.path))
        .chain(partitions)
        .collect()
}

/// The kind of a file system that carries our label.
fn labelled(mut device: impl io::Read + io::Seek) -> io::Result<Option<Kind>> {
    let mut first = [0; 512];
    device.read_exact(&mut first)?;
    if fat_label(&first).is_some_and(is_ours) {
        return Ok(Some(Kind::Fat));
    }
    let mut volume = [0; 512];
    device.seek(SeekFrom::Start(ISO))?;
    device.read_exact(&mut volume)?;
    // Type 1, "CD001", version 1; the name stands at byte 40 (ECMA-119 §8.4).
    let name = volume
        .get(40..72)
        .filter(|_| volume.starts_with(b"\x01CD001\x01"));
    Ok(name.is_some_and(is_ours).then_some(Kind::Iso))
}

/// The label in a FAT's boot sector: behind the byte 0x29, at one place in FAT32 and at another in those before it.
fn fat_label(sector: &[u8; 512]) -> Option<&[u8]> {
    if !sector.ends_with(&[0x55, 0xaa]) {
        return None;
    }
    [(66, 71, 82, &b"FAT32   "[..]), (38, 43, 54, &b"FAT1"[..])]
        .into_iter()
        .find_map(|(signature, label, kind, name)| {
            let is = sector.get(signature) == Some(&0x29);
            let is = is && sector.get(kind..).is_some_and(|it| it.starts_with(name));
            sector.get(label..label + 11).filter(|_| is)
        })
}

fn is_ours(label: &[u8]) -> bool {
    label
        .trim_ascii_end()
        .eq_ignore_ascii_case(LABEL.as_bytes())
}

fn read(device: &Path, kind: Kind, mount_point: &Path) -> Result<Vec<u8>, SeedError> {
    let _mounted = Mounted::new(device, kind, mount_point)?;
    let user_data = file(mount_point, USER_DATA)?;
    let meta_data = match file(mount_point, META_DATA) {
        Err(SeedError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Vec::new()
        }
        other => other?,
    };
    documents(user_data, &meta_data)
}

/// A file system for as long as this lives.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(device: &Path, kind: Kind, at: &'a Path) -> Result<Self, SeedError> {
        if umount2(at, MntFlags::MNT_DETACH).is_ok() {
            tracing::info!("unmounted a seed disk of a life before, which was killed");
        }
        fs::create_dir_all(at).map_err(|source| SeedError::Folder {
            path: at.to_owned(),
            source,
        })?;
        let nothing_runs =
            MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let kind = kind.name();
        mount(Some(device), at, Some(kind), nothing_runs, None::<&str>)
            .map_err(|source| SeedError::Mount { kind, source })?;
        Ok(Self(at))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        if let Err(error) = umount2(self.0, MntFlags::MNT_DETACH) {
            tracing::warn!(at = %self.0.display(), %error, "cannot unmount the seed disk");
        }
    }
}

fn file(folder: &Path, file: &'static str) -> Result<Vec<u8>, SeedError> {
    let read = || {
        // A link could lead to a file of the node's own, and an error would show it.
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(folder.join(file))?;
        if !opened.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut bytes = Vec::new();
        let most = config::MAX_BYTES as u64 + 1;
        opened.take(most).read_to_end(&mut bytes).map(|_| bytes)
    };
    read().map_err(|source| SeedError::Read { file, source })
}

/// What of the meta-data is for us.
#[derive(Deserialize)]
struct MetaData {
    #[serde(rename = "local-hostname")]
    local_hostname: Option<String>,
}

/// The documents, with the name of the node if they do not say one.
fn documents(user_data: Vec<u8>, meta_data: &[u8]) -> Result<Vec<u8>, SeedError> {
    if user_data.starts_with(CLOUD_CONFIG.as_bytes()) {
        return Err(SeedError::CloudInit);
    }
    let text = String::from_utf8_lossy(meta_data);
    if text.trim().is_empty() {
        return Ok(user_data);
    }
    let meta: MetaData = serde_yaml::from_str(&text).map_err(SeedError::MetaData)?;
    // What cannot be read is refused with the right words by who reads it.
    let named = config::parse(USER_DATA, &user_data).map_or(true, |it| it.hostname().is_some());
    let Some(name) = meta.local_hostname.filter(|_| !named) else {
        return Ok(user_data);
    };
    let name: config::Hostname = name.parse().map_err(SeedError::Hostname)?;
    let mut documents = user_data;
    let version = config::API_VERSION;
    let hostname = format!("\n---\napiVersion: {version}\nkind: Hostname\nhostname: {name}\n");
    documents.extend(hostname.into_bytes());
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    const LINK: &str = "apiVersion: garboard/v1alpha1\nkind: Link\nname: eth0\n";

    fn iso(label: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 40 * 2048];
        image[0x8000..0x8007].copy_from_slice(b"\x01CD001\x01");
        image[0x8028..0x8048].fill(b' ');
        image[0x8028..0x8028 + label.len()].copy_from_slice(label);
        image
    }

    fn fat(signature: usize, label: usize, kind: usize, name: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 40 * 2048];
        image[signature] = 0x29;
        image[label..label + 11].copy_from_slice(b"cidata     ");
        image[kind..kind + 8].copy_from_slice(name);
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        image
    }

    #[test]
    fn a_seed_is_known_by_its_label() {
        let kind = |image: Vec<u8>| labelled(Cursor::new(image)).unwrap();
        assert_eq!(kind(iso(b"CIDATA")), Some(Kind::Iso));
        assert_eq!(kind(iso(b"cidata")), Some(Kind::Iso));
        assert_eq!(kind(iso(b"CIDATA2")), None);
        assert_eq!(kind(fat(66, 71, 82, b"FAT32   ")), Some(Kind::Fat));
        assert_eq!(kind(fat(38, 43, 54, b"FAT16   ")), Some(Kind::Fat));
        assert_eq!(kind(fat(38, 43, 54, b"NTFS    ")), None);
        assert_eq!(kind(vec![0; 40 * 2048]), None);
        labelled(Cursor::new(vec![0; 600])).unwrap_err();
    }

    #[test]
    fn every_partition_may_be_one() {
        let disk = Disk {
            path: "/dev/vda".into(),
            partitions: vec!["vda1".into()],
            ..Disk::default()
        };
        let paths = devices(&disk);
        assert_eq!(paths, [Path::new("/dev/vda"), Path::new("/dev/vda1")]);
    }

    #[test]
    fn a_name_is_added_where_the_documents_have_none() {
        let with = |user: &str, meta: &str| documents(user.into(), meta.as_bytes());
        let named = with(LINK, "instance-id: i-1\nlocal-hostname: node-7\n").unwrap();
        let named = config::check("test", &named).unwrap();
        assert_eq!(named.hostname().unwrap().hostname.as_str(), "node-7");
        assert_eq!(named.links().count(), 1);

        let own = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: own\n";
        let json = r#"{"local-hostname": "node-7"}"#;
        assert_eq!(with(own, json).unwrap(), own.as_bytes());
        for meta in ["", "instance-id: i-1\n"] {
            assert_eq!(with(LINK, meta).unwrap(), LINK.as_bytes());
        }
        for (user, meta, why) in [
            ("#cloud-config\nusers: []\n", "", "for cloud-init"),
            (LINK, "local-hostname: A_B\n", "local-hostname"),
            (LINK, "- list\n", "its meta-data"),
        ] {
            let said = with(user, meta).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn no_link_on_the_disk_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("own"), "a secret of the node").unwrap();
        symlink(folder.path().join("own"), folder.path().join(USER_DATA)).unwrap();
        file(folder.path(), USER_DATA).unwrap_err();
        fs::create_dir(folder.path().join(META_DATA)).unwrap();
        file(folder.path(), META_DATA).unwrap_err();
    }

    proptest! {
        #[test]
        fn nothing_on_a_disk_breaks_the_reader(
            bytes in proptest::collection::vec(any::<u8>(), 512..600),
            meta in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            drop(labelled(Cursor::new(bytes.clone())));
            drop(documents(bytes, &meta));
        }
    }
}
