//! Writes the files under `image/go/` anew, from upstream's own `go.mod`.
//!
//! Only this asks the network what upstream requires. `go mod tidy` then adds what our module requires in turn; nothing
//! it adds may differ from upstream, which `check` sees to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::check;
use super::modfile::{ModFile, Replacement};
use super::programs::{Files, Program, Source, Stamps};
use super::progress::{self, Work};
use super::toolchain::Toolchain;

/// What `go mod download -json` says of a module.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Downloaded {
    go_mod: PathBuf,
    info: PathBuf,
}

/// What the info file of a module says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    time: String,
}

/// Writes `go.mod`, `go.sum` and the copies of upstream's `go.mod` of a program.
///
/// # Errors
/// When a module cannot be had, or requires what upstream does not.
pub fn pin(program: &Program, toolchain: &Toolchain) -> Result<()> {
    let temporary = tempfile::tempdir().context("making a temporary folder")?;
    let work = temporary.path();
    let mut upstream = Vec::new();
    for it in program.sources {
        let (text, time) = source(it, toolchain, work)?;
        if let Stamps::Kubernetes { date } = program.stamps {
            ensure!(date == time, "{} is of {time}, not of {date}", program.name);
        }
        upstream.push(text);
    }
    let parsed: Result<Vec<_>> = upstream.iter().map(|text| ModFile::parse(text)).collect();
    let module = render(program, &parsed.context("upstream's go.mod")?);
    std::fs::write(work.join("go.mod"), module).context("writing go.mod")?;
    let mut tidy = toolchain.command(work);
    tidy.args(["mod", "tidy", "-x"])
        .env("GOFLAGS", "-mod=mod -modcacherw");
    let what = Work {
        name: &format!("{}: what it requires", program.name),
        unit: "",
        total: 0,
    };
    progress::run(tidy, what, |line| line.starts_with("# get "))?;
    let read = |name: &str| {
        std::fs::read_to_string(work.join(name)).with_context(|| format!("reading {name}"))
    };
    let files = Files {
        module: read("go.mod")?,
        sums: read("go.sum")?,
        upstream,
    };
    check::pins(program, &files)?;
    save(program, &files)
}

/// The text of a source's `go.mod`, and the time of the source.
fn source(source: &Source, toolchain: &Toolchain, work: &Path) -> Result<(String, String)> {
    let mut command = toolchain.command(work);
    let module = format!("{}@{}", source.module, source.version);
    command
        .args(["mod", "download", "-json", &module])
        .env("GOFLAGS", "-mod=mod -modcacherw");
    let work = Work {
        name: &format!("fetching {module}"),
        unit: "",
        total: 0,
    };
    let output = progress::run(command, work, |_| false)?;
    let found: Downloaded =
        serde_json::from_slice(&output).with_context(|| format!("what go says of {module}"))?;
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    };
    let info: Info = serde_json::from_str(&read(&found.info)?)
        .with_context(|| format!("what is known of {module}"))?;
    Ok((read(&found.go_mod)?, info.time))
}

/// Our module before `go mod tidy`: what must be said because Go takes it from the main module alone, and what is built.
pub(super) fn render(program: &Program, upstream: &[ModFile]) -> String {
    let go = upstream.iter().map(|file| &file.go);
    let go = go.max_by_key(|version| numbers(version));
    let mut lines = vec![
        format!(
            "// Written by `cargo run -p garboard-image -- go pin {}`.",
            program.name
        ),
        format!("module garboard/{}", program.name),
        format!("go {}", go.map_or("", String::as_str)),
        "tool (".to_owned(),
    ];
    lines.extend(program.mains().map(|(package, _)| package.to_owned()));
    lines.extend([")".to_owned(), "require (".to_owned()]);
    let required = program.sources.iter();
    lines.extend(required.map(|it| format!("{} {}", it.module, it.version)));
    lines.push(")".to_owned());
    // Several sources may say the same.
    let mut said = BTreeSet::new();
    for (source, file) in program.sources.iter().zip(upstream) {
        said.extend(file.godebug.iter().map(|it| format!("godebug {it}")));
        said.extend(file.exclude.iter().map(|it| format!("exclude {it}")));
        said.extend(file.replace.iter().filter_map(|it| replace(source, it)));
    }
    lines.extend(said);
    lines.push(String::new());
    lines.join("\n")
}

/// The line for one of upstream's replacements. There is none for a folder whose module is required at the version under
/// which it is published.
fn replace(source: &Source, (from, to): (&String, &Replacement)) -> Option<String> {
    let to = match to {
        Replacement::Module(to) => to.clone(),
        Replacement::Folder => format!("{from} {}", source.siblings?),
    };
    Some(format!("replace {from} => {to}"))
}

/// A version's numbers, which sort as the version does.
fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect()
}

fn save(program: &Program, files: &Files) -> Result<()> {
    let folder = program.folder();
    let upstream = folder.join("upstream");
    std::fs::create_dir_all(&upstream).with_context(|| format!("making {}", upstream.display()))?;
    let write = |path: PathBuf, text: &str| {
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    for (source, text) in program.sources.iter().zip(&files.upstream) {
        write(program.upstream(source), text)?;
    }
    write(folder.join("go.mod"), &files.module)?;
    write(folder.join("go.sum"), &files.sums)
}
