//! Holds pins and programs to what upstream requires. Pure.
//!
//! Three links: our copies of upstream's `go.mod` have the checksums of the pinned versions, our `go.mod` says what they
//! say, and a program has in it what they say. Each is checked by itself, the last one after every build.

use anyhow::{Context, Result, ensure};

use super::buildinfo::BuildInfo;
use super::modfile::{ModFile, Replacement};
use super::programs::{Files, Program, Source};
use super::sums::{self, Sums};

/// Settings that every program is to be built with.
const SETTINGS: &[&str] = &[
    "-trimpath=true",
    "CGO_ENABLED=0",
    "GOARCH=amd64",
    "GOOS=linux",
    "GOAMD64=v1",
];

/// Checks a program's files against each other.
///
/// # Errors
/// When a file is not well formed; names all that deviates.
pub fn pins(program: &Program, files: &Files) -> Result<()> {
    let (ours, upstream, sums) = files.parse()?;
    let mut wrong = Vec::new();
    for (source, text) in program.sources.iter().zip(&files.upstream) {
        if sums.mod_file(source.module, source.version) != Some(&*sums::of_mod_file(text)) {
            let name = source.name;
            wrong.push(format!(
                "upstream/{name}.mod is not that of {}",
                source.version
            ));
        }
    }
    let said = ModFile::parse(&super::pin::render(program, &upstream)).context("what we make")?;
    if said.go != ours.go || said.godebug != ours.godebug {
        wrong.push("language version or godebug".to_owned());
    }
    if said.replace != ours.replace || said.exclude != ours.exclude {
        wrong.push("replacements or exclusions".to_owned());
    }
    if said.tool != ours.tool {
        wrong.push("packages".to_owned());
    }
    for (path, version) in &ours.require {
        // Then no version of it is used but the replacement's, which was looked at above.
        if ours.replace.contains_key(path) {
            continue;
        }
        let mut asked = program.sources.iter().zip(&upstream);
        if !asked.any(|(source, file)| source.requires(file, path) == Some(version)) {
            wrong.push(format!("{path} {version} is not what upstream requires"));
        }
    }
    none(&wrong, &format!("the pins of {}", program.name))
}

/// Checks how the program of the main package `package` was built.
///
/// # Errors
/// Names all that deviates.
pub fn program(
    program: &Program,
    files: &Files,
    package: &str,
    compiler: &str,
    info: &BuildInfo,
) -> Result<()> {
    let (ours, upstream, sums) = files.parse()?;
    let mut sources = program.sources.iter().zip(&upstream);
    let (source, upstream) = sources
        .find(|(source, _)| source.holds(package))
        .with_context(|| format!("no module holds {package}"))?;
    let mut wrong = Vec::new();
    if info.package != package {
        wrong.push(format!("it is {}", info.package));
    }
    if info.go != compiler {
        wrong.push(format!("built by {} instead of {compiler}", info.go));
    }
    for setting in SETTINGS {
        if !info.settings.iter().any(|found| found == setting) {
            wrong.push(format!("built without {setting}"));
        }
    }
    ensure!(!info.modules.is_empty(), "{package} lists no modules");
    wrong.extend(modules(source, upstream, &ours, &sums, info));
    none(&wrong, package)
}

/// What is wrong with the modules in a program.
fn modules(
    source: &Source,
    upstream: &ModFile,
    ours: &ModFile,
    sums: &Sums,
    info: &BuildInfo,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for module in &info.modules {
        let wanted = source.requires(upstream, &module.wanted);
        let used = (&*module.path, &*module.version);
        let replaced = match ours.replace.get(&module.wanted) {
            Some(Replacement::Module(to)) => to.split_once(' '),
            _ => wanted.map(|version| (&*module.wanted, version)),
        };
        if replaced != Some(used) {
            let wanted = wanted.unwrap_or("none");
            wrong.push(format!("{} {}, upstream has {wanted}", used.0, used.1));
        }
        if sums.module(used.0, used.1) != Some(&module.sum) {
            wrong.push(format!("{} {} with another checksum", used.0, used.1));
        }
    }
    wrong
}

fn none(wrong: &[String], what: &str) -> Result<()> {
    ensure!(
        wrong.is_empty(),
        "{what}, against upstream's go.mod:\n  {}",
        wrong.join("\n  ")
    );
    Ok(())
}

#[cfg(test)]
mod tests;
