//! Builds a program into the cache.
//!
//! What it is built from and with is hashed into the name of its folder, so what is there needs no second look and no
//! network. It gets there whole, by rename, after every program in it was checked; a build that was cut off leaves its
//! compiled packages in the compiler's cache, from which the next one goes on.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::buildinfo::BuildInfo;
use super::check;
use super::programs::{Build, Files, Program};
use super::progress::{self, Work};
use super::toolchain::{self, Toolchain};
use crate::fetch::Fetcher;
use crate::hex;
use crate::lock::Lock;
use crate::tools;

/// Changes when the way of building does, apart from what is hashed by itself.
const RECIPE: &str = "1";

/// How the names of folders begin in which somebody works.
const PART: &str = ".part-";

/// How long nothing happened in a folder in which nobody works any more: no build takes a day.
const ABANDONED: Duration = Duration::from_hours(24);

/// The folder of a program's binaries, built when needed.
///
/// # Errors
/// When a pin deviates from upstream, a module cannot be had, or the build fails.
pub fn build(program: &Program, lock: &Lock, fetcher: &Fetcher) -> Result<PathBuf> {
    let files = program.files()?;
    let cache = toolchain::cache(fetcher);
    let name = format!(
        "{}-{}",
        program.name.replace('/', "-"),
        key(program, &files)
    );
    let folder = cache.join("programs").join(name);
    if folder.exists() {
        return Ok(folder);
    }
    check::pins(program, &files)?;
    let toolchain = Toolchain::prepare(lock, fetcher)?;
    let temporary = temporary(&cache)?;
    let work = temporary.path();
    std::fs::write(work.join("go.mod"), &files.module).context("writing go.mod")?;
    std::fs::write(work.join("go.sum"), &files.sums).context("writing go.sum")?;
    download(program, &files, &toolchain, work)?;
    for build in program.builds {
        compile(program, build, &toolchain, work)?;
    }
    let binaries = work.join("bin");
    for (package, name) in program.mains() {
        finish(program, &files, package, &binaries.join(name))?;
    }
    place(&binaries, &folder)?;
    Ok(folder)
}

/// The first 16 digits of the hash of everything that shapes a program's binaries.
fn key(program: &Program, files: &Files) -> String {
    let flags = program.linker_flags();
    let builds = format!("{:?}", program.builds);
    hash([
        RECIPE,
        toolchain::pin(),
        &files.module,
        &files.sums,
        &flags,
        &builds,
    ])
}

/// The first 16 digits of the hash of some texts.
pub(super) fn hash<const N: usize>(texts: [&str; N]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        // No text holds it, so two lists never read the same.
        hash.update([0]);
    }
    let mut name = hex(&hash.finalize());
    name.truncate(16);
    name
}

/// Fetches the modules; `go` checks them against `go.sum`.
fn download(program: &Program, files: &Files, toolchain: &Toolchain, work: &Path) -> Result<()> {
    let (ours, _, _) = files.parse()?;
    let mut command = toolchain.command(work);
    command.args(["mod", "download", "-x"]);
    let work = Work {
        name: &format!("{}: modules", program.name),
        unit: "modules",
        total: ours.require.len(),
    };
    // "# get URL: 200 OK (0.1s)"
    let counts = |line: &str| line.starts_with("# get ") && line.contains(".zip: 200 OK");
    progress::run(command, work, counts).map(drop)
}

/// Builds packages that share their tags into the folder `bin`.
fn compile(program: &Program, build: &Build, toolchain: &Toolchain, work: &Path) -> Result<()> {
    let tags = build.tags.join(",");
    let flags = program.linker_flags();
    let bin = work.join("bin");
    for (package, name) in build.mains {
        let mut list = toolchain.command(work);
        // Only what is not in the compiler's cache already.
        let stale = "{{if .Stale}}{{.ImportPath}}{{end}}";
        list.args(["list", "-deps", "-tags", &tags, "-f", stale, package]);
        let list = tools::run(list, "go list")?.stdout;
        let mut command = toolchain.command(work);
        command.args(["build", "-v", "-tags", &tags, "-ldflags", &flags, "-o"]);
        command.arg(bin.join(name)).arg(package);
        let what = Work {
            name: &format!("{}: {name}", program.name),
            unit: "packages",
            total: list
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .count(),
        };
        // Go writes the path of every package that it compiles.
        progress::run(command, what, |line| !line.contains([' ', ':']))?;
    }
    Ok(())
}

