//! The targets, one per file: what each feeds to which parser, and what must hold.

use crate::Target;

mod bytes;
mod certificate;
mod cmdline;
mod config;
mod dhcp;
mod disk;
mod link;
mod modules;
mod netlink;
mod ntp;
mod pairing;
mod patch;
mod request;
mod selector;
mod spec;
mod uevent;
mod wire;

pub(crate) const ALL: &[Target] = &[
    Target {
        name: "certificate",
        run: certificate::run,
        longest: 8 << 10,
        also: &[],
        words: &["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"],
    },
    Target {
        name: "cmdline",
        run: cmdline::run,
        longest: 2 << 10,
        also: &[],
        words: &[
            "garboard.root=",
            "garboard.hostname=",
            "--",
            "\"",
            "console=",
        ],
    },
    Target {
        name: "config",
        run: config::run,
        longest: 32 << 10,
        also: &["lib/config/tests/bad", "lib/config/tests/invalid"],
        words: config::WORDS,
    },
    Target {
        name: "dhcp",
        run: dhcp::run,
        longest: 2 << 10,
        also: &[],
        words: &["c\u{82}Sc", "5\u{1}\u{2}", "5\u{1}\u{5}", "5\u{1}\u{6}"],
    },
    Target {
        name: "disk",
        run: disk::run,
        longest: 2 << 10,
        also: &[],
        words: &[
            "hsqs",
            "grbdlabl",
            "verity\0\0",
            "sha256\0\0",
            "\u{1}CD001\u{1}",
        ],
    },
    Target {
        name: "link",
        run: link::run,
        longest: 2 << 10,
        also: &[],
        words: link::WORDS,
    },
    Target {
        name: "modules",
        run: modules::run,
        longest: 4 << 10,
        also: &[],
        words: &[
            "alias ", "softdep ", "pre:", "post:", ".ko:", ".ko", "[!", "*",
        ],
    },
    Target {
        name: "netlink",
        run: netlink::run,
        longest: 8 << 10,
        also: &[],
        words: &["veth", "bridge", "eth0"],
    },
    Target {
        name: "ntp",
        run: ntp::run,
        longest: 128,
        also: &[],
        words: &["RATE", "DENY", "RSTR", "GPS\0"],
    },
    Target {
        name: "pairing",
        run: pairing::run,
        longest: 256,
        also: &[],
        words: &["-", "\u{2212}", "O", "l"],
    },
    Target {
        name: "patch",
        run: patch::run,
        longest: 16 << 10,
        also: &[],
        words: patch::WORDS,
    },
    Target {
        name: "request",
        run: request::run,
        longest: 2 << 10,
        also: &[],
        words: &["worker-1", "machine", "0707"],
    },
    Target {
        name: "selector",
        run: selector::run,
        longest: 512,
        also: &[],
        words: selector::WORDS,
    },
    Target {
        name: "spec",
        run: spec::run,
        longest: 8 << 10,
        also: &[],
        words: &["10.0.0.1/24", "fe80::1", "default", "operator"],
    },
    Target {
        name: "uevent",
        run: uevent::run,
        longest: 4 << 10,
        also: &[],
        words: &["add@/", "ACTION=", "MODALIAS=", "SUBSYSTEM=", "DEVNAME="],
    },
    Target {
        name: "wire",
        run: wire::run,
        longest: 8 << 10,
        also: &[],
        words: &[
            "running",
            "tearingDown",
            "undefined",
            "network",
            "LinkSpecs.net.garboard",
        ],
    },
];
