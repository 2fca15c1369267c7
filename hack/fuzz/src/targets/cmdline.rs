//! The kernel command line: its words, and what init reads from it.

use init::cmdline::{CommandLine, CommandLineError};
use sys::cmdline::{Argument, arguments, last};

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let all: Vec<_> = arguments(text).collect();
    assert!(all.iter().all(|it| !it.name.contains('=')));
    let plain: Vec<_> = all.iter().filter(|it| is_plain(it)).copied().collect();
    let printed: Vec<String> = plain.iter().map(print).collect();
    let printed = printed.join(" ");
    assert_eq!(
        arguments(&printed).collect::<Vec<_>>(),
        plain,
        "written, it says something else"
    );
    for argument in &all {
        let of_name = all.iter().rev().filter(|it| it.name == argument.name);
        let wanted = of_name.filter_map(|it| it.value).next();
        assert_eq!(
            last(text, argument.name),
            wanted,
            "another one than the last counts"
        );
    }
    root(text);
}

/// Whether quotes can say it.
fn is_plain(argument: &Argument<'_>) -> bool {
    let strange = |it: char| it == '"' || it.is_whitespace();
    let bare = argument.value.is_none() && matches!(argument.name, "" | "--");
    let quoted = argument.value.is_some_and(|it| it.contains('"'));
    !(bare || quoted || argument.name.contains(strange))
}

fn print(argument: &Argument<'_>) -> String {
    match argument.value {
        Some(value) => format!("{}=\"{value}\"", argument.name),
        None => argument.name.to_owned(),
    }
}

/// A root hash is one, or an error; a command line that names a root never boots without one.
fn root(text: &str) {
    let named = last(text, "garboard.root");
    match CommandLine::parse(text) {
        Ok(CommandLine { root: None }) => assert_eq!(named, None),
        Ok(CommandLine { root: Some(root) }) => {
            let root = root.as_str();
            assert_eq!(root.len(), 64);
            assert!(
                root.bytes()
                    .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
            );
            assert!(named.is_some_and(|it| it.eq_ignore_ascii_case(root)));
        }
        Err(CommandLineError::Root(shown)) => {
            assert!(named.is_some_and(|it| it.starts_with(&shown)));
            assert!(shown.chars().count() <= 80);
        }
    }
}
