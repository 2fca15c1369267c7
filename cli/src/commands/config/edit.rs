//! `osctl config edit`: the config of one node in the user's editor.
//!
//! The text lies in a file for the owner's eyes only, in a folder of its own. It is removed when it was applied or left as
//! it was, and kept in every other case: nobody writes a config twice because a connection broke.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use api::v1alpha1::ApplyConfigResponse;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use clap::Args;
use tonic::Code;

use super::documents::usable;
use super::effect::Effect;
use super::patch::{fetch, request};
use super::{Applied, report};
use crate::explain::sentence;
use crate::files::{Existing, write_secret};
use crate::fleet::Session;
use crate::output::{self, Format};

/// How the lines begin that are for the reader of the file and no part of it.
const REMARK: &str = "#osctl:";

/// What becomes of the text.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Edit {
    #[command(flatten)]
    effect: Effect,
}

/// Lets a person edit the config of one node.
pub(crate) async fn run(session: &Session, edit: Edit, format: Format) -> Result<()> {
    let Edit { effect } = edit;
    effect.check()?;
    let node = session.one_changed()?;
    let fetched = session.again(&node, fetch).await.context(node.clone())?;
    let original = String::from_utf8(fetched.documents).context("reading the node's config")?;
    let file = Draft::new(&node)?;
    let mut text = original.clone();
    let mut problems: Vec<config::Problem> = Vec::new();
    loop {
        let before = text;
        let head = head(&node, fetched.generation, &problems);
        text = file.edit(&before, &head, &original)?;
        if text == original || text.trim().is_empty() {
            output::note("nothing was changed");
            return file.remove();
        }
        if text == before {
            bail!(
                "{node}: it was left as it was refused, and nothing was sent; {}",
                file.kept()
            );
        }
        problems = match wrong(&text) {
            Some(problems) => problems,
            None => match send(session, &node, &text, fetched.generation, effect).await {
                Ok(answer) => {
                    report(&[(node, Applied::new(answer, false, effect))], format)?;
                    return file.remove();
                }
                Err(error) if is_about_the_text(&error) => vec![told(&sentence(&error))],
                Err(error) => {
                    return Err(error.context(format!("{node} ({})", file.kept())));
                }
            },
        };
    }
}

/// Everything that is wrong with a text, if anything is.
fn wrong(text: &str) -> Option<Vec<config::Problem>> {
    match config::check("line", text.as_bytes()) {
        Err(problems) => Some(problems.iter().cloned().collect()),
        Ok(documents) => {
            let used = documents.api_trust().map(usable);
            let error = used.and_then(Result::err)?;
            Some(vec![told(&format!("ApiTrust: {}", sentence(&error)))])
        }
    }
}

fn told(message: &str) -> config::Problem {
    config::Problem {
        source: "refused".to_owned(),
        position: None,
        message: message.to_owned(),
        excerpt: None,
        help: None,
    }
}

/// Whether editing the text may help.
fn is_about_the_text(error: &anyhow::Error) -> bool {
    let status = error
        .chain()
        .find_map(|it| it.downcast_ref::<tonic::Status>());
    match status {
        Some(status) => matches!(
            status.code(),
            Code::InvalidArgument | Code::FailedPrecondition
        ),
        None => error.is::<WayIn>(),
    }
}

/// The text would shut its sender out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WayIn(String);

async fn send(
    session: &Session,
    node: &str,
    text: &str,
    generation: u64,
    effect: Effect,
) -> Result<ApplyConfigResponse> {
    let documents = config::parse("config", text.as_bytes())?;
    let request = request(text, generation, &session.context, &documents);
    let request = effect.of(request.map_err(|error| WayIn(sentence(&error)))?);
    let applied = session.again(node, |channel| {
        let request = request.clone();
        async move {
            let mut client = MachineServiceClient::new(channel);
            Ok(client.apply_config(request).await?.into_inner())
        }
    });
    applied.await
}

