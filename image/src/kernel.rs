//! A locked kernel: its image, and the modules that a profile carries.
//!
//! Modules are stored decompressed (SquashFS compresses better, and PID 1 needs no xz) and otherwise
//! untouched, since any change would break their signatures. The index files come from the locked
//! depmod; the binary ones are left out because PID 1 reads the text.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::fetch::Fetcher;
use crate::firmware;
use crate::lock::Lock;
use crate::profile::Profile;
use crate::select::{Needs, parse_needs};
use crate::tools::{Tools, run, unpack_set};
use crate::tree::{Source, Tree};

/// Index files that go into the image.
const INDEX: &[&str] = &[
    "modules.alias",
    "modules.builtin",
    "modules.dep",
    "modules.devname",
    "modules.softdep",
];

/// Files of the package that depmod reads.
const INPUT: &[&str] = &[
    "modules.builtin",
    "modules.builtin.modinfo",
    "modules.order",
];

/// An unpacked kernel package.
#[derive(Debug)]
pub struct Kernel {
    root: PathBuf,
    release: String,
    needs: Needs,
}

impl Kernel {
    /// Unpacks the profile's kernel and reads what its modules need.
    ///
    /// # Errors
    /// When the package cannot be had or is not a kernel.
    pub fn prepare(
        lock: &Lock,
        fetcher: &Fetcher,
        tools: &Tools,
        profile: Profile,
    ) -> Result<Self> {
        let root = unpack_set(lock, fetcher, profile.kernel_set())?;
        let folder = root.join("usr/lib/modules");
        let mut names = Vec::new();
        for entry in
            std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?
        {
            names.push(entry.context("reading the module folder")?.file_name());
        }
        let [release] = names.as_slice() else {
            bail!(
                "the kernel package holds {} module trees instead of one",
                names.len()
            );
        };
        let release = release.to_string_lossy().into_owned();
        let folder = full_index(tools, &root, &release)?;
        let needs = parse_needs(
            &text(&folder, "modules.dep")?,
            &text(&folder, "modules.softdep")?,
        );
        Ok(Self {
            root,
            release,
            needs,
        })
    }

    /// The release, as `uname -r` says.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.release
    }

    /// What every module needs.
    #[must_use]
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The bootable kernel image.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.root.join(format!("boot/vmlinuz-{}", self.release))
    }

    /// Decompresses `modules` below `stage` and makes their index there.
    ///
    /// # Errors
    /// When a module cannot be read, or depmod does not like them.
    pub fn stage(
        &self,
        tools: &Tools,
        modules: &BTreeSet<String>,
        stage: &Path,
    ) -> Result<Modules> {
        let from = self.root.join("usr/lib/modules").join(&self.release);
        let to = stage.join("usr/lib/modules").join(&self.release);
        std::fs::create_dir_all(&to).with_context(|| format!("making {}", to.display()))?;
        for name in INPUT {
            std::fs::copy(from.join(name), to.join(name))
                .with_context(|| format!("copying {name}"))?;
        }
        let list: Vec<&String> = modules.iter().collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let share = list.len().div_ceil(threads).max(1);
            let workers: Vec<_> = list
                .chunks(share)
                .map(|part| scope.spawn(|| part.iter().try_for_each(|m| decompress(&from, &to, m))))
                .collect();
            workers
                .into_iter()
                .try_for_each(|w| w.join().unwrap_or_else(|_| bail!("a worker panicked")))
        })?;
        depmod(tools, stage, stage, &self.release)?;
        let files = modules.iter().map(|m| plain(m).to_owned()).collect();
        Ok(Modules {
            folder: to,
            release: self.release.clone(),
            files,
        })
    }
}

/// Decompressed modules with their index.
#[derive(Debug)]
pub struct Modules {
    folder: PathBuf,
    release: String,
    files: Vec<String>,
}

impl Modules {
    /// The firmware that they name.
    ///
    /// # Errors
    /// When a module cannot be read.
    pub fn firmware(&self) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for file in &self.files {
            let path = self.folder.join(file);
            let bytes =
                std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            names.extend(firmware::named_by(&bytes).with_context(|| format!("in {file}"))?);
        }
        Ok(names)
    }

    /// Adds them to a tree whose modules live below `prefix` (`usr/lib/modules`).
    ///
    /// # Errors
    /// When the tree has something there already.
    pub fn add_to(&self, tree: &mut Tree, prefix: &str) -> Result<()> {
        let files = self.files.iter().map(String::as_str);
        for name in files.chain(INDEX.iter().copied()) {
            let source = Source::Path(self.folder.join(name));
            tree.file(&format!("{prefix}/{}/{name}", self.release), 0o644, source)?;
        }
        Ok(())
    }
}

fn plain(path: &str) -> &str {
    path.strip_suffix(".xz").unwrap_or(path)
}

fn decompress(from: &Path, to: &Path, module: &str) -> Result<()> {
    let target = to.join(plain(module));
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    let source = File::open(from.join(module)).with_context(|| format!("opening {module}"))?;
    let mut file =
        File::create(&target).with_context(|| format!("creating {}", target.display()))?;
    if Path::new(module).extension().is_some_and(|e| e == "xz") {
        let mut reader = lzma_rust2::XzReader::new(std::io::BufReader::new(source), true);
        std::io::copy(&mut reader, &mut file)
    } else {
        std::io::copy(&mut &source, &mut file)
    }
    .with_context(|| format!("decompressing {module}"))?;
    Ok(())
}

/// The index of every module of an unpacked kernel, kept beside it: depmod has to decompress them all.
fn full_index(tools: &Tools, root: &Path, release: &str) -> Result<PathBuf> {
    let index = root.with_extension("index");
    let folder = index.join("lib/modules").join(release);
    if folder.exists() {
        return Ok(folder);
    }
    let parent = root.parent().context("the cache has no parent")?;
    let stage = tempfile::tempdir_in(parent).context("making a folder for depmod")?;
    symlink(root.join("usr"), stage.path().join("usr")).context("linking the kernel")?;
    depmod(tools, stage.path(), &stage.path().join("index"), release)?;
    match std::fs::rename(stage.path().join("index"), &index) {
        // Somebody else was quicker, with the same bytes.
        Err(_) if folder.exists() => {}
        other => other.with_context(|| format!("moving to {}", index.display()))?,
    }
    Ok(folder)
}

/// Runs depmod on `base/lib/modules`, writing the index below `out`.
fn depmod(tools: &Tools, base: &Path, out: &Path, release: &str) -> Result<()> {
    // depmod looks below /lib, wherever the distribution has moved it.
    symlink("usr/lib", base.join("lib")).context("linking lib")?;
    let mut command = tools.command("usr/bin/kmod", "depmod");
    command.arg("-b").arg(base);
    if out != base {
        std::fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
        command.arg("-o").arg(out);
    }
    command.arg(release);
    run(command, "depmod").map(drop)
}

fn text(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}
