//! Whether the processor helps to run machines.
//!
//! The decision is pure: processor flags and the outcome of opening `/dev/kvm` go in, a mode and the sentence that says
//! why come out. The flags are asked besides the device because a host that is itself a machine can offer a `/dev/kvm`
//! that opens and then hangs.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much slower a boot is when instructions are translated: 4 to 10 times was seen; a loaded host needs more.
const TCG_SCALE: u32 = 8;

/// How machines run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// On the processor.
    Kvm,
    /// Translated, instruction by instruction.
    Tcg,
}

impl Accel {
    /// A time measured on the processor, made fit for this mode.
    pub fn scale(self, time: Duration) -> Duration {
        match self {
            Self::Kvm => time,
            Self::Tcg => time * TCG_SCALE,
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// A mode and why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The mode.
    pub accel: Accel,
    /// The reason, a sentence for people.
    pub why: String,
}

/// Looks at this host.
pub fn detect() -> Decision {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    decide(&cpuinfo, || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm")
            .map(drop)
    })
}

/// Decides from the text of `/proc/cpuinfo` and, only if the flags allow it, the outcome of opening `/dev/kvm`.
pub fn decide(cpuinfo: &str, open_kvm: impl FnOnce() -> io::Result<()>) -> Decision {
    let flag = cpuinfo
        .lines()
        .filter_map(|line| line.strip_prefix("flags"))
        .flat_map(str::split_whitespace)
        .find(|flag| matches!(*flag, "vmx" | "svm"));
    let Some(flag) = flag else {
        return tcg("this processor offers no virtualisation (no vmx or svm flag)".to_owned());
    };
    match open_kvm() {
        Ok(()) => Decision {
            accel: Accel::Kvm,
            why: format!("the processor offers {flag} and /dev/kvm opens"),
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => tcg(
            "/dev/kvm may not be opened by this user; being in the group that owns it (mostly kvm) makes machines several times faster"
                .to_owned(),
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tcg("/dev/kvm does not exist; load the module kvm_intel or kvm_amd".to_owned())
        }
        Err(error) => tcg(format!("/dev/kvm does not open: {error}")),
    }
}

fn tcg(why: String) -> Decision {
    Decision {
        accel: Accel::Tcg,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTEL: &str = "processor\t: 0\nflags\t\t: fpu vmx sse\n";

    #[test]
    fn flag_and_device_are_both_needed() {
        assert_eq!(decide(INTEL, || Ok(())).accel, Accel::Kvm);
        let denied = decide(INTEL, || Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(denied.accel, Accel::Tcg);
        assert!(denied.why.contains("group"), "{}", denied.why);
        let absent = decide(INTEL, || Err(io::ErrorKind::NotFound.into()));
        assert!(absent.why.contains("module"), "{}", absent.why);
    }

    #[test]
    fn without_the_flag_the_device_is_not_touched() {
        let decision = decide("flags\t\t: fpu sse svmlike\n", || {
            panic!("opening /dev/kvm can hang on such a host")
        });
        assert_eq!(decision.accel, Accel::Tcg);
    }
}
