//! kubectl's way to a local cluster: a context in a kubeconfig that comes with the cluster and goes with it.
//!
//! What was put where is noted in the cluster's folder before it is put there, so that a cluster that was not made to the end is
//! taken out too. Only what is still the same is taken out: the cluster's authority tells it from others of its name.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use provision::Name;
use serde::{Deserialize, Serialize};

use crate::commands::kubernetes::file;
use crate::commands::kubernetes::merge::{self, Entry};
use crate::files::{self, Existing};

/// The note, in the folder of the cluster.
const NOTE: &str = "kubeconfig.yaml";

/// How the server of a local cluster begins: a port of this computer.
const LOCAL: &str = "https://127.0.0.1:";

/// Where the context goes.
#[derive(Debug, Args)]
pub(super) struct Kubectl {
    /// The kubeconfig that gets a context of the cluster [default: what kubectl reads, $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Put no context into a kubeconfig; `osctl kubeconfig` gets one later
    #[arg(long, conflicts_with = "kubeconfig")]
    no_kubeconfig: bool,
    /// Leave the current context of the kubeconfig as it is
    #[arg(long)]
    keep_context: bool,
}

/// What was put where.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    file: PathBuf,
    before: Option<String>,
    entry: Entry,
}

impl Kubectl {
    /// The file, when there is to be one.
    pub(super) fn file(&self) -> Result<Option<PathBuf>> {
        let file = match &self.kubeconfig {
            _ if self.no_kubeconfig => return Ok(None),
            Some(file) => file.clone(),
            None => file::usual()?,
        };
        // It is asked for again from wherever the cluster is destroyed.
        let file = std::path::absolute(&file).with_context(|| file.display().to_string())?;
        Ok(Some(file))
    }

    /// Refuses a file that no context of a cluster of this name could go into.
    pub(super) fn check(&self, name: &Name) -> Result<()> {
        let Some(file) = self.file()? else {
            return Ok(());
        };
        let old = file::read(&file)?;
        let taken = merge::server(&old, name.as_str());
        let ways = "--kubeconfig names another file, --no-kubeconfig leaves it alone";
        let taken = taken.with_context(|| format!("{} ({ways})", file.display()))?;
        match taken {
            Some(server) if !server.starts_with(LOCAL) => bail!(
                "{} has another cluster {name}, at {server}; choose another --name ({ways})",
                file.display()
            ),
            // One of a local cluster that is gone may go.
            _ => Ok(()),
        }
    }

    /// How kubectl shows the nodes by a context of the file.
    pub(super) fn command(&self, context: &str) -> String {
        let file = self.kubeconfig.as_ref();
        let file = file.map(|it| format!(" --kubeconfig {}", it.display()));
        let context = self.keep_context.then(|| format!(" --context {context}"));
        let [file, context] = [file, context].map(Option::unwrap_or_default);
        format!("kubectl{file}{context} get nodes -o wide")
    }

    /// Puts a kubeconfig into the file, of the cluster with this folder; gives the name of its context.
    pub(super) fn put(&self, path: &Path, kubeconfig: &str, folder: &Path) -> Result<String> {
        file::change(path, |old| {
            let taken = merge::server(old, &merge::entry(kubeconfig)?.cluster)?;
            let local = taken.is_some_and(|server| server.starts_with(LOCAL));
            let merged = merge::merged(old, kubeconfig, !self.keep_context, local)?;
            let note = Note {
                file: path.to_owned(),
                before: merged.before,
                entry: merged.entry,
            };
            note.write(folder)?;
            Ok((note.entry.context, Some(merged.text)))
        })
    }
}

impl Note {
    fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_yaml::to_string(self).context("writing a note as YAML")?;
        files::write_secret(&folder.join(NOTE), &text, Existing::Replace)
    }

    fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(NOTE);
        let reading = || format!("reading {}", path.display());
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_yaml::from_str(&text).map(Some).with_context(reading),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(reading),
        }
    }
}

