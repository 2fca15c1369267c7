//! The locked C compiler, assembler and libc, for linking our static binaries.
//!
//! rustc and its linker come with the pinned toolchain; what else shapes the bytes of a static
//! binary (start files, libc, libgcc, and the C in some crates) would come from the host. Small
//! scripts run the locked programs through the locked dynamic linker, so that the host's libc does
//! not matter either.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::tools::unpack_set;

/// The target our binaries are built for.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where gcc keeps the programs it runs.
const LIBEXEC: &str = "usr/libexec/gcc/x86_64-linux-gnu/14";

/// The unpacked compiler.
#[derive(Debug)]
pub struct Toolchain {
    root: PathBuf,
    scripts: PathBuf,
}

impl Toolchain {
    /// Unpacks the compiler, downloading it when needed, and writes the scripts that run it.
    ///
    /// # Errors
    /// When a package cannot be had or unpacked, or the cache cannot be written.
    pub fn prepare(lock: &Lock, fetcher: &Fetcher) -> Result<Self> {
        let root = unpack_set(lock, fetcher, "toolchain")?;
        let scripts = root.with_extension("bin");
        std::fs::create_dir_all(&scripts)
            .with_context(|| format!("making {}", scripts.display()))?;
        let toolchain = Self { root, scripts };
        let gcc = format!(
            "-B '{}' --sysroot='{}'",
            toolchain.scripts.display(),
            toolchain.root.display()
        );
        let libexec = |name: &str| format!("{LIBEXEC}/{name}");
        let programs = [
            (
                "cc",
                "usr/bin/x86_64-linux-gnu-gcc-14".to_owned(),
                gcc.as_str(),
            ),
            ("cc1", libexec("cc1"), ""),
            ("collect2", libexec("collect2"), ""),
            ("as", "usr/bin/x86_64-linux-gnu-as".to_owned(), ""),
            ("ar", "usr/bin/x86_64-linux-gnu-ar".to_owned(), ""),
        ];
        for (name, program, arguments) in programs {
            toolchain.script(name, &program, arguments)?;
        }
        Ok(toolchain)
    }

    /// The unpacked packages: headers, start files and libraries.
    #[must_use]
    pub fn sysroot(&self) -> &Path {
        &self.root
    }

    /// The environment in which `cargo build --target` makes the shipped binaries.
    ///
    /// `source` is the workspace and `home` is Cargo's own folder; neither path gets into a binary.
    #[must_use]
    pub fn environment(&self, source: &Path, home: &Path) -> Vec<(String, String)> {
        let names = [
            (source, "/garboard"),
            (home, "/cargo"),
            (self.root.as_path(), "/sysroot"),
        ];
        let maps = |option: &str, separator: &str| {
            let map = |(from, to): &(&Path, &str)| format!("{option}{}={to}", from.display());
            names.iter().map(map).collect::<Vec<_>>().join(separator)
        };
        let script = |name: &str| self.scripts.join(name).display().to_string();
        // The linker is a flag because Cargo's own setting would also link build scripts, which run
        // on the host's libc. 0x1f separates arguments: paths may hold blanks.
        let flags = format!(
            "-Ctarget-feature=+crt-static\u{1f}-Clinker={}\u{1f}-Clink-arg=-Wl,--build-id=none\u{1f}{}",
            script("cc"),
            maps("--remap-path-prefix=", "\u{1f}")
        );
        let under = TARGET.replace('-', "_");
        vec![
            (format!("CC_{under}"), script("cc")),
            (format!("AR_{under}"), script("ar")),
            (format!("CFLAGS_{under}"), maps("-ffile-prefix-map=", " ")),
            ("CARGO_ENCODED_RUSTFLAGS".to_owned(), flags),
        ]
    }

    fn script(&self, name: &str, program: &str, arguments: &str) -> Result<()> {
        let root = self.root.display();
        ensure!(
            !root.to_string().contains('\''),
            "the cache's path {root} holds a quote"
        );
        ensure!(
            self.root.join(program).exists(),
            "{program} is not in the locked toolchain"
        );
        let text = format!(
            "#!/bin/sh\nexec '{root}/usr/lib64/ld-linux-x86-64.so.2' --library-path '{root}/usr/lib/x86_64-linux-gnu' \
             --argv0 '{root}/{program}' '{root}/{program}' {arguments} \"$@\"\n"
        );
        // Written beside and renamed: another builder may be running it.
        let part = tempfile::NamedTempFile::new_in(&self.scripts).context("making a script")?;
        std::fs::write(part.path(), text).context("writing a script")?;
        std::fs::set_permissions(part.path(), PermissionsExt::from_mode(0o755))
            .context("opening a script")?;
        part.persist(self.scripts.join(name))
            .with_context(|| format!("placing the script {name}"))?;
        Ok(())
    }
}