/// What stands above the text: what it is, and what is wrong with it, with the numbers of the lines in the file.
fn head(node: &str, generation: u64, problems: &[config::Problem]) -> String {
    let mut lines = vec![
        format!(
            "The config of {node}, generation {generation}, with its secrets. Lines that begin"
        ),
        "like this one are left out. Left as it is, or emptied, it changes nothing.".to_owned(),
    ];
    if !problems.is_empty() {
        lines.push("It was refused:".to_owned());
    }
    let count = |problem: &config::Problem| problem.to_string().lines().count();
    let above = lines.len() + problems.iter().map(count).sum::<usize>();
    for problem in problems {
        let mut problem = problem.clone();
        if let Some(at) = &mut problem.position {
            at.line += above;
        }
        lines.extend(problem.to_string().lines().map(str::to_owned));
    }
    lines
        .iter()
        .map(|line| format!("{REMARK} {line}\n"))
        .collect()
}

/// The text without the lines above it.
fn without_head(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with(REMARK)).collect()
}

/// The file that is edited.
struct Draft {
    folder: PathBuf,
    path: PathBuf,
}

impl Draft {
    fn new(node: &str) -> Result<Self> {
        let folder = private_folder()?;
        let plain = |it: char| {
            if it.is_ascii_alphanumeric() || it == '-' {
                it
            } else {
                '_'
            }
        };
        let name: String = node.chars().take(64).map(plain).collect();
        let path = folder.join(format!("{name}.yaml"));
        Ok(Self { folder, path })
    }

    /// Lets the user edit a text below some remarks; what became of it. The file is kept when the editor fails over
    /// anything but the `original`.
    fn edit(&self, text: &str, head: &str, original: &str) -> Result<String> {
        write_secret(&self.path, &format!("{head}{text}"), Existing::Replace)?;
        let editor = editor();
        // As git has it: the variable may hold arguments, and the shell takes it apart.
        let status = Command::new("sh")
            .args(["-c", &format!("{editor} \"$1\""), "osctl"])
            .arg(&self.path)
            .status()
            .with_context(|| format!("starting the editor {editor}"))?;
        let after = fs::read_to_string(&self.path);
        let after = after.with_context(|| format!("reading {}", self.path.display()))?;
        let after = without_head(&after);
        if status.success() {
            return Ok(after);
        }
        let failed = format!("the editor {editor} failed ({status}), and nothing was sent");
        if after != original {
            bail!("{failed}; {}", self.kept());
        }
        // There is nothing in the file but the node's secrets.
        self.remove()?;
        bail!("{failed}; $VISUAL or $EDITOR names another");
    }

    fn kept(&self) -> String {
        format!("your text is in {}", self.path.display())
    }

    fn remove(&self) -> Result<()> {
        let removed = fs::remove_dir_all(&self.folder);
        removed.with_context(|| format!("removing {}", self.folder.display()))
    }
}

fn editor() -> String {
    let set = |name| std::env::var(name).ok().filter(|it| !it.trim().is_empty());
    set("VISUAL")
        .or_else(|| set("EDITOR"))
        .unwrap_or_else(|| "vi".to_owned())
}

/// A new folder that only the owner can look into: in memory where the system has a place for that.
fn private_folder() -> Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|path| path.is_absolute() && path.is_dir());
    let base = runtime.unwrap_or_else(std::env::temp_dir);
    for number in 0..1000 {
        let folder = base.join(format!("osctl-edit-{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| at(&folder)),
        }
    }
    bail!("{} is full of folders of this name", base.display())
}

fn at(folder: &Path) -> String {
    format!("making {}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_above_the_text_with_the_lines_of_the_file() {
        let text = "apiVersion: garboard/v1alpha1\nkind: Hostname\nhostnam: a\n";
        let problems = wrong(text).expect("it is wrong");
        let head = head("node-1", 4, &problems);
        let file = format!("{head}{text}");
        assert_eq!(without_head(&file), text);
        let told = head.lines().find(|line| line.contains("unknown field"));
        let told = told.expect("it is told");
        let line: usize = told
            .split(':')
            .nth(2)
            .and_then(|it| it.parse().ok())
            .expect("a line");
        assert_eq!(file.lines().nth(line - 1), Some("hostnam: a"), "{file}");
        assert!(wrong("").is_some());
    }
}
