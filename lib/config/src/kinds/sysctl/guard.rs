//! The settings that the node itself stands on: which a config may not touch, and which only so far.
//!
//! init sets the hardening of the Kernel Self Protection Project at boot (`init/src/stage2/sysctl.rs`). What
//! of it workloads are known to need otherwise stays free: `net.core.bpf_jit_harden`, `kernel.io_uring_disabled`,
//! `kernel.sysrq`, `vm.mmap_rnd_bits`, `vm.overcommit_memory`, `kernel.yama.ptrace_scope` down to 1. The rest has
//! a floor, because with less than it every pod is a bit less contained, and nobody looks there for the reason.

use super::SysctlKey;
use crate::kinds::kernel_value::KernelValue;

/// A setting has a value that the node is not safe with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` must be {allowed}, not `{value}`: {reason}")]
pub struct SysctlError {
    key: SysctlKey,
    value: KernelValue,
    allowed: String,
    reason: &'static str,
}

/// Paths, with everything below them, that no config sets, and why.
const REFUSED: [(&str, &str); 15] = [
    (
        "kernel/hostname",
        "the name of the node is in the `Hostname` document",
    ),
    (
        "kernel/domainname",
        "the name of the node is in the `Hostname` document",
    ),
    (
        "kernel/modprobe",
        "the kernel starts this program as root to load drivers",
    ),
    (
        "kernel/poweroff_cmd",
        "the kernel starts this program as root",
    ),
    (
        "kernel/usermodehelper",
        "programs that the kernel starts would lose rights for good",
    ),
    (
        "kernel/modules_disabled",
        "no driver could be loaded until the next start",
    ),
    ("kernel/cad_pid", "init alone ends the machine"),
    ("kernel/ctrl-alt-del", "init alone ends the machine"),
    ("kernel/ns_last_pid", "it is an order, not a setting"),
    (
        "fs/binfmt_misc",
        "it would have the kernel start other programs than those asked for",
    ),
    ("vm/compact_memory", "it is an order, not a setting"),
    ("vm/drop_caches", "it is an order, not a setting"),
    ("vm/stat_refresh", "it is an order, not a setting"),
    ("net/ipv4/route/flush", "it is an order, not a setting"),
    ("net/ipv6/route/flush", "it is an order, not a setting"),
];

/// What a value must be.
enum Rule {
    /// One of these.
    Only(&'static [&'static str]),
    /// A number, this or above.
    AtLeast(i64),
    /// A file name.
    NoProgram,
}

/// Path, what its value must be, and why.
const LIMITED: [(&str, Rule, &str); 26] = [
    (
        "kernel/core_pattern",
        Rule::NoProgram,
        "the kernel would start a program as root",
    ),
    (
        "kernel/panic",
        Rule::AtLeast(1),
        "a node whose kernel panicked must start again by itself",
    ),
    (
        "kernel/panic_on_oops",
        Rule::Only(&["1"]),
        "a kernel that faulted is not trusted further",
    ),
    (
        "kernel/printk_devkmsg",
        Rule::Only(&["on"]),
        "the log of PID 1 would lose lines",
    ),
    (
        "kernel/pid_max",
        Rule::AtLeast(32768),
        "fewer processes than a node of pods has",
    ),
    (
        "kernel/kptr_restrict",
        Rule::AtLeast(1),
        "addresses of the kernel help to attack it",
    ),
    (
        "kernel/dmesg_restrict",
        Rule::Only(&["1"]),
        "the kernel log helps to attack it; `osctl dmesg` shows it",
    ),
    (
        "kernel/perf_event_paranoid",
        Rule::AtLeast(1),
        "anybody could measure the kernel",
    ),
    (
        "kernel/randomize_va_space",
        Rule::Only(&["2"]),
        "known addresses help to attack a program",
    ),
    (
        "kernel/yama/ptrace_scope",
        Rule::AtLeast(1),
        "a process could read any other of its user",
    ),
    (
        "kernel/unprivileged_bpf_disabled",
        Rule::Only(&["1"]),
        "it is set at boot and cannot be taken back",
    ),
    (
        "kernel/kexec_load_disabled",
        Rule::Only(&["1"]),
        "it is set at boot and cannot be taken back",
    ),
    (
        "dev/tty/ldisc_autoload",
        Rule::Only(&["0"]),
        "anybody could load a line discipline",
    ),
    (
        "dev/tty/legacy_tiocsti",
        Rule::Only(&["0"]),
        "a process could type into another's terminal",
    ),
    (
        "fs/protected_symlinks",
        Rule::Only(&["1"]),
        "links of others in /tmp would be followed",
    ),
    (
        "fs/protected_hardlinks",
        Rule::Only(&["1"]),
        "a process could link what it cannot read",
    ),
    (
        "fs/protected_fifos",
        Rule::AtLeast(1),
        "pipes of others in /tmp would be written into",
    ),
    (
        "fs/protected_regular",
        Rule::AtLeast(1),
        "files of others in /tmp would be written into",
    ),
    (
        "fs/suid_dumpable",
        Rule::Only(&["0"]),
        "memory of privileged programs would reach files",
    ),
    (
        "vm/unprivileged_userfaultfd",
        Rule::Only(&["0"]),
        "page faults held open help to attack the kernel",
    ),
    (
        "vm/mmap_min_addr",
        Rule::AtLeast(32768),
        "faults of the kernel at low addresses could be made use of",
    ),
    (
        "net/ipv4/conf/all/accept_source_route",
        Rule::Only(&["0"]),
        "senders would choose the way",
    ),
    (
        "net/ipv4/conf/all/promote_secondaries",
        Rule::Only(&["1"]),
        "with one address a link would lose all others of its network",
    ),
    (
        "net/ipv4/icmp_echo_ignore_broadcasts",
        Rule::Only(&["1"]),
        "the node would help to flood others",
    ),
    (
        "net/ipv4/icmp_ignore_bogus_error_responses",
        Rule::Only(&["1"]),
        "bad packets would fill the log",
    ),
    (
        "net/ipv4/tcp_syncookies",
        Rule::AtLeast(1),
        "a flood of half-open connections would close the API",
    ),
];

