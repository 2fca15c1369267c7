//! The archive's index, fetched by the host's own `apt-get` in a private folder.
//!
//! apt verifies the release signature and the index checksums and honours the host's proxies. It
//! needs no root for that and sees nothing of the host's packages. Only `image lock` uses this: a
//! host without apt can build an image, but not update the lock.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Debian's archive keys where Debian and its derivatives install them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt's own download and decompression helper.
pub(crate) const HELPER: &str = "/usr/lib/apt/apt-helper";

/// An index in a folder that goes away with this value.
#[derive(Debug)]
pub struct Index {
    folder: tempfile::TempDir,
}

impl Index {
    /// Fetches and verifies the index of `suite` from `mirror`.
    ///
    /// # Errors
    /// When apt is missing, cannot reach the mirror, or does not believe it.
    pub fn fetch(mirror: &str, suite: &str, arch: &str, components: &str) -> Result<Self> {
        ensure!(
            Path::new(KEYRING).exists(),
            "{KEYRING} is missing: updating the lock needs Debian's archive keys"
        );
        let folder = tempfile::tempdir().context("making a folder for apt")?;
        let root = folder.path();
        for name in ["etc", "state/lists/partial", "cache/archives/partial"] {
            std::fs::create_dir_all(root.join(name)).context("making apt's folders")?;
        }
        std::fs::write(root.join("state/status"), "").context("writing apt's status")?;
        std::fs::write(
            root.join("etc/lock.sources"),
            format!(
                "Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: {components}\n\
                 Architectures: {arch}\nSigned-By: {KEYRING}\nTargets: Packages\n"
            ),
        )
        .context("writing apt's sources")?;
        let output = Self::command(root, arch)
            .arg("update")
            .output()
            .context("running apt-get: updating the lock needs a host with apt")?;
        if !output.status.success() {
            bail!(
                "apt-get update: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(Self { folder })
    }

    fn command(root: &Path, arch: &str) -> Command {
        let mut command = Command::new("apt-get");
        let paths = [
            ("Dir::Etc", "etc"),
            ("Dir::Etc::SourceList", "etc/lock.sources"),
            ("Dir::State", "state"),
            ("Dir::State::status", "state/status"),
            ("Dir::Cache", "cache"),
        ];
        for (key, path) in paths {
            command
                .arg("-o")
                .arg(format!("{key}={}", root.join(path).display()));
        }
        for option in ["Dir::Etc::SourceParts=/dev/null", "Acquire::Languages=none"] {
            command.args(["-o", option]);
        }
        command.args(["-o", "APT::Update::Error-Mode=any"]);
        command.args(["-o", &format!("APT::Architecture={arch}")]);
        command.args(["-o", &format!("APT::Architectures={arch}")]);
        command
    }

    /// The text of every `Packages` file, concatenated.
    ///
    /// # Errors
    /// When apt's helper cannot read them.
    pub fn packages(&self) -> Result<String> {
        let files = self.lists("_Packages")?;
        ensure!(!files.is_empty(), "apt fetched no Packages file");
        let output = Command::new(HELPER)
            .arg("cat-file")
            .args(files)
            .output()
            .with_context(|| format!("running {HELPER}"))?;
        ensure!(output.status.success(), "{HELPER} cat-file failed");
        String::from_utf8(output.stdout).context("the index is not UTF-8")
    }

    /// The `Date` of the release file, as written there.
    ///
    /// # Errors
    /// When there is none.
    pub fn date(&self) -> Result<String> {
        for file in self.lists("_InRelease")? {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("reading {}", file.display()))?;
            if let Some(date) = text.lines().find_map(|l| l.strip_prefix("Date: ")) {
                return Ok(date.trim().to_owned());
            }
        }
        bail!("the release file has no Date")
    }

    fn lists(&self, part: &str) -> Result<Vec<PathBuf>> {
        let folder = self.folder.path().join("state/lists");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).context("reading apt's lists")? {
            let path = entry.context("reading apt's lists")?.path();
            if path
                .file_name()
                .is_some_and(|n| n.to_string_lossy().contains(part))
            {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}
