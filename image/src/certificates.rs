//! The authorities that browsers believe, as Debian has them.

use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The set of the lock with them.
pub const SET: &str = "certificates";

/// Where its package has them.
const FOLDER: &str = "usr/share/ca-certificates/mozilla";

/// All of them as one file, in the order of their names; `packages` is the folder that the set is unpacked in.
///
/// # Errors
/// When one cannot be read, or is something else.
pub fn bundle(packages: &Path) -> Result<Vec<u8>> {
    let folder = packages.join(FOLDER);
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.context("reading the certificates")?.path());
    }
    paths.sort();
    let mut bundle = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            bytes.starts_with(b"-----BEGIN CERTIFICATE-----\n") && bytes.ends_with(b"\n"),
            "{} is no certificate",
            path.display()
        );
        bundle.extend(bytes);
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_put_one_after_the_other_and_nothing_else_is() {
        let packages = tempfile::tempdir().unwrap();
        let folder = packages.path().join(FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        let pem = |word: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{word}\n-----END CERTIFICATE-----\n")
        };
        for word in ["b", "a"] {
            std::fs::write(folder.join(format!("{word}.crt")), pem(word)).unwrap();
        }
        let both = format!("{}{}", pem("a"), pem("b"));
        assert_eq!(bundle(packages.path()).unwrap(), both.as_bytes());
        std::fs::write(folder.join("c.crt"), "c\n").unwrap();
        let error = bundle(packages.path()).unwrap_err().to_string();
        assert!(error.ends_with("c.crt is no certificate"), "{error}");
    }
}
