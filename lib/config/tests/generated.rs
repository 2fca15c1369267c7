//! The pages that are made of the types are those in `docs/`.
//!
//! `GARBOARD_BLESS=1` (`cargo xtask gen`) writes them anew.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::Path;

use config::schema;

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
