//! `Sysctl`: a setting of the kernel below `/proc/sys`.

mod guard;
mod key;

use derive::Schema;
use serde::{Deserialize, Serialize};

pub use guard::SysctlError;
pub use key::{SysctlKey, SysctlKeyError};

use super::kernel_value::KernelValue;
use crate::document::{Kind, kind};

/// One setting of the kernel below `/proc/sys`, kept at a value.
///
/// One document is one setting, named by its key: two documents cannot disagree about it, and a patch
/// changes or deletes one without repeating the others. A key is written as sysctl(8) has it; when its
/// first separator is a `/`, dots belong to names: `net/ipv4/conf/eth0.100/forwarding`.
///
/// The value is a line of text, a number, or `true` and `false` for 1 and 0. It is set as soon as the key
/// is there, which may be after a link or a module has come. It is looked at once a minute: a change by
/// anybody else is told, counted and put back. When the document goes, the value from before it returns.
/// Keys that the node itself stands on are refused, or have a range, each with its reason.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: Sysctl
/// name: net.core.somaxconn
/// value: 32768
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(try_from = "SysctlFields")]
pub struct SysctlConfig {
    name: SysctlKey,
    value: KernelValue,
}

/// A setting as it is written, before its value is held against the key.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct SysctlFields {
    /// The setting: its path below `/proc/sys`, parted by dots or by slashes.
    name: SysctlKey,
    /// What it is to be.
    value: KernelValue,
}

impl SysctlConfig {
    /// A setting and its value.
    ///
    /// # Errors
    /// When the node would not be safe with the value.
    pub fn new(key: SysctlKey, value: KernelValue) -> Result<Self, SysctlError> {
        guard::check_value(&key, &value)?;
        Ok(Self { name: key, value })
    }

    /// The setting.
    #[must_use]
    pub fn key(&self) -> &SysctlKey {
        &self.name
    }

    /// What it is to be.
    #[must_use]
    pub fn value(&self) -> &KernelValue {
        &self.value
    }
}

impl TryFrom<SysctlFields> for SysctlConfig {
    type Error = SysctlError;

    fn try_from(fields: SysctlFields) -> Result<Self, SysctlError> {
        Self::new(fields.name, fields.value)
    }
}

impl Kind for SysctlConfig {
    kind!(Sysctl, name);
}
