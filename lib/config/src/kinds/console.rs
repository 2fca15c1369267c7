//! `Console`: what people in front of the machine see.

use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Serialize};

use crate::document::{Kind, kind};
use crate::types::as_text;

/// As long as the kernel's longest name of a console with its number.
const MAX_BYTES: usize = 15;

/// What people in front of the machine see: on its screen, or on a serial line.
///
/// Without this document the node shows its state on every console that the kernel writes to. A node that waits for a config shows
/// that, and how to reach it, on all of them, whatever is written here.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Console
/// devices:
///   - tty0
///   - ttyS0
/// kernelMessages: error
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Where the node shows its state: of the consoles that the kernel writes to (`console=` on its command line), those with these
    /// names. An empty list is nowhere; left out, it is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<ConsoleName>>,
    /// Messages of the kernel appear on the consoles when they are at least this bad. Left out, it is as the kernel was started; the
    /// `Sysctl` `kernel.printk` is the same setting, so write only one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_messages: Option<KernelLevel>,
}

/// How bad a message of the kernel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum KernelLevel {
    /// The machine is unusable; such messages always appear.
    Emergency,
    /// Something must be done at once.
    Alert,
    /// Hardware or software has failed badly.
    Critical,
    /// An error.
    Error,
    /// Something that may become one.
    Warning,
    /// Normal, but worth a line.
    Notice,
    /// What drivers tell of what they find.
    Info,
    /// Everything.
    Debug,
}

impl KernelLevel {
    /// As the kernel counts (syslog(2)): 0 is the worst.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Emergency => 0,
            Self::Alert => 1,
            Self::Critical => 2,
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Info => 6,
            Self::Debug => 7,
        }
    }
}

/// A console by the name of its device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct ConsoleName(String);

/// Why a text is no name of a console.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsoleNameError {
    /// With the folder.
    #[error("write `{0}` without `/dev/`")]
    Path(String),
    /// No name of a device.
    #[error("`{0}` is not the name of a console, like tty0 or ttyS0")]
    Name(String),
}

impl FromStr for ConsoleName {
    type Err = ConsoleNameError;

    fn from_str(text: &str) -> Result<Self, ConsoleNameError> {
        if let Some(name) = text.strip_prefix("/dev/") {
            return Err(ConsoleNameError::Path(name.to_owned()));
        }
        let fits = (1..=MAX_BYTES).contains(&text.len());
        if !fits || !text.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return Err(ConsoleNameError::Name(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ConsoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(ConsoleName);

impl Kind for ConsoleConfig {
    kind!(Console);
}
