//! Every file under `bad/` is refused by the reader and every file under `invalid/` by the checks
//! between documents, with the message in the `.txt` file beside it.
//!
//! `GARBOARD_BLESS=1` rewrites the messages; read the difference before committing it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn bad_input_is_refused_with_its_message() {
    check("bad", 60, |name, bytes| match config::parse(name, bytes) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    });
}

#[test]
fn invalid_configs_are_refused_with_their_message() {
    check("invalid", 10, |name, bytes| {
        let documents = config::parse(name, bytes).expect("these files are good YAML");
        let problems = documents.validate();
        config::Problems::new(problems).map_or_else(String::new, |it| it.to_string())
    });
}

/// Runs `refuse` on every YAML file of a folder that must have at least `least` of them.
fn check(folder: &str, least: usize, refuse: impl Fn(&str, &[u8]) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .collect();
    cases.sort();
    assert!(
        cases.len() >= least,
        "only {} cases in {folder:?}",
        cases.len()
    );
    let mut wrong = Vec::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let found = refuse(name, &fs::read(&case).unwrap());
        let message = case.with_extension("txt");
        if std::env::var_os("GARBOARD_BLESS").is_some() {
            fs::write(&message, format!("{found}\n")).unwrap();
        }
        let expected = fs::read_to_string(&message).unwrap_or_default();
        if found.is_empty() || format!("{found}\n") != expected {
            wrong.push(format!("{name}: expected\n{expected}found\n{found}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
