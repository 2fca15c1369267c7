//! Fuzz targets: every parser of bytes from outside, with what must hold whatever the bytes are.
//!
//! A target is a plain function over bytes that panics when a promise is broken. More than "no panic" is promised:
//! what parses is written and parses again to the same, errors stay short, machines move on. Three things run
//! targets: `tests/replay.rs` on every stored input, the engine (libFuzzer, looking for new inputs by the code they
//! reach), and a person with one input at hand. Targets read no clock, no file and no randomness, so an input that
//! fails once always fails.

mod targets;

/// One parser under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder under `corpus/`.
    pub name: &'static str,
    /// What is done with an input.
    pub run: fn(&[u8]),
    /// The longest input that is tried, in bytes: a few times what the parser sees in life.
    pub longest: usize,
    /// Folders with more inputs, from the root of the repository.
    pub also: &'static [&'static str],
    /// Words that the bytes are made of, for the engine to play with.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = targets::ALL;

/// The environment variable that tells the engine its target.
pub const TARGET_ENV: &str = "GARBOARD_FUZZ_TARGET";

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
