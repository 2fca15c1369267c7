//! Debian packages: an `ar` archive whose `data.tar.*` member holds the files.
//!
//! Unpacks plain files, folders and links below a folder, without owners or times: nothing here
//! may depend on who unpacks, and the image gets its owners and times elsewhere. Unpacking is
//! cached by the package's checksum and is atomic.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use tar::EntryType;

/// Magic at the start of an `ar` archive.
const AR: &[u8; 8] = b"!<arch>\n";

/// Length of a member's header.
const HEADER: usize = 60;

/// Unpacks packages into `folder`, unless it is there already.
///
/// # Errors
/// When a package cannot be read or names a path outside.
pub fn unpack_once(debs: &[PathBuf], folder: &Path) -> Result<()> {
    if folder.exists() {
        return Ok(());
    }
    let parent = folder.parent().context("the cache has no parent")?;
    std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    let temporary = tempfile::tempdir_in(parent).context("making a folder to unpack into")?;
    for deb in debs {
        unpack(deb, temporary.path()).with_context(|| format!("unpacking {}", deb.display()))?;
    }
    let path = temporary.keep();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
        .context("opening the folder")?;
    match std::fs::rename(&path, folder) {
        // Somebody else was quicker, with the same bytes.
        Err(_) if folder.exists() => std::fs::remove_dir_all(&path).context("removing a copy"),
        other => other.with_context(|| format!("moving to {}", folder.display())),
    }
}

fn unpack(deb: &Path, root: &Path) -> Result<()> {
    let mut input = BufReader::new(File::open(deb).context("opening")?);
    let mut magic = [0; AR.len()];
    input.read_exact(&mut magic).context("reading the magic")?;
    ensure!(&magic == AR, "not a Debian package");
    loop {
        let mut header = [0; HEADER];
        input
            .read_exact(&mut header)
            .context("there is no data member")?;
        let text = std::str::from_utf8(&header).context("a member's header")?;
        let name = text
            .get(..16)
            .unwrap_or_default()
            .trim()
            .trim_end_matches('/');
        let size: u64 = text
            .get(48..58)
            .unwrap_or_default()
            .trim()
            .parse()
            .context("a member's size")?;
        let mut member = (&mut input).take(size);
        match name {
            "data.tar.xz" => return files(lzma_rust2::XzReader::new(member, true), root),
            "data.tar.zst" => return files(zstd::Decoder::new(member).context("zstd")?, root),
            "data.tar" => return files(member, root),
            _ => io::copy(&mut member, &mut io::sink()).context("skipping a member")?,
        };
        if size % 2 == 1 {
            input.read_exact(&mut [0]).context("reading padding")?;
        }
    }
}

fn files(reader: impl Read, root: &Path) -> Result<()> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().context("reading the files")? {
        let mut entry = entry.context("reading a file")?;
        let path = entry.path().context("a file's name")?.into_owned();
        let target = below(root, &path)?;
        one(&mut entry, root, &target).with_context(|| format!("at {}", path.display()))?;
    }
    Ok(())
}

fn one(entry: &mut tar::Entry<'_, impl Read>, root: &Path, target: &Path) -> Result<()> {
    let link = entry
        .link_name()
        .context("a link's target")?
        .map(|l| l.into_owned());
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).context("making a folder")?;
    }
    match (entry.header().entry_type(), link) {
        (EntryType::Directory, _) => std::fs::create_dir_all(target).context("making a folder"),
        (EntryType::Regular | EntryType::Continuous, _) => {
            let mut file = File::create(target).context("creating")?;
            io::copy(entry, &mut file).context("writing")?;
            let mode = entry.header().mode().context("reading the mode")? & 0o111;
            let mode = if mode == 0 { 0o644 } else { 0o755 };
            file.set_permissions(PermissionsExt::from_mode(mode))
                .context("setting the mode")
        }
        (EntryType::Symlink, Some(link)) => {
            std::os::unix::fs::symlink(link, target).context("making a link")
        }
        (EntryType::Link, Some(link)) => {
            std::fs::hard_link(below(root, &link)?, target).context("making a hard link")
        }
        (other, _) => bail!("unexpected kind of file: {other:?}"),
    }
}

/// `root` and `path` joined, refusing to leave `root`.
fn below(root: &Path, path: &Path) -> Result<PathBuf> {
    let mut out = root.to_owned();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            _ => bail!("the path {} leaves its folder", path.display()),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deb(member: &str, data: &[u8]) -> Vec<u8> {
        let mut out = AR.to_vec();
        for (name, data) in [("debian-binary", b"2.0".as_slice()), (member, data)] {
            let header = format!(
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                0,
                0,
                0,
                100644,
                data.len()
            );
            out.extend(header.as_bytes());
            out.extend(data);
            if data.len() % 2 == 1 {
                out.push(b'\n');
            }
        }
        out
    }

    fn tarball(paths: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, text) in paths {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            let data = if *kind == EntryType::Regular {
                text.as_bytes()
            } else {
                b""
            };
            header.set_size(data.len() as u64);
            // Straight into the header: the crate itself refuses to write hostile paths.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            if *kind == EntryType::Symlink {
                header.set_link_name(text).unwrap();
            }
            header.set_cksum();
            builder.append(&header, data).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn unpacked(member: &str, data: &[u8]) -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.deb");
        std::fs::write(&path, deb(member, data)).unwrap();
        unpack_once(&[path], &folder.path().join("out/tree"))?;
        Ok(folder)
    }

    #[test]
    fn both_compressions_unpack_and_special_bits_go() {
        let tar = tarball(&[
            ("./usr/bin/x", EntryType::Regular, "hello"),
            ("./bin", EntryType::Symlink, "usr/bin"),
        ]);
        let folder = unpacked(
            "data.tar.zst",
            &zstd::encode_all(tar.as_slice(), 3).unwrap(),
        )
        .unwrap();
        let file = folder.path().join("out/tree/usr/bin/x");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "hello");
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777,
            0o755
        );
        unpacked("data.tar", &tar).unwrap();
    }

    #[test]
    fn paths_that_leave_are_refused() {
        for path in ["../evil", "/etc/evil", "a/../../evil"] {
            let tar = tarball(&[(path, EntryType::Regular, "x")]);
            let error = unpacked("data.tar", &tar).unwrap_err();
            assert!(format!("{error:#}").contains("leaves"), "{path}: {error:#}");
        }
    }

    #[test]
    fn a_package_without_data_is_an_error() {
        assert!(unpacked("control.tar", b"x").is_err());
    }
}
