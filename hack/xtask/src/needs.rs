//! Which programs and bundles the tests of the VM suite need that a filter leaves: a whole Kubernetes is not built for a test of one
//! machine.
//!
//! What a test needs is what its file asks `places` for, or a module of the suite that the file names. Rather too much than too
//! little: a test that finds nothing where it looks fails.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What is built for some tests only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// `crictl`.
    Crictl,
    /// `kubectl`.
    Kubectl,
    /// The bundle with our own images.
    Bundle,
    /// The bundle with all images.
    WholeBundle,
}

impl Need {
    const ALL: [Self; 4] = [Self::Crictl, Self::Kubectl, Self::Bundle, Self::WholeBundle];

    /// How it is asked for.
    fn asked(self) -> &'static str {
        match self {
            Self::Crictl => "places::crictl(",
            Self::Kubectl => "places::kubectl(",
            Self::Bundle => "places::bundle(",
            Self::WholeBundle => "places::kubernetes_bundle(",
        }
    }
}

/// A program of tests, or a module that they share: its name and all its text.
struct Source {
    name: String,
    text: String,
}

/// What the tests need whose names contain `filter`, in the suite with this folder.
pub(crate) fn of(suite: &Path, filter: Option<&str>) -> Result<Vec<Need>> {
    let (tests, modules) = (sources(&suite.join("tests"))?, sources(&suite.join("src"))?);
    Ok(needs(&tests, &modules, filter))
}

fn needs(tests: &[Source], modules: &[Source], filter: Option<&str>) -> Vec<Need> {
    let chosen = tests.iter().filter(|test| test.has(filter));
    let texts: Vec<_> = chosen
        .flat_map(|test| {
            let used = modules.iter().filter(|it| test.names(&it.name));
            used.map(|it| &it.text).chain([&test.text])
        })
        .collect();
    let mut all = Need::ALL.to_vec();
    all.retain(|need| texts.iter().any(|text| text.contains(need.asked())));
    all
}

impl Source {
    /// Whether it may have a test that the filter leaves: that is a part of a test's name, and of the modules it is in.
    fn has(&self, filter: Option<&str>) -> bool {
        let Some(filter) = filter else {
            return true;
        };
        let last = filter.rsplit("::").next().unwrap_or(filter);
        let mut words = self.text.split(|it: char| !is_of_a_word(it));
        words.any(|word| word.contains(last))
    }

    /// Whether it has this word.
    fn names(&self, name: &str) -> bool {
        let mut words = self.text.split(|it: char| !is_of_a_word(it));
        words.any(|word| word == name)
    }
}

fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The sources in a folder, each with the folder of its name, if it has one.
fn sources(folder: &Path) -> Result<Vec<Source>> {
    let mut found: Vec<Source> = Vec::new();
    for (name, path) in entries(folder)? {
        let text = text(&path)?;
        match found.iter_mut().find(|it| it.name == name) {
            Some(source) => source.text += &text,
            None => found.push(Source { name, text }),
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let reading = || format!("reading {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let is_source = path.is_dir() || path.extension().is_some_and(|it| it == "rs");
        if is_source && let Some(name) = path.file_stem().and_then(|it| it.to_str()) {
            found.push((name.to_owned(), path));
        }
    }
    Ok(found)
}

/// A file's text, or that of all sources below a folder.
fn text(path: &Path) -> Result<String> {
    if !path.is_dir() {
        return fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    }
    let texts = entries(path)?;
    let texts = texts.iter().map(|(_, path)| text(path));
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn what_the_chosen_tests_ask_for_is_built() {
        let tests = [
            source("boot", "fn it_boots() { places::cloud() }"),
            source(
                "pods",
                "fn a_pod_starts() { places::crictl()?; places::bundle()?; }",
            ),
            source(
                "plane",
                "use e2e::kubectl::Kubectl; fn it_is_ready() { places::kubernetes_bundle()? }",
            ),
        ];
        let modules = [
            source("kubectl", "places::kubectl()"),
            source("places", "pub fn crictl()"),
        ];
        let needs = |filter| needs(&tests, &modules, filter);
        assert_eq!(needs(None), Need::ALL);
        assert_eq!(needs(Some("boots")), []);
        assert_eq!(needs(Some("pod_st")), [Need::Crictl, Need::Bundle]);
        assert_eq!(
            needs(Some("plane::is_ready")),
            [Need::Kubectl, Need::WholeBundle]
        );
        assert_eq!(needs(Some("nothing")), []);
    }

    #[test]
    fn the_suite_is_understood() {
        let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e");
        let of = |filter| of(&suite, filter).expect("the suite's files");
        assert_eq!(of(None), Need::ALL);
        assert_eq!(of(Some("pxe_under_bios")), []);
        let pods = of(Some("a_pod_starts_from_a_disk"));
        assert!(pods.contains(&Need::Crictl), "{pods:?}");
        let plane = of(Some("one_node_becomes_ready"));
        for need in [Need::Kubectl, Need::WholeBundle] {
            assert!(plane.contains(&need), "{plane:?}");
        }
    }
}
