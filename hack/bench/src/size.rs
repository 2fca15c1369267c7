//! The artifacts' sizes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use image::content::runtime;
use image::fetch::Fetcher;
use image::lock::Lock;
use image::tools::{self, Tools};
use image::tree::{Source, Tree};
use image::{squashfs, verity};

use crate::row::Row;

/// Where kernel packages put their things.
const NOT_OURS: [&str; 2] = ["usr/lib/modules", "usr/lib/firmware"];
/// The blocks of the root image.
const BLOCK: u64 = 4096;
/// The part we write.
const PROGRAMS: [&str; 3] = ["usr/bin/init", "usr/bin/machined", "usr/bin/networkd"];

pub(crate) fn measure() -> Result<Vec<Row>> {
    let cloud = folder("GARBOARD_IMAGE_DIR")?;
    let generic = folder("GARBOARD_IMAGE_DIR_GENERIC")?;
    let work = tempfile::tempdir().context("making a work folder")?;
    let root = Root::unpack(&cloud.join("rootfs.img"), work.path())?;
    let lean = root.packed(|path| !NOT_OURS.iter().any(|folder| path.starts_with(folder)))?;
    let bare = root.packed(|path| {
        !NOT_OURS.iter().any(|folder| path.starts_with(folder)) && !runtime::holds(path)
    })?;
    let written = root.packed(|path| PROGRAMS.contains(&path))?;
    let mut rows = vec![
        Row::bytes("size.root.without-modules", lean).budget(40.0),
        Row::bytes("size.root.without-runtime", bare).budget(18.0),
        Row::bytes("size.programs", written).budget(10.0),
        Row::bytes("size.iso.cloud", length(&cloud.join("garboard.iso"))?).budget(100.0),
        Row::bytes("size.iso.generic", length(&generic.join("garboard.iso"))?).budget(160.0),
    ];
    for path in PROGRAMS {
        let name = path.trim_start_matches("usr/bin/");
        rows.push(Row::bytes(
            format!("size.program.{name}"),
            length(&root.file(path))?,
        ));
    }
    for (profile, folder) in [("cloud", &cloud), ("generic", &generic)] {
        for (name, file) in [
            ("root", "rootfs.img"),
            ("initramfs", "initramfs"),
            ("kernel", "vmlinuz"),
        ] {
            let length = length(&folder.join(file))?;
            rows.push(Row::bytes(format!("size.{name}.{profile}"), length));
        }
    }
    Ok(rows)
}

/// The init of the image.
pub(crate) fn init(work: &Path) -> Result<Vec<u8>> {
    let image = folder("GARBOARD_IMAGE_DIR")?.join("rootfs.img");
    let root = Root::unpack(&image, work)?;
    fs::read(root.file("usr/bin/init")).context("reading init")
}

fn folder(variable: &str) -> Result<PathBuf> {
    let value = std::env::var_os(variable);
    value
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set: run `cargo xtask bench`"))
}

fn length(file: &Path) -> Result<u64> {
    let metadata = fs::metadata(file).with_context(|| format!("looking at {}", file.display()))?;
    Ok(metadata.len())
}

/// A root image in pieces.
struct Root<'a> {
    tools: Tools,
    work: &'a Path,
    /// What `rdsquashfs --describe` says of it.
    listing: String,
}

impl<'a> Root<'a> {
    fn unpack(image: &Path, work: &'a Path) -> Result<Self> {
        let lock = Lock::load(None)?;
        let fetcher = Fetcher::new(&lock, None, None)?;
        let tools = Tools::prepare(&lock, &fetcher, 0)?;
        let files = work.join("files");
        fs::create_dir(&files).context("making a folder")?;
        let rdsquashfs = || tools.command("usr/bin/rdsquashfs", "rdsquashfs");
        let mut unpack = rdsquashfs();
        unpack.args(["--quiet", "--unpack-path", "/", "--unpack-root"]);
        unpack.arg(&files).arg(image);
        tools::run(unpack, "rdsquashfs")?;
        let mut describe = rdsquashfs();
        describe.arg("--describe").arg(image);
        let listing = tools::run(describe, "rdsquashfs")?.stdout;
        let listing = String::from_utf8(listing).context("the listing of the root")?;
        Ok(Self {
            tools,
            work,
            listing,
        })
    }

    /// What some paths weigh, packed as the builder packs the root, tree included.
    fn packed(&self, keep: impl Fn(&str) -> bool) -> Result<u64> {
        let mut tree = Tree::default();
        for line in self.listing.lines() {
            let entry = Entry::parse(line)?;
            if entry.path.is_empty() || !keep(entry.path) {
                continue;
            }
            match entry.kind {
                "dir" => tree.folder_mode(entry.path, entry.mode)?,
                "slink" => tree.link(entry.path, entry.target)?,
                "file" => tree.file(entry.path, entry.mode, Source::Path(self.file(entry.path)))?,
                kind => bail!("the root holds a {kind}"),
            }
        }
        let stage = tempfile::tempdir_in(self.work).context("making a folder")?;
        let packed = stage.path().join("packed");
        let files = squashfs::Files::Compressed;
        squashfs::write(&self.tools, &tree, files, stage.path(), &packed)?;
        let file = fs::File::options()
            .write(true)
            .open(&packed)
            .context("opening a packed root")?;
        let whole = length(&packed)?.next_multiple_of(BLOCK);
        file.set_len(whole).context("padding a packed root")?;
        verity::append(&packed)?;
        length(&packed)
    }

    fn file(&self, path: &str) -> PathBuf {
        self.work.join("files").join(path)
    }
}

/// A line of the listing: `KIND PATH MODE UID GID [TARGET]`.
#[derive(Debug, PartialEq)]
struct Entry<'a> {
    kind: &'a str,
    path: &'a str,
    mode: u32,
    target: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Result<Self> {
        let words: Vec<_> = line.split(' ').collect();
        ensure!(!line.contains('"'), "a quoted name in the root: {line:?}");
        let [kind, path, mode, _, _, target @ ..] = words.as_slice() else {
            bail!("no line of a listing: {line:?}");
        };
        Ok(Self {
            kind,
            path: path.trim_start_matches('/'),
            mode: u32::from_str_radix(mode, 8).with_context(|| format!("a mode: {line:?}"))?,
            target: target.first().copied().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn reads_a_listing() {
        let link = Entry::parse("slink /bin 0777 0 0 usr/bin").unwrap();
        assert_eq!(
            (link.kind, link.path, link.mode, link.target),
            ("slink", "bin", 0o777, "usr/bin")
        );
        assert_eq!(Entry::parse("dir / 0755 0 0").unwrap().path, "");
        assert!(Entry::parse("dir").is_err());
    }
}
