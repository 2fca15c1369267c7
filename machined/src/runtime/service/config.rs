//! The services of the image: a file each, `NAME.yaml`, in a folder of the root.
//!
//! A folder named on the kernel command line, `garboard.services=FOLDER`, is read too, for tests of services on a real node:
//! whoever can change that line can change the root with it, and nobody else makes a folder count. What only a node of a
//! Kubernetes cluster needs is in a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cosi::{Controller, Cx, Dirty, Error, Outcome};
use resources::kubernetes::KubernetesSpec;
use resources::runtime::ServiceSpec;
use thiserror::Error;

use super::rules::{Name, NameError};

/// The image's own.
const IMAGE: &str = "/usr/lib/garboard/services";

/// Those of a node of a Kubernetes cluster.
const KUBERNETES: &str = "/usr/lib/garboard/services/kubernetes";

/// The kernel argument that names another folder.
const ARGUMENT: &str = "garboard.services";

/// A file is no service.
#[derive(Debug, Error)]
enum FileError {
    #[error("reading {0}")]
    Read(PathBuf, #[source] io::Error),
    #[error("{0}")]
    Name(PathBuf, #[source] NameError),
    #[error("{0}")]
    Parse(PathBuf, #[source] Box<serde_yaml::Error>),
}

/// The controller. The folders are read once: the root does not change while it is in use.
#[derive(Debug)]
pub struct Config {
    folders: Vec<PathBuf>,
    kubernetes: PathBuf,
}

cosi::declare! {
    Config as "runtime.service.config" {
        reads KubernetesSpec;
        // Parts of the node that need a service write their own.
        shares ServiceSpec;
    }
}

impl Config {
    /// Reads the image's services, and those of the folder that the kernel command line names.
    #[must_use]
    pub fn new(command_line: &str) -> Self {
        let other = sys::cmdline::last(command_line, ARGUMENT);
        Self {
            folders: [Some(IMAGE), other]
                .into_iter()
                .flatten()
                .map(PathBuf::from)
                .collect(),
            kubernetes: PathBuf::from(KUBERNETES),
        }
    }
}

impl Controller for Config {
    async fn reconcile(&mut self, cx: &mut Cx<'_, Self>, _: &Dirty) -> Result<Outcome, Error> {
        let (mut services, mut wrong) = (BTreeMap::new(), Vec::new());
        let kubernetes = !cx.list::<KubernetesSpec>().is_empty();
        let kubernetes = kubernetes.then_some(&self.kubernetes);
        for folder in self.folders.iter().chain(kubernetes) {
            let (found, errors) = read(folder);
            for (name, spec) in found {
                // The image's stay what they are.
                services.entry(name).or_insert(spec);
            }
            wrong.extend(errors.iter().map(|error| cosi::report(error)));
        }
        cx.replace::<ServiceSpec>();
        for (name, spec) in services {
            cx.put(name.to_string(), spec);
        }
        for error in &wrong {
            tracing::error!(error, "no service");
        }
        Ok(match wrong.as_slice() {
            [] => Outcome::Done,
            wrong => Outcome::WaitingOn(format!("files to be put right: {}", wrong.join("; "))),
        })
    }
}

/// The services in a folder, and what is wrong with the files that are none.
fn read(folder: &Path) -> (BTreeMap<Name, ServiceSpec>, Vec<FileError>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Default::default(),
        Err(error) => {
            return (
                BTreeMap::new(),
                vec![FileError::Read(folder.to_owned(), error)],
            );
        }
    };
    let (mut found, mut wrong) = (BTreeMap::new(), Vec::new());
    for entry in entries {
        match entry.map(|entry| entry.path()) {
            Ok(path) if path.extension().is_none_or(|it| it != "yaml") => {}
            Ok(path) => match one(&path) {
                Ok((name, spec)) => drop(found.insert(name, spec)),
                Err(error) => wrong.push(error),
            },
            Err(error) => wrong.push(FileError::Read(folder.to_owned(), error)),
        }
    }
    (found, wrong)
}

fn one(path: &Path) -> Result<(Name, ServiceSpec), FileError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem
        .parse::<Name>()
        .map_err(|error| FileError::Name(path.to_owned(), error))?;
    let text = fs::read(path).map_err(|error| FileError::Read(path.to_owned(), error))?;
    let spec = serde_yaml::from_slice(&text)
        .map_err(|error| FileError::Parse(path.to_owned(), Box::new(error)))?;
    Ok((name, spec))
}

#[cfg(test)]
mod tests {
    use super::super::rules::Service;
    use super::*;

    #[test]
    fn each_good_file_is_a_service_and_each_bad_one_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("a file");
        };
        write(
            "one.yaml",
            "program: /usr/bin/one\nneeds: [two]\ncheck: {kind: tcp, target: '127.0.0.1:1'}\n",
        );
        write("two.yaml", "program: /usr/bin/two\n");
        write("README", "no service");
        write("Bad.yaml", "program: /usr/bin/bad\n");
        write("typo.yaml", "programm: /usr/bin/typo\n");
        write("machined.yaml", "program: /usr/bin/mine\n");
        let (found, wrong) = read(folder.path());
        let names: Vec<_> = found.keys().map(Name::as_str).collect();
        assert_eq!(names, ["one", "two"]);
        assert_eq!(found.values().next().expect("one").needs, ["two"]);
        let wrong: Vec<_> = wrong.iter().map(|error| cosi::report(error)).collect();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        for part in ["Bad.yaml", "programm", "machined is the name"] {
            assert!(
                wrong.iter().any(|it| it.contains(part)),
                "{part}: {wrong:?}"
            );
        }
        assert!(read(&folder.path().join("none")).1.is_empty());
    }

    #[test]
    fn the_page_shows_services_that_can_be() {
        let page = include_str!("../../../../docs/services.md");
        let examples: Vec<_> = page.split("```yaml\n").skip(1).collect();
        assert_eq!(examples.len(), 2);
        for example in examples {
            let (example, _) = example.split_once("```").expect("its end");
            let spec = serde_yaml::from_str(example).expect("a spec");
            Service::of(&spec).expect("a service");
        }
    }

    #[test]
    fn the_images_own_services_can_be() {
        let file = "../image/root/usr/lib/garboard/services/kubernetes/containerd.yaml";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let (name, spec) = one(&path).expect("a file");
        assert_eq!(name.as_str(), "containerd");
        Service::of(&spec).expect("a service");
    }

    #[test]
    fn only_the_command_line_names_another_folder() {
        assert_eq!(Config::new("quiet").folders, [PathBuf::from(IMAGE)]);
        let both = Config::new("quiet garboard.services=/run/x").folders;
        assert_eq!(both, [PathBuf::from(IMAGE), PathBuf::from("/run/x")]);
    }
}
