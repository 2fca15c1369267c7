//! The same inputs give the same bytes, whatever folder, mask, time zone, locale and processors.
//!
//! Runs the program itself. The static binaries are taken from `GARBOARD_BIN_DIR`, or are made up:
//! the builder only wants to see that they are static programs.

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    fn binaries(folder: &Path, mode: u32) -> PathBuf {
        let to = folder.join("bin");
        std::fs::create_dir_all(&to).unwrap();
        for name in image::content::BINARIES {
            let bytes = match std::env::var_os("GARBOARD_BIN_DIR") {
                Some(from) => std::fs::read(Path::new(&from).join(name)).unwrap(),
                None => testkit::elf(2),
            };
            std::fs::write(to.join(name), bytes).unwrap();
            std::fs::set_permissions(to.join(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        to
    }

    /// Builds in `folder` through a shell line that ends in running `"$@"`; returns the checksums.
    fn build(folder: &Path, mode: u32, line: &str) -> String {
        let bin = binaries(folder, mode);
        let out = folder.join("the out folder");
        let status = Command::new("sh")
            .args(["-c", line, "sh", env!("CARGO_BIN_EXE_image")])
            .args(["build", "--profile", "cloud", "--bin-dir"])
            .arg(&bin)
            .arg("--out")
            .arg(&out)
            .current_dir(folder)
            .status()
            .unwrap();
        assert!(status.success());
        image::manifest::verify(&out.join("cloud")).unwrap();
        std::fs::read_to_string(out.join("cloud/SHA256SUMS")).unwrap()
    }

    #[test]
    #[ignore = "long: downloads packages and builds an image twice"]
    fn two_builds_are_the_same() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = build(one.path(), 0o755, "umask 022; exec \"$@\"");
        let line = format!(
            "umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8 XDG_CACHE_HOME='{}'; exec taskset -c 0 \"$@\"",
            two.path().join("another cache").display()
        );
        assert_eq!(first, build(two.path(), 0o700, &line));
    }
}