/// Why no config sets this path, when none does.
pub(super) fn refused(path: &str) -> Option<&'static str> {
    let covers = |above: &str| {
        path.strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = REFUSED.iter().find(|(above, _)| covers(above));
    found.map(|(_, reason)| *reason)
}

/// Whether the node is safe with this value.
pub(super) fn check_value(key: &SysctlKey, value: &KernelValue) -> Result<(), SysctlError> {
    let path = key.path();
    let Some((_, rule, reason)) = LIMITED.iter().find(|(limited, _, _)| *limited == path) else {
        return Ok(());
    };
    let text = value.as_str().trim();
    let (good, allowed) = match rule {
        Rule::Only(values) => (values.contains(&text), values.join(" or ")),
        Rule::AtLeast(least) => (
            text.parse().is_ok_and(|it: i64| it >= *least),
            format!("{least} or more"),
        ),
        Rule::NoProgram => (!text.starts_with('|'), "a file name".to_owned()),
    };
    if good {
        return Ok(());
    }
    Err(SysctlError {
        key: key.clone(),
        value: value.clone(),
        allowed,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::SysctlConfig;

    fn set(key: &str, value: &str) -> Result<(), String> {
        let key: SysctlKey = key.parse().map_err(|it| format!("{it}"))?;
        let value: KernelValue = value.parse().map_err(|it| format!("{it}"))?;
        SysctlConfig::new(key, value)
            .map(drop)
            .map_err(|it| it.to_string())
    }

    #[test]
    fn what_the_node_stands_on_is_refused_with_its_reason() {
        for (key, value, refusal) in [
            (
                "kernel.modprobe",
                "/var/x",
                "`kernel.modprobe` cannot be set here: the kernel starts this program as root to load drivers",
            ),
            (
                "fs/binfmt_misc/register",
                "x",
                "`fs.binfmt_misc.register` cannot be set here: it would have the kernel start other programs than those asked for",
            ),
            (
                "kernel.core_pattern",
                " |/var/x",
                "`kernel.core_pattern` must be a file name, not ` |/var/x`: the kernel would start a program as root",
            ),
            (
                "kernel.kptr_restrict",
                "0",
                "`kernel.kptr_restrict` must be 1 or more, not `0`: addresses of the kernel help to attack it",
            ),
            (
                "kernel.kptr_restrict",
                "0x2",
                "`kernel.kptr_restrict` must be 1 or more, not `0x2`: addresses of the kernel help to attack it",
            ),
            (
                "kernel.randomize_va_space",
                "true",
                "`kernel.randomize_va_space` must be 2, not `1`: known addresses help to attack a program",
            ),
        ] {
            assert_eq!(set(key, value), Err(refusal.to_owned()));
        }
    }

    #[test]
    fn what_makes_nothing_less_safe_is_taken() {
        for (key, value) in [
            ("kernel.kptr_restrict", "1"),
            ("kernel.yama.ptrace_scope", "3"),
            ("kernel.core_pattern", "/var/cores/%p"),
            ("kernel.panic_on_oops", "true"),
            ("net.core.bpf_jit_harden", "0"),
            ("net.ipv4.ip_forward", "false"),
            ("kernel.modprobe_other", "1"),
        ] {
            assert_eq!(set(key, value), Ok(()), "{key}");
        }
    }

    #[test]
    fn every_rule_can_be_met_and_no_path_has_two() {
        let mut paths: Vec<&str> = LIMITED.iter().map(|it| it.0).collect();
        paths.extend(REFUSED.iter().map(|it| it.0));
        let count = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), count);
        for (path, rule, _) in &LIMITED {
            assert_eq!(refused(path), None, "{path}");
            let value = match rule {
                Rule::Only(values) => (*values.first().expect("a value")).to_owned(),
                Rule::AtLeast(least) => least.to_string(),
                Rule::NoProgram => "core".to_owned(),
            };
            assert_eq!(set(path, &value), Ok(()), "{path}");
        }
    }
}
