use super::*;
use crate::tree::Source;
use testkit::elf;

fn tree(path: &str, mode: u32, bytes: &[u8]) -> Tree {
    let mut tree = Tree::default();
    tree.file(path, mode, Source::Bytes(bytes.to_vec()))
        .unwrap();
    tree
}

/// A dynamic program: this one.
fn dynamic() -> Vec<u8> {
    std::fs::read("/proc/self/exe").unwrap()
}

fn check(tree: &Tree, list: &str) -> Result<()> {
    let file = "allow/test.txt";
    super::check(tree, List { file, text: list })
}

fn finding(tree: &Tree, list: &str) -> String {
    check(tree, list).unwrap_err().to_string()
}

#[test]
fn a_listed_static_program_passes() {
    let list = "static usr/bin/x # the reason";
    check(&tree("usr/bin/x", 0o755, &elf(3)), list).unwrap();
    check(&tree("m.ko", 0o644, &elf(1)), "").unwrap();
    check(&tree("etc/text", 0o644, b"text"), "").unwrap();
}

#[test]
fn everything_else_is_found() {
    let listed = "static usr/bin/x # r";
    let program = tree("usr/bin/x", 0o755, &elf(2));
    assert!(finding(&program, "").contains("not in allow"));
    assert!(finding(&Tree::default(), listed).contains("not in the tree"));
    assert!(finding(&tree("usr/bin/x", 0o644, &elf(2)), "").contains("not in allow"));
    assert!(finding(&tree("usr/bin/x", 0o4755, &elf(2)), listed).contains("setuid"));
    assert!(finding(&tree("bin/sh", 0o755, &elf(2)), "static bin/sh # r").contains("shells"));
    assert!(finding(&tree("a", 0o644, b"#!/x"), "static a # r").contains("script"));
    assert!(finding(&tree("a", 0o755, b"text"), "static a # r").contains("not an ELF"));
    let cut = &elf(2)[..40];
    assert!(finding(&tree("a", 0o755, cut), "static a # r").contains("not readable"));
    let mut link = Tree::default();
    link.link("usr/bin/bash", "init").unwrap();
    assert!(finding(&link, "").contains("shells"));
}

#[test]
fn a_program_must_be_of_the_sort_that_the_list_says() {
    let program = tree("x", 0o755, &dynamic());
    assert!(finding(&program, "static x # r").contains("not static"));
    let program = tree("x", 0o755, &elf(2));
    assert!(finding(&program, "dynamic x # r").contains("not dynamic"));
}

#[test]
fn what_a_program_asks_for_is_there_and_nothing_else() {
    // Copies of one file stand for the program and its libraries: they ask for each other.
    let links = elf::links(&dynamic()).unwrap();
    let loader = links.interpreter.clone().unwrap();
    let (folder, name) = loader.trim_start_matches('/').rsplit_once('/').unwrap();
    let real = format!("usr/{folder}/{name}");
    let mut files = vec!["usr/sbin/x".to_owned(), real.clone()];
    let named = links.needed.iter().filter(|other| *other != name);
    files.extend(named.map(|name| format!("{LIBRARIES}/{name}")));
    let build = |files: &[String]| {
        let mut tree = Tree::default();
        tree.link(folder, &format!("usr/{folder}")).unwrap();
        let mut list = String::new();
        for file in files {
            tree.file(file, 0o755, Source::Bytes(dynamic())).unwrap();
            let sort = if file == "usr/sbin/x" {
                "dynamic"
            } else {
                "library"
            };
            list.push_str(&format!("{sort} {file} # r\n"));
        }
        (tree, list)
    };
    let (whole, list) = build(&files);
    check(&whole, &list).unwrap();
    for (number, missing) in files.iter().enumerate().skip(1) {
        let mut files = files.clone();
        files.remove(number);
        let (tree, list) = build(&files);
        let said = finding(&tree, &list);
        let name = missing.rsplit('/').next().unwrap();
        assert!(said.contains("usr/sbin/x: needs"), "{said}");
        assert!(
            said.contains(&format!("/{name}, which is not there")),
            "{said}"
        );
    }
    files.push(format!("{LIBRARIES}/libuseless.so.1"));
    let (tree, list) = build(&files);
    let said = finding(&tree, &list);
    assert!(
        said.contains("libuseless.so.1: a library that nothing"),
        "{said}"
    );
}

#[test]
fn every_line_has_a_sort_a_path_and_a_reason() {
    assert!(parse(ROOT.text).unwrap().len() >= 3);
    for bad in [
        "static usr/bin/x",
        "usr/bin/x # a",
        "static # a",
        "static usr/bin/x usr/bin/y # a",
        "static usr/bin/x # a\nlibrary usr/bin/x # b",
    ] {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
}
