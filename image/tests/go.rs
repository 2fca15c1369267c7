//! Every Go program says which version it is, and is the same bytes whatever folder, mask, time zone, settings and
//! processors it was built with.
//!
//! Runs the program itself. What the programs have in them is checked by every build.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::sync::Mutex;

    use image::go::programs::{PROGRAMS, Program};
    use image::hex;
    use sha2::{Digest, Sha256};

    /// Whose turn it is to build: two at once would compile everything twice.
    static TURN: Mutex<()> = Mutex::new(());

    /// Builds all programs through a shell line that ends in running `"$@"`; gives the folder of each.
    fn build(line: &str) -> Vec<(&'static Program, PathBuf)> {
        let output = Command::new("sh")
            .args(["-c", line, "sh", env!("CARGO_BIN_EXE_image"), "go", "build"])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success());
        let folders = String::from_utf8(output.stdout).unwrap();
        let folders: Vec<_> = folders.lines().map(PathBuf::from).collect();
        assert_eq!(folders.len(), PROGRAMS.len());
        PROGRAMS.iter().zip(folders).collect()
    }

    fn sum(path: &Path) -> String {
        hex(&Sha256::digest(std::fs::read(path).unwrap()))
    }

    /// What a program prints of itself.
    fn version(path: &Path, arguments: &[&str]) -> String {
        let output = Command::new(path)
            .args(arguments)
            .env_remove("CNI_COMMAND")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    #[test]
    #[ignore = "long: builds every Go program"]
    fn programs_tell_their_version() {
        let turn = TURN.lock().unwrap();
        let built = build("exec \"$@\"");
        drop(turn);
        for (program, folder) in built {
            let wanted = program.version().trim_start_matches('v');
            for (_, name) in program.mains() {
                let arguments: &[&str] = match name {
                    "coredns" => &["-version"],
                    "containerd-shim-runc-v2" => &["-v"],
                    "etcdctl" | "etcdutl" => &["version"],
                    "kubectl" => &["version", "--client"],
                    "kubeadm" => &["version", "-o", "short"],
                    _ if program.name == "cni" => &[],
                    _ => &["--version"],
                };
                let said = version(&folder.join(name), arguments);
                let mut words = said.split([' ', '\n', 'v', '-']);
                assert!(words.any(|word| word == wanted), "{name}: {said}");
                assert!(!said.contains('$'), "{name}: {said}");
            }
        }
    }

    #[test]
    #[ignore = "long: builds every Go program, one of the two times with an empty cache"]
    fn two_builds_are_the_same() {
        let elsewhere = tempfile::tempdir().unwrap();
        let turn = TURN.lock().unwrap();
        let first = build("umask 022; exec \"$@\"");
        let line = format!(
            "umask 077; export TZ=Asia/Tokyo LC_ALL=C.UTF-8 XDG_CACHE_HOME='{}'; \
             export GOFLAGS=-trimpath=false GOAMD64=v3 CGO_ENABLED=1 GOEXPERIMENT=nogreenteagc; \
             exec taskset -c 0 \"$@\"",
            elsewhere.path().join("another cache").display()
        );
        let second = build(&line);
        drop(turn);
        let sums = |built: &[(&'static Program, PathBuf)]| -> BTreeMap<_, _> {
            let programs = built.iter().flat_map(|(program, folder)| {
                program
                    .mains()
                    .map(|(_, name)| (name, sum(&folder.join(name))))
            });
            programs.collect()
        };
        assert_eq!(sums(&first), sums(&second));
    }
}
