//! Kernel settings of a node: the hardening that the Kernel Self Protection Project recommends, and what a Kubernetes
//! node needs.
//!
//! Owns: the table, one reason per line. Exceptions, things the project recommends and this table leaves out:
//! - `user.max_user_namespaces=0`: pods may use user namespaces, which isolate better than what their absence prevents.
//! - `net.ipv4.ip_forward=0` and its kin: a node routes for its pods.
//! - `kernel.modules_disabled=1`: drivers are loaded when they are needed; module signatures guard that door.
//! - `kernel.yama.ptrace_scope=3`: 2 keeps root's tracing, which debugging a pod needs.

use std::fs;
use std::path::Path;

use crate::log::Log;

/// Path below `/proc/sys`, value, reason.
const TABLE: [(&str, &str, &str); 45] = [
    // What the node itself needs.
    ("kernel/modprobe", "/usr/sbin/modprobe", "modules on demand"),
    (
        "kernel/printk_devkmsg",
        "on",
        "no line of a daemon is dropped",
    ),
    (
        "kernel/panic",
        "10",
        "a panic restarts, and can be read before",
    ),
    (
        "kernel/panic_on_oops",
        "1",
        "a kernel that faulted is not trusted further",
    ),
    (
        "kernel/pid_max",
        "4194304",
        "process numbers are not reused at once",
    ),
    (
        "kernel/core_pattern",
        "|/bin/false",
        "no memory of a process on disk",
    ),
    (
        "vm/overcommit_memory",
        "1",
        "runtimes reserve far more than they use",
    ),
    (
        "vm/panic_on_oom",
        "0",
        "the kernel kills one process and goes on",
    ),
    (
        "vm/max_map_count",
        "524288",
        "databases in pods map many files",
    ),
    (
        "fs/inotify/max_user_instances",
        "8192",
        "each pod's log is watched",
    ),
    (
        "fs/inotify/max_user_watches",
        "524288",
        "each pod's config is watched",
    ),
    ("fs/aio-max-nr", "1048576", "databases in pods"),
    // Kernel self protection.
    (
        "dev/tty/ldisc_autoload",
        "0",
        "no line discipline module by an unprivileged ioctl",
    ),
    (
        "dev/tty/legacy_tiocsti",
        "0",
        "no typing into another's terminal",
    ),
    (
        "fs/protected_symlinks",
        "1",
        "no following others' links in /tmp",
    ),
    (
        "fs/protected_hardlinks",
        "1",
        "no links to what one cannot read",
    ),
    (
        "fs/protected_fifos",
        "2",
        "no writing into others' pipes in /tmp",
    ),
    (
        "fs/protected_regular",
        "2",
        "no writing into others' files in /tmp",
    ),
    ("fs/suid_dumpable", "0", "no memory of privileged programs"),
    (
        "kernel/kptr_restrict",
        "2",
        "no kernel addresses, not even for root",
    ),
    ("kernel/dmesg_restrict", "1", "the kernel log is for root"),
    (
        "kernel/perf_event_paranoid",
        "3",
        "no perf without privilege",
    ),
    (
        "kernel/randomize_va_space",
        "2",
        "full address randomisation",
    ),
    ("kernel/yama/ptrace_scope", "2", "only root traces"),
    (
        "kernel/unprivileged_bpf_disabled",
        "1",
        "no bpf without privilege",
    ),
    (
        "kernel/kexec_load_disabled",
        "1",
        "no other kernel from this one",
    ),
    ("kernel/sysrq", "0", "no key combination rules the machine"),
    (
        "kernel/io_uring_disabled",
        "1",
        "io_uring only with privilege",
    ),
    ("net/core/bpf_jit_harden", "2", "compiled bpf is blinded"),
    (
        "vm/unprivileged_userfaultfd",
        "0",
        "no page faults held open without privilege",
    ),
    ("vm/mmap_rnd_bits", "32", "as much randomness as there is"),
    (
        "vm/mmap_rnd_compat_bits",
        "16",
        "as much randomness as there is",
    ),
    // The network of a Kubernetes node.
    ("net/ipv4/ip_forward", "1", "the node routes for its pods"),
    (
        "net/ipv6/conf/default/accept_ra",
        "2",
        "a router still learns its own routes",
    ),
    (
        "net/ipv6/conf/all/forwarding",
        "1",
        "the node routes for its pods",
    ),
    (
        "net/ipv6/conf/default/forwarding",
        "1",
        "the node routes for its pods",
    ),
    (
        "net/ipv4/conf/all/send_redirects",
        "0",
        "a router of pods knows no better way",
    ),
    (
        "net/ipv4/conf/default/send_redirects",
        "0",
        "a router of pods knows no better way",
    ),
    (
        "net/ipv4/conf/all/accept_redirects",
        "0",
        "nobody else changes the routes",
    ),
    (
        "net/ipv6/conf/default/accept_redirects",
        "0",
        "nobody else changes the routes",
    ),
    (
        "net/ipv4/conf/all/accept_source_route",
        "0",
        "senders do not choose the way",
    ),
    (
        "net/ipv4/icmp_ignore_bogus_error_responses",
        "1",
        "no log lines by bad packets",
    ),
    (
        "net/ipv4/icmp_echo_ignore_broadcasts",
        "1",
        "no answers to broadcast pings",
    ),
    (
        "net/ipv4/tcp_keepalive_time",
        "600",
        "dead peers are found in minutes",
    ),
    (
        "net/ipv4/tcp_keepalive_intvl",
        "60",
        "dead peers are found in minutes",
    ),
];

/// Writes the whole table. What this kernel does not have is named in one line.
pub(super) fn apply(log: &Log) {
    let mut absent = Vec::new();
    for (key, value, reason) in TABLE {
        let path = Path::new("/proc/sys").join(key);
        // A setting that the command line fixed cannot be written, not even with its own value.
        if fs::read_to_string(&path).is_ok_and(|now| now.trim_end() == value) {
            continue;
        }
        match fs::write(&path, value) {
            Ok(()) => {}
            Err(_) if !path.exists() => absent.push(key),
            Err(error) => log.warn(&format!("set {key}={value} ({reason}): {error}")),
        }
    }
    if !absent.is_empty() {
        log.info(&format!("this kernel has no setting {}", absent.join(" ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_stands_once_and_has_a_reason() {
        let mut keys: Vec<_> = TABLE.iter().map(|(key, _, _)| key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), TABLE.len());
        assert!(TABLE.iter().all(|(key, value, reason)| {
            !key.contains('.') && !key.starts_with('/') && !value.is_empty() && !reason.is_empty()
        }));
    }
}
