//! The coverage-guided engine: libFuzzer around one target, which the environment names.
//!
//! Built only by the runner, which adds the counters. libFuzzer owns `main` and the command line.

#![no_main]

use std::sync::LazyLock;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var(fuzz::TARGET_ENV).expect("the runner names the target");
    fuzz::target(&name)
        .expect("the runner knows the targets")
        .run
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| RUN(data));
