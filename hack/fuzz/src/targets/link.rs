//! Frames between init and its daemons: a daemon that was taken over may write anything.

use sys::link::{Frame, FromInit, MAX_FRAME, ToInit};

pub(super) const WORDS: &[&str] = &[
    "PING",
    "READY",
    "STORE ",
    "DROP ",
    "REBOOT",
    "POWEROFF",
    "HALT",
    "FD ",
    "START ",
    "CHILD ",
    "SHUTDOWN",
    "epoch=",
    " safe=",
    " restarts=",
    " reason=",
    "name=",
    " pid=",
    " state=",
    "running",
    "exited",
    "restarting",
    "failed",
];

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    stable::<ToInit>(text);
    stable::<FromInit>(text);
}

/// What parses fits a frame and, once cleaned by being written, reads back as itself.
fn stable<F: Frame + PartialEq + std::fmt::Debug>(text: &str) {
    let frame = match F::parse(text) {
        Ok(frame) => frame,
        Err(error) => {
            assert!(error.to_string().len() <= 8 * MAX_FRAME);
            return;
        }
    };
    let written = frame.encode();
    assert!(
        written.len() <= MAX_FRAME,
        "{} bytes do not fit",
        written.len()
    );
    assert!(!written.chars().any(char::is_control));
    let again = F::parse(&written).expect("what is written parses");
    assert_eq!(again.encode(), written);
    if !text.chars().any(char::is_control) && text.len() <= 512 {
        assert_eq!(again, frame);
    }
}
