//! The wrong configs and patches under `bad/`, `invalid/` and `patches/`, and what is said of them.

use std::fs;
use std::path::{Path, PathBuf};

use config::Problems;
use config::patch::{Text, apply};

/// What the patches are for.
const BASE: &str = "\
apiVersion: garboard/v1alpha1
kind: Hostname
hostname: node-1
---
apiVersion: garboard/v1alpha1
kind: Link
name: eth0
mtu: 1500
addresses: [10.0.0.2/24]
routes:
  - to: default
    via: 10.0.0.1
  - to: 10.8.0.0/16
    metric: 1
  - to: 10.8.0.0/16
    metric: 2
";

/// A folder of wrong things of one sort.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Folder {
    /// Refused by the reader.
    Bad,
    /// Refused by the checks between documents.
    Invalid,
    /// Patches that are refused, or what they make of a good config.
    Patches,
}

impl Folder {
    pub(crate) const ALL: [Self; 3] = [Self::Bad, Self::Invalid, Self::Patches];

    pub(crate) fn path(self) -> PathBuf {
        let name = match self {
            Self::Bad => "bad",
            Self::Invalid => "invalid",
            Self::Patches => "patches",
        };
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(name)
    }

    /// Its files, by name.
    pub(crate) fn files(self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
            .collect();
        files.sort();
        files
    }

    /// What is said of a file; `None` when it is taken.
    pub(crate) fn refuse(self, file: &Path) -> Option<Problems> {
        let (name, bytes) = (file.file_name()?.to_str()?, fs::read(file).unwrap());
        match self {
            Self::Bad => config::parse(name, &bytes).err(),
            Self::Invalid => {
                let documents = config::parse(name, &bytes).expect("these files are good YAML");
                Problems::new(documents.validate())
            }
            Self::Patches => {
                let bytes = &bytes;
                let base = BASE.as_bytes();
                apply(
                    Text {
                        name: "config",
                        bytes: base,
                    },
                    &[Text { name, bytes }],
                )
                .err()
            }
        }
    }
}
