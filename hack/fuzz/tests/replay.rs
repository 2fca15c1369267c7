//! Every kept input holds every target's promises, on every run of the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The least inputs a target must have for its corpus to mean something.
const LEAST: usize = 4;
/// The largest kept input: a corpus is read by people.
const LARGEST: u64 = 64 << 10;
/// The longest all inputs of one target may take, unoptimised and on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn inputs(target: &fuzz::Target) -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = here.join("corpus").join(target.name);
    let also = target.also.iter().map(|it| here.join("../..").join(it));
    let mut files = Vec::new();
    for folder in std::iter::once(own).chain(also) {
        let entries = fs::read_dir(&folder).expect("every target has its folders");
        files.extend(entries.map(|it| it.expect("a readable folder").path()));
    }
    files.sort();
    files
}

#[test]
fn every_kept_input_holds() {
    for target in fuzz::TARGETS {
        let files = inputs(target);
        assert!(
            files.len() >= LEAST,
            "{} has {} inputs",
            target.name,
            files.len()
        );
        let began = Instant::now();
        for file in files {
            let bytes = fs::read(&file).expect("a readable file");
            assert!(
                bytes.len() as u64 <= LARGEST,
                "{} is too large to keep",
                file.display()
            );
            // What was cut is as common as what came whole.
            for length in [
                bytes.len(),
                bytes.len() / 3,
                bytes.len() / 2,
                bytes.len().saturating_sub(1),
            ] {
                let held = std::panic::catch_unwind(|| (target.run)(&bytes[..length]));
                assert!(
                    held.is_ok(),
                    "{} breaks on {length} bytes of {}",
                    target.name,
                    file.display()
                );
            }
        }
        let took = began.elapsed();
        assert!(took < PATIENCE, "{} took {took:?}", target.name);
    }
}

#[test]
fn every_corpus_has_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for folder in fs::read_dir(corpus).expect("there is a corpus") {
        let name = folder.expect("a readable folder").file_name();
        let name = name.to_str().expect("a plain name");
        assert!(fuzz::target(name).is_some(), "no target is called {name}");
    }
}
