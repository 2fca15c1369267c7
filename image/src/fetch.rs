//! Downloads: from the mirror the host's apt uses, then from a snapshot archive, into a cache
//! whose file names are checksums.
//!
//! A file enters the cache only after its size and SHA-256 matched the lock, by rename, so a
//! broken download or two builders at once do no harm. apt's helper is used where there is one
//! (it knows the host's proxies and credentials), else curl.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::lock::{Lock, Package};

/// How often the progress bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Seconds without a byte after which a source is given up.
const STALL: &str = "60";

/// Where packages come from and where they are kept.
#[derive(Debug)]
pub struct Fetcher {
    bases: Vec<String>,
    cache: PathBuf,
}

impl Fetcher {
    /// A fetcher for the packages of `lock`.
    ///
    /// # Errors
    /// When there is no home folder to keep a cache in.
    pub fn new(lock: &Lock, mirror: Option<&str>, snapshot: Option<&str>) -> Result<Self> {
        let mut bases: Vec<String> = mirror
            .map(str::to_owned)
            .or_else(host_mirror)
            .into_iter()
            .collect();
        bases.extend(snapshot.map(|s| format!("{}/{}", s.trim_end_matches('/'), lock.snapshot)));
        Ok(Self {
            bases,
            cache: cache_folder()?,
        })
    }

    /// The folder of everything that can be made again.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The local path of a package, downloaded when needed.
    ///
    /// # Errors
    /// When no source has it, or what they have is not what the lock says.
    pub fn package(&self, name: &str, package: &Package) -> Result<PathBuf> {
        let folder = self.cache.join("debs");
        let path = folder.join(format!("{}.deb", package.sha256));
        if path.exists() {
            return Ok(path);
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        ensure!(
            !self.bases.is_empty(),
            "no mirror for {name}: the host has no apt sources, so name one with --mirror"
        );
        let mut failures = Vec::new();
        for base in &self.bases {
            let url = format!("{}/{}", base.trim_end_matches('/'), package.path);
            match download(name, &url, package, &folder, &path) {
                Ok(()) => return Ok(path),
                Err(error) => failures.push(format!("  {url}: {error:#}")),
            }
        }
        bail!(
            "cannot get {name} {}:\n{}\nIf the version has vanished from the mirror, name a snapshot archive with \
             --snapshot, or run `cargo run -p garboard-image -- lock` to update the lock",
            package.version,
            failures.join("\n")
        )
    }
}

/// `~/.cache/garboard`, or where XDG says.
fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(folder).join("garboard"));
    }
    let home = std::env::home_dir().context("no home folder for the cache: set HOME")?;
    Ok(home.join(".cache/garboard"))
}

/// The archive root of the first Debian source in the host's apt settings.
#[must_use]
pub fn host_mirror() -> Option<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let folder = std::fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten();
    let mut more: Vec<PathBuf> = folder.filter_map(|e| Some(e.ok()?.path())).collect();
    more.sort();
    files.extend(more);
    files
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == "list" || e == "sources"))
        .filter_map(|p| std::fs::read_to_string(p).ok())
        .find_map(|text| mirror_in(&text))
}

/// Finds an archive root in either of apt's two formats. Security and foreign archives do not
/// count: the path must end in `/debian`.
fn mirror_in(text: &str) -> Option<String> {
    text.lines()
        .map(str::trim)
        .filter(|l| l.starts_with("URIs:") || l.starts_with("deb "))
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_end_matches('/'))
        .find(|word| word.contains("://") && word.ends_with("/debian"))
        .map(str::to_owned)
}

fn download(name: &str, url: &str, package: &Package, folder: &Path, path: &Path) -> Result<()> {
    let temporary = tempfile::Builder::new()
        .prefix(".part-")
        .tempdir_in(folder)
        .context("making a temporary folder")?;
    let part = temporary.path().join("part");
    let mut child = command(url, &part)
        .spawn()
        .context("starting the download")?;
    let bar = progress(name, package.size);
    let (done, waiting) = mpsc::channel::<()>();
    let (shown, seen) = (&bar, temporary.path());
    let status = std::thread::scope(|scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(REDRAW) == Err(mpsc::RecvTimeoutError::Timeout) {
                shown.set_position(downloaded(seen));
            }
        });
        let status = child.wait();
        drop(done);
        status
    });
    bar.finish_and_clear();
    let status = status.context("waiting for the download")?;
    ensure!(status.success(), "the download failed ({status})");
    check(&part, package)?;
    std::fs::rename(&part, path).with_context(|| format!("moving to {}", path.display()))
}

fn command(url: &str, part: &Path) -> Command {
    let helper = Path::new(crate::apt::HELPER);
    let mut command;
    if helper.exists() {
        command = Command::new(helper);
        command.args([
            "-o",
            "APT::Sandbox::User=",
            "-o",
            &format!("Acquire::http::Timeout={STALL}"),
        ]);
        command.arg("download-file").arg(url).arg(part);
    } else {
        command = Command::new("curl");
        command.args(["--fail", "--silent", "--show-error", "--location"]);
        command
            .args(["--speed-limit", "1", "--speed-time", STALL, "--output"])
            .arg(part)
            .arg(url);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Bytes so far; apt's helper writes beside its target first.
fn downloaded(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| Some(e.metadata().ok()?.len())).sum()
}

fn progress(name: &str, size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
    {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar
}

fn check(path: &Path, package: &Package) -> Result<()> {
    let mut file = File::open(path).context("opening what was downloaded")?;
    let size = file.metadata().context("sizing what was downloaded")?.len();
    ensure!(
        size == package.size,
        "{size} bytes instead of {}",
        package.size
    );
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file
            .read(&mut buffer)
            .context("reading what was downloaded")?;
        if n == 0 {
            break;
        }
        hash.update(buffer.get(..n).unwrap_or_default());
    }
    let found = hex(&hash.finalize());
    ensure!(
        found == package.sha256,
        "SHA-256 is {found} instead of {}",
        package.sha256
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_read_from_both_formats() {
        let new = "Types: deb\n# http://no.example/debian\nURIs: http://a.example/debian-security\nSuites: x\n\n\
                   Types: deb\nURIs: http://b.example/debian/\n";
        assert_eq!(mirror_in(new).unwrap(), "http://b.example/debian");
        let old = "#deb http://no.example/debian x main\ndeb [arch=amd64] https://c.example/debian x main\n";
        assert_eq!(mirror_in(old).unwrap(), "https://c.example/debian");
        assert_eq!(mirror_in("deb https://d.example/other x main"), None);
    }

    #[test]
    fn wrong_bytes_do_not_enter_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "abc").unwrap();
        let mut package = Package {
            version: String::new(),
            source: String::new(),
            path: String::new(),
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
            size: 3,
        };
        check(&path, &package).unwrap();
        package.size = 4;
        assert!(
            check(&path, &package)
                .unwrap_err()
                .to_string()
                .contains("3 bytes")
        );
        package.size = 3;
        package.sha256.replace_range(0..1, "c");
        assert!(
            check(&path, &package)
                .unwrap_err()
                .to_string()
                .contains("SHA-256")
        );
    }
}