/// Takes out what the cluster with this folder put into a kubeconfig, as far as it is there; says what was taken from where.
pub(super) fn take(folder: &Path) -> Result<Option<String>> {
    let Some(Note {
        file,
        before,
        entry,
    }) = Note::read(folder)?
    else {
        return Ok(None);
    };
    if matches!(file.try_exists(), Ok(false)) {
        return Ok(None);
    }
    file::change(&file, |old| {
        let left = merge::without(old, &entry, before.as_deref())?;
        let said = format!("{}: context {} is gone", file.display(), entry.context);
        Ok((left.is_some().then_some(said), left))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        kubectl: Kubectl,
    }

    fn of(line: &str) -> Kubectl {
        let line = format!("create {line}");
        let line = Line::try_parse_from(line.split_whitespace());
        line.expect("a command line").kubectl
    }

    /// What a node of a cluster with this authority sends.
    fn sent(authority: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: admin@lab\n\
             clusters: [{{name: lab, cluster: {{server: 'https://127.0.0.1:1', certificate-authority-data: {authority}}}}}]\n\
             contexts: [{{name: admin@lab, context: {{cluster: lab, user: admin}}}}]\nusers: [{{name: admin, user: {{}}}}]\n"
        )
    }

    const WORK: &str = "clusters: [{name: work, cluster: {server: 'https://w'}}]\n\
                        contexts: [{name: work, context: {cluster: work}}]\ncurrent-context: work\n";

    /// A folder of a cluster, and a file with a context of something else.
    fn begun() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config");
        std::fs::write(&file, WORK).expect("written");
        (folder, file)
    }

    fn current(file: &Path) -> String {
        let text = std::fs::read_to_string(file).expect("a file");
        let value: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
        value["current-context"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn it_comes_with_the_cluster_and_goes_with_it() {
        let (folder, file) = begun();
        let kubectl = of(&format!("--kubeconfig {}", file.display()));
        assert_eq!(kubectl.file().expect("a file"), Some(file.clone()));
        let put = |kubectl: &Kubectl| kubectl.put(&file, &sent("QQ=="), folder.path());
        assert_eq!(put(&kubectl).expect("put"), "admin@lab");
        assert_eq!(current(&file), "admin@lab");
        let said = take(folder.path()).expect("taken").expect("it was there");
        assert!(said.ends_with("context admin@lab is gone"), "{said}");
        assert_eq!(current(&file), "work");
        assert_eq!(take(folder.path()).expect("nothing left"), None);
        let text = std::fs::read_to_string(&file).expect("a file");
        assert!(!text.contains("lab"), "{text}");

        put(&of("--keep-context")).expect("put");
        assert_eq!(current(&file), "work");
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(take(folder.path()).expect("no file"), None);
        assert!(!file.exists());
    }

    #[test]
    fn a_cluster_that_was_made_since_keeps_its_context() {
        let (folder, file) = begun();
        let kubectl = of("");
        kubectl
            .put(&file, &sent("QQ=="), folder.path())
            .expect("put");
        let later = tempfile::tempdir().expect("a folder");
        // That of a local cluster which is gone is replaced.
        kubectl
            .put(&file, &sent("Qg=="), later.path())
            .expect("put");
        assert_eq!(take(folder.path()).expect("nothing to take"), None);
        assert_eq!(current(&file), "admin@lab");
        take(later.path()).expect("taken").expect("it was there");
        assert!(
            take(&folder.path().join("gone"))
                .expect("no note")
                .is_none()
        );
    }

    #[test]
    fn it_says_how_kubectl_finds_the_way() {
        assert_eq!(of("").command("a@b"), "kubectl get nodes -o wide");
        let told = of("--kubeconfig x --keep-context").command("a@b");
        assert_eq!(
            told,
            "kubectl --kubeconfig x --context a@b get nodes -o wide"
        );
    }

    #[test]
    fn what_would_be_lost_is_refused_before_anything_begins() {
        let (folder, file) = begun();
        let check = |kubectl: &Kubectl, name: &str| {
            let name = name.parse().expect("a name");
            kubectl.check(&name).map_err(|error| format!("{error:#}"))
        };
        let kubectl = of(&format!("--kubeconfig {}", file.display()));
        assert_eq!(check(&kubectl, "lab"), Ok(()));
        let refused = check(&kubectl, "work").expect_err("it is another one");
        assert!(
            refused.contains("https://w") && refused.contains("--name"),
            "{refused}"
        );
        let other = sent("QQ==").replace("https://127.0.0.1:1", "https://w");
        std::fs::write(&file, other.replace("QQ==", "Qg==")).expect("written");
        let refused = kubectl.put(&file, &sent("QQ=="), folder.path());
        assert!(refused.is_err(), "it came in between");
        std::fs::write(&file, "- a\n").expect("written");
        let refused = check(&kubectl, "lab").expect_err("no kubeconfig");
        assert!(refused.contains("--no-kubeconfig"), "{refused}");
        assert_eq!(check(&of("--no-kubeconfig"), "lab"), Ok(()));
        assert_eq!(of("--no-kubeconfig").file().expect("none"), None);
    }
}
