//! The bundle: made twice with the same bytes, and taken for an image layout by a program that is not ours.
//!
//! Runs the program itself. The static binaries are made up: the builder only wants to see that they are static programs.

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};

    use image::bundle;
    use image::oci::Found;
    use resources::images::BUNDLE_LABEL;

    /// Images that are made from our programs alone; the others would have Go programs built.
    const OURS: [&str; 2] = ["pause", "probe"];

    /// Makes a bundle in `folder` through a shell line that ends in running `"$@"`; gives its folder.
    fn build(folder: &Path, line: &str) -> PathBuf {
        let bin = folder.join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", line, "sh", env!("CARGO_BIN_EXE_image"), "bundle"]);
        for name in OURS {
            std::fs::write(bin.join(name), testkit::elf(2)).unwrap();
            command.args(["--only", name]);
        }
        command.arg("--bin-dir").arg(&bin).current_dir(folder);
        run(command.args(["--source-date-epoch", "86400", "--out", "the out folder"]));
        folder.join("the out folder/bundle")
    }

    fn run(command: &mut Command) -> Output {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        output
    }

    fn sums(bundle: &Path) -> String {
        std::fs::read_to_string(bundle.join("SHA256SUMS")).unwrap()
    }

    /// What skopeo says of an image, and that it can copy it: it checks every blob while it does.
    fn see_with_skopeo(bundle: &Path, found: &Found, to: &Path) {
        let name = format!(
            "oci:{}:{}",
            bundle.join("layout").display(),
            found.reference
        );
        let output = run(Command::new("skopeo").args(["inspect", &name]));
        let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(seen["Digest"], found.digest.to_string());
        assert_eq!(seen["Architecture"], "amd64");
        assert_eq!(seen["Created"], "1970-01-02T00:00:00Z");
        let mut copy = Command::new("skopeo");
        copy.args(["--insecure-policy", "copy", "--quiet", &name]);
        run(copy.arg(format!("dir:{}", to.display())));
        for layer in &found.layers {
            assert!(to.join(layer.hex()).exists(), "{layer}");
        }
    }

    #[test]
    fn two_builds_are_the_same_and_others_can_read_them() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = build(one.path(), "umask 022; exec \"$@\"");
        let line = "umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8; exec taskset -c 0 \"$@\"";
        assert_eq!(sums(&first), sums(&build(two.path(), line)));

        let found = bundle::verify(&first).unwrap();
        assert_eq!(found.len(), OURS.len());
        for (number, image) in found.iter().enumerate() {
            let to = one.path().join(number.to_string());
            see_with_skopeo(&first, image, &to);
        }

        let image = std::fs::read(first.join(bundle::FILE)).unwrap();
        assert!(image.len().is_multiple_of(4096));
        let label = String::from_utf8_lossy(&image[image.len() - 4096..]);
        assert!(label.contains(BUNDLE_LABEL));
        std::fs::write(first.join(bundle::FILE), &image[..image.len() - 4096]).unwrap();
        let error = bundle::verify(&first).unwrap_err().to_string();
        assert!(error.contains("bundle.img: other bytes"), "{error}");
    }
}
