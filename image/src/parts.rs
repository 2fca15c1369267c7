//! The parts that every way to boot is made from: kernel, initramfs, root and command line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::Inputs;
use crate::content::runtime::Runtime;
use crate::firmware::Firmware;
use crate::kernel::{Kernel, Modules};
use crate::report::step;
use crate::squashfs::Files;
use crate::tools::{Tools, unpack_set};
use crate::tree::Tree;
use crate::{allow, args, content, cpio, squashfs, verity};

/// zstd's level for the initramfs: small, since every boot reads all of it, and quick to unpack at
/// any level.
const INITRAMFS_LEVEL: i32 = 19;

/// Where the parts are, and what the rest of the build must know of them.
#[derive(Debug)]
pub struct Parts {
    /// The folder they are in.
    pub folder: PathBuf,
    /// The kernel's release.
    pub release: String,
    /// The kernel command line.
    pub cmdline: String,
    /// Root hash of the verity tree.
    pub root_hash: String,
    /// The locked programs.
    pub tools: Tools,
}

/// Builds the parts into `folder`.
///
/// # Errors
/// When an input is missing or any step fails.
pub fn build(inputs: &Inputs<'_>, runtime: &Runtime, folder: &Path) -> Result<Parts> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let work = tempfile::tempdir().context("making a work folder")?;
    let (lock, fetcher, profile) = (inputs.lock, inputs.fetcher, inputs.profile);
    let tools = step("tools", || Tools::prepare(lock, fetcher, inputs.epoch))?;
    let kernel = step("kernel", || Kernel::prepare(lock, fetcher, &tools, profile))?;
    let selection = profile.modules()?.select(kernel.needs())?;
    let stage = |name: &str, modules| {
        let folder = work.path().join(name);
        kernel.stage(&tools, modules, &folder)
    };
    let root = step(
        &format!("{} modules for the root", selection.root.len()),
        || stage("root", &selection.root),
    )?;
    let boot = step(
        &format!("{} modules for the initramfs", selection.boot.len()),
        || stage("boot", &selection.boot),
    )?;
    let firmware = step("firmware", || Packages::prepare(inputs))?;
    let ext4 = step("ext4", || unpack_set(lock, fetcher, "ext4"))?;
    let writer = Writer {
        inputs,
        tools: &tools,
        firmware,
        ext4,
        runtime,
        work: work.path(),
    };
    let root_hash = step("root", || writer.root(&root, &folder.join("rootfs.img")))?;
    step("initramfs", || {
        writer.initramfs(&boot, &folder.join("initramfs"))
    })?;
    std::fs::copy(kernel.image(), folder.join("vmlinuz")).context("copying the kernel")?;
    let cmdline = args::line(&root_hash, inputs.cmdline);
    std::fs::write(folder.join("cmdline"), format!("{cmdline}\n"))
        .context("writing the command line")?;
    Ok(Parts {
        folder: folder.to_owned(),
        release: kernel.release().to_owned(),
        cmdline,
        root_hash,
        tools,
    })
}

/// Firmware and microcode, for a profile that carries them.
struct Packages {
    firmware: Firmware,
    microcode: Firmware,
}

impl Packages {
    fn prepare(inputs: &Inputs<'_>) -> Result<Option<Self>> {
        if !inputs.profile.has_firmware() {
            return Ok(None);
        }
        let open = |set| Firmware::open(&unpack_set(inputs.lock, inputs.fetcher, set)?);
        Ok(Some(Self {
            firmware: open("firmware")?,
            microcode: open("microcode")?,
        }))
    }

    /// Adds what `modules` may ask for; the microcode packages hold some of it.
    fn add_to(&self, tree: &mut Tree, prefix: &str, modules: &Modules) -> Result<()> {
        let wanted = modules.firmware()?;
        self.firmware.add_to(tree, prefix, &wanted)?;
        self.microcode.add_to(tree, prefix, &wanted).map(drop)
    }
}

/// Writes root and initramfs.
struct Writer<'a> {
    inputs: &'a Inputs<'a>,
    tools: &'a Tools,
    firmware: Option<Packages>,
    ext4: PathBuf,
    runtime: &'a Runtime,
    work: &'a Path,
}

impl Writer<'_> {
    fn root(&self, modules: &Modules, out: &Path) -> Result<String> {
        let Inputs {
            bin_dir,
            version,
            profile,
            epoch,
            config,
            ..
        } = self.inputs;
        let mut tree = content::root(bin_dir, version, profile.name(), *epoch)?;
        content::ext4(&mut tree, &self.ext4)?;
        self.runtime.add_to(&mut tree, &self.ext4, version)?;
        if let Some(config) = config {
            content::add_config(&mut tree, config)?;
        }
        modules.add_to(&mut tree, "usr/lib/modules")?;
        if let Some(packages) = &self.firmware {
            packages.add_to(&mut tree, "usr/lib/firmware", modules)?;
        }
        allow::check(&tree, allow::ROOT)?;
        squashfs::write(self.tools, &tree, Files::Compressed, self.work, out)?;
        verity::append(out)
    }

    fn initramfs(&self, modules: &Modules, out: &Path) -> Result<()> {
        let mut tree = content::initramfs(self.inputs.bin_dir)?;
        modules.add_to(&mut tree, "lib/modules")?;
        let file = File::create(out).with_context(|| format!("creating {}", out.display()))?;
        let mut file = BufWriter::new(file);
        if let Some(packages) = &self.firmware {
            packages.add_to(&mut tree, "lib/firmware", modules)?;
            // Not compressed: the kernel looks for it before it can unpack anything.
            cpio::write(&packages.microcode.microcode()?, &mut file)?;
        }
        let mut encoder = zstd::Encoder::new(file, INITRAMFS_LEVEL).context("starting zstd")?;
        encoder
            .include_checksum(true)
            .context("asking zstd for a checksum")?;
        cpio::write(&tree, &mut encoder)?;
        encoder
            .finish()
            .context("ending zstd")?
            .flush()
            .context("writing the initramfs")
    }
}
