//! The locked programs, run as they are from a folder, whatever the host's libc is.
//!
//! Every program is started through the locked dynamic linker with the locked libraries, in an
//! environment that holds nothing of the host's: locale, time zone and clock cannot shape bytes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::fetch::Fetcher;
use crate::lock::Lock;
use crate::{deb, hex};

/// Unpacked programs and the time they are to believe in.
#[derive(Debug)]
pub struct Tools {
    root: PathBuf,
    epoch: u64,
}

impl Tools {
    /// Unpacks the programs of the lock, downloading them when needed.
    ///
    /// # Errors
    /// When a package cannot be had or unpacked.
    pub fn prepare(lock: &Lock, fetcher: &Fetcher, epoch: u64) -> Result<Self> {
        Ok(Self {
            root: unpack_set(lock, fetcher, "tools")?,
            epoch,
        })
    }

    /// A command that runs `program` (a path below the root, `usr/bin/xorriso`) as `name`.
    #[must_use]
    pub fn command(&self, program: &str, name: &str) -> Command {
        let libraries = self.root.join("usr/lib/x86_64-linux-gnu");
        let mut command = Command::new(self.root.join("usr/lib64/ld-linux-x86-64.so.2"));
        command
            .arg("--library-path")
            .arg(libraries)
            .args(["--argv0", name]);
        command.arg(self.root.join(program));
        command.env_clear();
        command
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("HOME", "/nonexistent");
        command.env("SOURCE_DATE_EPOCH", self.epoch.to_string());
        // mtools reads no settings of the host's and looks up no character sets.
        command
            .env("MTOOLSRC", "/dev/null")
            .env("MTOOLS_SKIP_CHECK", "1");
        command.env(
            "GCONV_PATH",
            self.root.join("usr/lib/x86_64-linux-gnu/gconv"),
        );
        command.stdin(std::process::Stdio::null());
        command
    }
}

/// Runs a command to its end; its output is shown only when it fails.
///
/// # Errors
/// When it cannot start or does not succeed.
pub fn run(mut command: Command, what: &str) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("starting {what}"))?;
    ensure!(
        output.status.success(),
        "{what} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

/// Unpacks a set of the lock into one folder whose name is the hash of its packages' hashes.
///
/// # Errors
/// When a package cannot be had or unpacked.
pub fn unpack_set(lock: &Lock, fetcher: &Fetcher, set: &str) -> Result<PathBuf> {
    let packages = lock.set(set)?;
    let mut hash = Sha256::new();
    for (_, package) in &packages {
        hash.update(package.sha256.as_bytes());
    }
    let key = hex(&hash.finalize());
    let folder = folder(fetcher.cache(), set, &key);
    if !folder.exists() {
        let mut debs = Vec::new();
        for (name, package) in &packages {
            debs.push(fetcher.package(name, package)?);
        }
        deb::unpack_once(&debs, &folder)?;
    }
    Ok(folder)
}

fn folder(cache: &Path, set: &str, key: &str) -> PathBuf {
    cache.join(set).join(key.get(..16).unwrap_or(key))
}
