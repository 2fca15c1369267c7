//! What init says: lines in the kernel log, each beginning with `init: `.
//!
//! Owns: the prefix, and printing an error with its causes. Before `/dev` is mounted there is nowhere to write; what is
//! said then is lost, except for the failure to mount it, which ends the boot anyway.

use std::error::Error;

use sys::kmsg::{Kmsg, Level};

/// The log.
#[derive(Debug)]
pub struct Log {
    kmsg: Option<Kmsg>,
}

impl Log {
    /// Opens the kernel log if there is one.
    pub fn open() -> Self {
        Self {
            kmsg: Kmsg::open().ok(),
        }
    }

    /// Writes a line.
    pub fn write(&self, level: Level, text: &str) {
        if let Some(kmsg) = &self.kmsg {
            kmsg.write(level, &format!("init: {text}"));
        }
    }

    /// Something happened.
    pub fn info(&self, text: &str) {
        self.write(Level::Info, text);
    }

    /// Something is not as it should be.
    pub fn warn(&self, text: &str) {
        self.write(Level::Warning, text);
    }

    /// Something failed.
    pub fn error(&self, text: &str) {
        self.write(Level::Error, text);
    }

    /// Something failed, with its causes.
    pub fn failed(&self, error: &dyn Error) {
        self.error(&chain(error));
    }
}

/// An error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
