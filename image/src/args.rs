//! The kernel command line: every argument an image boots with, each with its reason.
//!
//! The hardening group follows the Kernel Self Protection Project. What that project recommends and
//! this image leaves out stands in [`LEFT_OUT`], so that nobody has to guess whether it was forgotten.

use anyhow::{Result, ensure};

/// How many bytes a user may add. The kernel takes 2047 on x86 and drops the rest without a word; ours
/// stay below 1000, and a boot loader adds what it loaded, ISOLINUX 47.
const EXTRA: usize = 1000;

/// An argument and why it is there.
pub type Reason = (&'static str, &'static str);

/// Arguments that make an attack on the kernel harder.
pub const HARDENING: &[Reason] = &[
    (
        "slab_nomerge",
        "one cache's overflow cannot reach objects of another kind",
    ),
    (
        "init_on_alloc=1",
        "memory handed out never shows what its last owner left",
    ),
    (
        "page_alloc.shuffle=1",
        "the order of free pages is harder to predict",
    ),
    (
        "randomize_kstack_offset=on",
        "stack offsets differ with every system call",
    ),
    (
        "pti=on",
        "kernel pages are unmapped in user space, whatever the processor claims",
    ),
    (
        "vsyscall=none",
        "no page at a fixed address; nothing since glibc 2.14 needs it",
    ),
    (
        "module.sig_enforce=1",
        "only modules signed by the distribution load",
    ),
    (
        "proc_mem.force_override=never",
        "/proc/PID/mem cannot write to read-only pages",
    ),
];

/// Arguments that decide how the node behaves.
pub const BEHAVIOUR: &[Reason] = &[
    ("console=tty0", "messages on the screen, where there is one"),
    (
        "console=ttyS0",
        "and on the first serial port, which becomes /dev/console",
    ),
    (
        "consoleblank=0",
        "the screen shows the node's state and must not go dark",
    ),
    (
        "panic=10",
        "a panic restarts the node after ten seconds, which leaves time to read it",
    ),
    (
        "oops=panic",
        "after an oops nothing the kernel says is to be trusted; restart",
    ),
    ("printk.devkmsg=on", "the log of PID 1 is not rate limited"),
];

/// What the project recommends and the image does without.
pub const LEFT_OUT: &[Reason] = &[
    (
        "init_on_free=1",
        "clears all memory at boot and costs several percent; init_on_alloc covers the leak",
    ),
    (
        "mitigations=auto,nosmt",
        "halves the processors of most nodes; auto alone is the kernel's default",
    ),
    ("ia32_emulation=0", "workloads may hold 32-bit programs"),
    (
        "iommu.strict=1",
        "costs much throughput on fast network cards; untried on hardware so far",
    ),
    (
        "lockdown=confidentiality",
        "breaks tracing tools; integrity comes by itself with secure boot",
    ),
];

/// Checks what a user adds.
///
/// # Errors
/// When it is more than the kernel takes, or would end a line in a boot loader's settings.
pub fn extra(text: &str) -> Result<String> {
    let text = text.trim();
    ensure!(
        text.len() <= EXTRA,
        "{} bytes are more than the {EXTRA} that fit beside the image's own arguments",
        text.len()
    );
    ensure!(
        !text.chars().any(char::is_control),
        "kernel arguments are one line without control characters"
    );
    Ok(text.to_owned())
}

/// The whole command line for the image whose root hash is `root`.
#[must_use]
pub fn line(root: &str, extra: Option<&str>) -> String {
    let mut words: Vec<String> = BEHAVIOUR
        .iter()
        .chain(HARDENING)
        .map(|(arg, _)| (*arg).to_owned())
        .collect();
    words.push(format!("garboard.root={root}"));
    words.extend(
        extra
            .map(str::trim)
            .filter(|e| !e.is_empty())
            .map(str::to_owned),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_holds_everything_and_the_users_words_last() {
        let line = line("abc", Some(" console=ttyS1 "));
        for (arg, reason) in HARDENING.iter().chain(BEHAVIOUR) {
            assert!(line.split(' ').any(|w| w == *arg), "{arg}");
            assert!(!reason.is_empty());
        }
        assert!(line.ends_with(" garboard.root=abc console=ttyS1"), "{line}");
        let ours = super::line(&"a".repeat(64), None);
        assert!(ours.len() < 2047 - EXTRA - 47, "{}", ours.len());
    }

    #[test]
    fn words_that_would_be_lost_are_refused() {
        assert_eq!(extra(" a=b c\n").unwrap(), "a=b c");
        assert!(extra("a\nTIMEOUT 1").is_err());
        assert!(extra(&"a".repeat(EXTRA)).is_ok());
        let error = extra(&"a".repeat(EXTRA + 1)).unwrap_err().to_string();
        assert!(error.contains("1001 bytes"), "{error}");
    }

    #[test]
    fn nothing_is_both_used_and_left_out() {
        for (arg, _) in LEFT_OUT {
            assert!(HARDENING.iter().all(|(used, _)| used != arg), "{arg}");
        }
    }
}
