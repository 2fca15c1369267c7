use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::oci::{Image, Layout, Run};
use crate::tree::{Source, Tree};

fn tree(text: &str) -> Tree {
    let mut tree = Tree::default();
    tree.file("file", 0o644, Source::Bytes(text.into()))
        .unwrap();
    tree
}

/// Two images with a layer in common.
fn layout() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut layout = Layout::begin(folder.path(), "amd64", 0).unwrap();
    for name in ["one", "two"] {
        let layers = [tree("common"), tree(name)];
        let run = Run {
            user: "1:1".to_owned(),
            entrypoint: vec![format!("/{name}")],
            ..Run::default()
        };
        let image = Image {
            reference: &format!("a.example/{name}:1"),
            layers: &layers,
            run,
            annotations: BTreeMap::from([("key".to_owned(), name.to_owned())]),
        };
        layout.add(&image).unwrap();
    }
    layout.finish().unwrap();
    folder
}

fn problem(layout: &TempDir) -> String {
    format!("{:#}", check(layout.path()).unwrap_err())
}

fn blob_of(layout: &TempDir, digest: &Digest) -> PathBuf {
    super::blob(layout.path(), digest)
}

#[test]
fn what_was_written_is_found_and_a_common_layer_is_there_once() {
    let layout = layout();
    let found = check(layout.path()).unwrap();
    let [one, two] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(two.reference, "a.example/two:1");
    assert_eq!(two.annotations["key"], "two");
    assert_eq!(two.config.config.entrypoint, ["/two"]);
    assert_eq!(two.config.created, "1970-01-01T00:00:00Z");
    assert_eq!(one.layers[0], two.layers[0]);
    assert_ne!(one.layers[1], two.layers[1]);
    let blobs = fs::read_dir(layout.path().join(BLOBS)).unwrap().count();
    assert_eq!(blobs, 2 + 2 + 3);
}

#[test]
fn a_reference_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut layout = Layout::begin(folder.path(), "amd64", 0).unwrap();
    let image = Image {
        reference: "a.example/one:1",
        layers: &[],
        run: Run::default(),
        annotations: BTreeMap::new(),
    };
    layout.add(&image).unwrap();
    layout.add(&image).unwrap_err();
}

#[test]
fn damage_is_told() {
    let whole = layout();
    let found = check(whole.path()).unwrap();
    let last = found[1].layers[1].clone();

    let flipped = layout();
    let path = blob_of(&flipped, &last);
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(problem(&flipped).contains(&format!("{last} is damaged")));
    bytes.pop();
    fs::write(&path, &bytes).unwrap();
    assert!(problem(&flipped).contains("bytes instead of"));
    fs::remove_file(&path).unwrap();
    assert!(problem(&flipped).contains(&format!("reading {}", path.display())));

    let more = layout();
    fs::write(blob_of(&more, &Digest::of(b"x")), "x").unwrap();
    assert!(problem(&more).contains("no image refers to"));

    let other = layout();
    fs::write(other.path().join(MARKER.0), "{}").unwrap();
    assert!(problem(&other).contains("unknown version"));
}

#[test]
fn an_index_that_says_something_else_is_told() {
    let change = |from: &str, to: &str| {
        let layout = layout();
        let path = layout.path().join(INDEX);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        problem(&layout)
    };
    assert!(change("amd64", "arm64").contains("another platform"));
    assert!(change("a.example/two:1", "a.example/one:1").contains("twice"));
    assert!(change(REFERENCE, "other").contains("no reference"));
    let found = check(layout().path()).unwrap();
    let (image, layer) = (&found[0].digest, &found[0].layers[0]);
    let said = change(image.hex(), layer.hex());
    assert!(said.contains("bytes instead of"), "{said}");
}
