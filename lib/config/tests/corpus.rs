//! Every file under `bad/` is refused by the reader, every file under `invalid/` by the checks between documents, and every
//! file under `patches/` as a patch, with the message in the `.txt` file beside it.
//!
//! `GARBOARD_BLESS=1` rewrites the messages; read the difference before committing it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod cases;

use std::fs;

use cases::Folder;

#[test]
fn what_is_wrong_is_refused_with_its_message() {
    let mut wrong = Vec::new();
    for folder in Folder::ALL {
        let files = folder.files();
        let least = match folder {
            Folder::Bad => 100,
            Folder::Invalid => 10,
            Folder::Patches => 30,
        };
        assert!(files.len() >= least, "only {} in {folder:?}", files.len());
        for file in files {
            let found = folder.refuse(&file);
            let found = found.map_or_else(String::new, |it| it.to_string());
            let message = file.with_extension("txt");
            if std::env::var_os("GARBOARD_BLESS").is_some() {
                fs::write(&message, format!("{found}\n")).unwrap();
            }
            let expected = fs::read_to_string(&message).unwrap_or_default();
            if found.is_empty() || format!("{found}\n") != expected {
                let file = file.display();
                wrong.push(format!("{file}: expected\n{expected}found\n{found}\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