/// Checks a binary and opens it to everybody, whatever the mask was.
fn finish(program: &Program, files: &Files, package: &str, path: &Path) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let info = BuildInfo::read(&bytes).with_context(|| format!("in {}", path.display()))?;
    check::program(program, files, package, toolchain::version(), &info)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))
        .with_context(|| format!("opening {}", path.display()))
}

/// A folder in the cache to work in. What killed builds left there is removed, once it is old.
pub(super) fn temporary(cache: &Path) -> Result<TempDir> {
    std::fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
    let entries =
        std::fs::read_dir(cache).with_context(|| format!("reading {}", cache.display()))?;
    for entry in entries.flatten() {
        let old = entry
            .metadata()
            .and_then(|it| it.modified())
            .is_ok_and(|time| {
                SystemTime::now()
                    .duration_since(time)
                    .is_ok_and(|age| age > ABANDONED)
            });
        if old && entry.file_name().to_string_lossy().starts_with(PART) {
            // Another builder may be removing it too.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
    tempfile::Builder::new()
        .prefix(PART)
        .tempdir_in(cache)
        .context("making a temporary folder")
}

/// Moves a folder into the cache, where it is then found whole or not at all, also after the power went off.
pub(super) fn place(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().context("the cache has no parent")?;
    std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    std::fs::set_permissions(from, PermissionsExt::from_mode(0o755))
        .with_context(|| format!("opening {}", from.display()))?;
    let mut sync = Command::new("sync");
    sync.arg("--file-system").arg(from);
    tools::run(sync, "sync")?;
    match std::fs::rename(from, to) {
        // Somebody else was quicker, with the same bytes.
        Err(_) if to.exists() => Ok(()),
        other => other.with_context(|| format!("moving to {}", to.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::programs::PROGRAMS;

    #[test]
    fn the_name_changes_with_all_that_shapes_a_program() {
        let program = PROGRAMS.first().unwrap();
        let key = |change: fn(&mut Files)| {
            let mut files = program.files().unwrap();
            change(&mut files);
            super::key(program, &files)
        };
        let one = key(|_| ());
        assert_eq!(one, key(|files| files.upstream.clear()));
        assert_ne!(one, key(|files| files.module.push('\n')));
        assert_ne!(one, key(|files| files.sums.push('\n')));
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
    }

    #[test]
    fn the_quicker_of_two_builders_wins() {
        let cache = tempfile::tempdir().unwrap();
        let to = cache.path().join("programs/etcd");
        for text in ["one", "another"] {
            let from = cache.path().join(text);
            std::fs::create_dir(&from).unwrap();
            std::fs::write(from.join("etcd"), text).unwrap();
            place(&from, &to).unwrap();
        }
        assert_eq!(std::fs::read_to_string(to.join("etcd")).unwrap(), "one");
    }

    #[test]
    fn what_killed_builds_left_goes_after_a_day() {
        let cache = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let old = now - ABANDONED - Duration::from_secs(60);
        for (name, time) in [(".part-old", old), (".part-new", now), ("modules", old)] {
            let folder = cache.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let handle = std::fs::File::open(&folder).unwrap();
            handle.set_modified(time).unwrap();
        }
        let ours = temporary(cache.path()).unwrap();
        let there = |name: &str| cache.path().join(name).exists();
        assert!(!there(".part-old"));
        assert!(there(".part-new") && there("modules") && ours.path().exists());
    }
}
