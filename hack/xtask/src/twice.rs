//! The same commit built twice from source, in surroundings that differ in all that must not shape a byte: folder, umask,
//! locale, time zone, number of processors. (The clock cannot be set without root; the builder is given its only time.)

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
}

const BOTH: [Surroundings; 2] = [
    Surroundings {
        folder: "one",
        umask: "022",
        locale: "C",
        zone: "UTC",
        processors: "0-1",
    },
    Surroundings {
        folder: "another/place",
        umask: "077",
        locale: "tr_TR.UTF-8",
        zone: "Pacific/Chatham",
        processors: "0",
    },
];

/// Builds twice and compares every artifact.
pub(crate) fn build() -> Result<()> {
    let base = root().join("target/twice");
    if base.exists() {
        fs::remove_dir_all(&base).with_context(|| format!("clearing {}", base.display()))?;
    }
    let sums = BOTH
        .iter()
        .map(|surroundings| build_in(&base, surroundings))
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

/// Builds a clone of the commit; gives its checksums.
fn build_in(base: &Path, surroundings: &Surroundings) -> Result<String> {
    let Surroundings {
        folder,
        umask,
        locale,
        zone,
        processors,
    } = surroundings;
    let folder: PathBuf = base.join(folder);
    run(program("git")
        .args(["clone", "--quiet"])
        .arg(root())
        .arg(&folder))?;
    // A mask can be set for oneself only, so a shell sets it and becomes the build.
    let script = format!(
        "umask {umask} && exec taskset --cpu-list {processors} cargo xtask image --profile cloud"
    );
    let mut build = program("sh");
    build
        .args(["-c", &script])
        .current_dir(&folder)
        .env_remove("CARGO_TARGET_DIR");
    run(build.env("LC_ALL", locale).env("TZ", zone))?;
    read(program("cat").arg(folder.join("_out/cloud/SHA256SUMS")))
}
