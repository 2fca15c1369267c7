//! The same commit built twice from source, in surroundings that differ in all that must not shape a byte: folder, umask,
//! locale, time zone, number of processors, clock. The clock is wrong for what makes the image; compilers are built not to
//! ask for it, and rustc does not start under a clock that is not the kernel's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{program, read, root, run, say};

/// One set of surroundings.
struct Surroundings {
    /// Below the folder of both builds.
    folder: &'static str,
    umask: &'static str,
    locale: &'static str,
    zone: &'static str,
    /// The processors a build may use, as `taskset` takes them.
    processors: &'static str,
    /// How far the clock is off, as `faketime` takes it.
    clock: &'static str,
}

const BOTH: [Surroundings; 2] = [
    Surroundings {
        folder: "one",
        umask: "022",
        locale: "C",
        zone: "UTC",
        processors: "0-1",
        clock: "+0",
    },
    Surroundings {
        folder: "another/place",
        umask: "077",
        locale: "tr_TR.UTF-8",
        zone: "Pacific/Chatham",
        processors: "0",
        clock: "+400d",
    },
];

/// Builds twice and compares every artifact.
pub(crate) fn build() -> Result<()> {
    let base = root().join("target/twice");
    if base.exists() {
        fs::remove_dir_all(&base).with_context(|| format!("clearing {}", base.display()))?;
    }
    let locales = locales(&base)?;
    let sums = BOTH
        .iter()
        .map(|surroundings| build_in(&base, &locales, surroundings))
        .collect::<Result<Vec<_>>>()?;
    let [one, another] = sums.as_slice() else {
        bail!("there are not two builds")
    };
    if one != another {
        bail!("two builds of one commit differ:\n{one}\n{another}");
    }
    say("both builds are the same, byte for byte");
    fs::remove_dir_all(&base).with_context(|| format!("clearing {}", base.display()))
}

/// Makes the locales that hosts seldom have: without them a build would quietly run in the plain one. Gives their folder.
fn locales(base: &Path) -> Result<PathBuf> {
    let folder = base.join("locales");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    for Surroundings { locale, .. } in &BOTH {
        if let Some((language, charset)) = locale.split_once('.') {
            let mut make = program("localedef");
            make.args(["--inputfile", language, "--charmap", charset]);
            run(make.arg(folder.join(locale)))?;
        }
    }
    Ok(folder)
}

/// Builds a clone of the commit; gives its checksums.
fn build_in(base: &Path, locales: &Path, surroundings: &Surroundings) -> Result<String> {
    let Surroundings {
        folder,
        umask,
        locale,
        zone,
        processors,
        clock,
    } = surroundings;
    let folder: PathBuf = base.join(folder);
    run(program("git")
        .args(["clone", "--quiet"])
        .arg(root())
        .arg(&folder))?;
    // A mask can be set for oneself only, so a shell sets it and runs the build.
    let script = format!(
        "umask {umask} && cargo build --quiet --package garboard-xtask && \
         export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='faketime -f {clock}' && \
         taskset --cpu-list {processors} target/debug/garboard-xtask image --profile cloud && \
         taskset --cpu-list {processors} target/debug/garboard-xtask bundle"
    );
    let mut build = program("sh");
    build
        .args(["-c", &script])
        .current_dir(&folder)
        .env_remove("CARGO_TARGET_DIR")
        .env("LOCPATH", locales);
    run(build.env("LC_ALL", locale).env("TZ", zone))?;
    let sums = ["cloud", "bundle"].map(|name| folder.join("_out").join(name).join("SHA256SUMS"));
    read(program("cat").args(sums))
}
