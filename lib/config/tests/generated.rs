//! The pages that are made of the types, and of what is said of wrong configs, are those in `docs/`.
//!
//! `GARBOARD_BLESS=1` (`cargo xtask gen`) writes them anew.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod cases;

use std::fs;
use std::path::Path;

use cases::Folder;
use config::{Problem, schema};

fn held(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(file);
    if std::env::var_os("GARBOARD_BLESS").is_some() {
        fs::write(&path, made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/{file} is behind; run this test with GARBOARD_BLESS=1"
    );
}

#[test]
fn generated_reference_is_current() {
    held("config-reference.md", &schema::reference());
}

#[test]
fn generated_schema_is_current() {
    held("config.schema.json", &schema::json());
}

#[test]
fn generated_example_is_current_and_has_every_kind() {
    let example = schema::example();
    held("config-example.yaml", &example);
    let documents = config::check("config-example.yaml", example.as_bytes());
    let documents = documents.unwrap_or_else(|it| panic!("{it}"));
    let kinds: Vec<_> = documents.iter().map(|it| it.identity().kind).collect();
    assert_eq!(kinds, config::Document::KINDS);
}

const HEAD: &str = "\
# What is said of a wrong config

<!-- Made of lib/config/tests/{bad,invalid,patches}; GARBOARD_BLESS=1 cargo test -p garboard-config generated -->

Each row is a file of that name under `lib/config/tests`, and a test holds it to its message. A message is
`FILE:LINE:COLUMN: MESSAGE`, the line with a mark under the column, and where there is more to say, what to do. A line that may be part of
a key is never shown.
";

#[test]
fn generated_table_of_wrong_configs_is_current() {
    let mut page = HEAD.to_owned();
    for folder in Folder::ALL {
        let title = match folder {
            Folder::Bad => "Documents that cannot be read",
            Folder::Invalid => "Documents that do not go together",
            Folder::Patches => "Patches",
        };
        page.push_str(&format!("\n## {title}\n\n"));
        page.push_str("| mistake | the line | is told | and what to do |\n|---|---|---|---|\n");
        for file in folder.files() {
            let name = file
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .replace('-', " ");
            for problem in folder.refuse(&file).unwrap().iter() {
                page.push_str(&row(&name, problem));
            }
        }
    }
    held("bad-config.md", &page);
}

fn row(name: &str, problem: &Problem) -> String {
    let line = match (problem.position, problem.excerpt.as_deref()) {
        (Some(at), Some(line)) => format!("{}:{} {}", at.line, at.column, code(line)),
        (Some(at), None) => format!("{}:{}", at.line, at.column),
        (None, _) => String::new(),
    };
    let help = problem.help.as_deref().unwrap_or_default();
    format!(
        "| {name} | {line} | {} | {} |\n",
        cell(&problem.message),
        cell(help)
    )
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A line of YAML in a cell: as code, and short.
fn code(line: &str) -> String {
    let line: String = line.trim().chars().take(60).collect();
    let line = line.replace('|', "\\|");
    match line.contains('`') {
        true => format!("`` {line} ``"),
        false => format!("`{line}`"),
    }
}
