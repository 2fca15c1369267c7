//! A Go program is the same bytes, whatever folder, mask, time zone, settings and processors it was built with.
//!
//! Runs the program itself. What the programs have in them is checked by every build.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::process::Command;

    use image::hex;
    use sha2::{Digest, Sha256};

    /// Builds all programs through a shell line that ends in running `"$@"`; gives their checksums.
    fn build(line: &str) -> BTreeMap<String, String> {
        let output = Command::new("sh")
            .args(["-c", line, "sh", env!("CARGO_BIN_EXE_image"), "go", "build"])
            .stderr(std::process::Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success());
        let folders = String::from_utf8(output.stdout).unwrap();
        folders.lines().flat_map(|it| sums(Path::new(it))).collect()
    }

    fn sums(folder: &Path) -> BTreeMap<String, String> {
        let files = std::fs::read_dir(folder).unwrap();
        files
            .map(|file| {
                let path = file.unwrap().path();
                let sum = hex(&Sha256::digest(std::fs::read(&path).unwrap()));
                let parts: Vec<_> = path.iter().rev().take(2).collect();
                (format!("{parts:?}"), sum)
            })
            .collect()
    }

    #[test]
    #[ignore = "long: builds every Go program, one of the two times with an empty cache"]
    fn two_builds_are_the_same() {
        let elsewhere = tempfile::tempdir().unwrap();
        let first = build("umask 022; exec \"$@\"");
        assert!(!first.is_empty());
        let line = format!(
            "umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8 XDG_CACHE_HOME='{}'; \
             export GOFLAGS=-trimpath=false GOAMD64=v3 CGO_ENABLED=1 GOEXPERIMENT=nogreenteagc; \
             exec taskset -c 0 \"$@\"",
            elsewhere.path().join("another cache").display()
        );
        assert_eq!(first, build(&line));
    }
}
