//! `KernelModule`: a module the kernel is to have.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use derive::Schema;
use serde::{Deserialize, Serialize};

use super::kernel_value::KernelValue;
use crate::document::{Kind, kind};

/// The kernel's MODULE_NAME_LEN on machines of 64 bits, without the closing zero.
const MAX_BYTES: usize = 55;

/// A module that the kernel is to have, though no device asks for it, and its parameters.
///
/// Drivers of devices, and what the kernel asks for by itself, load without a document. A module that is
/// there already, loaded without these parameters, stays as it is and its status says so: a module takes
/// parameters only when it is loaded, so what loads at boot takes them from the kernel command line
/// (`loop.max_loop=8`). When the document goes the module stays until the next start, because whatever
/// uses it by then would lose it.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: KernelModule
/// name: nf_conntrack
/// parameters:
///   acct: 1
///   hashsize: 65536
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KernelModuleConfig {
    /// The module's own name; an alias is none.
    pub name: ModuleName,
    /// What it is loaded with: text without quotes, numbers, or `true` and `false` for 1 and 0.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<ParameterName, KernelValue>,
}

impl Kind for KernelModuleConfig {
    kind!(KernelModule, name);
}

/// The name of a module as the kernel spells it, with `_`; read with `-` too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct ModuleName(String);

/// The name of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Schema)]
#[schema(text)]
pub struct ParameterName(String);

/// Why a text is no name of a module or a parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleNameError {
    /// Nothing there.
    #[error("a {0} must not be empty")]
    Empty(&'static str),
    /// Longer than the kernel takes.
    #[error("a {0} has at most {MAX_BYTES} bytes, this one has {1}")]
    Long(&'static str, usize),
    /// A file, not a name.
    #[error("a module name is without path and ending: `{0}`")]
    File(String),
    /// A character the kernel does not take.
    #[error("a {0} has only {1}, not {2:?}")]
    Character(&'static str, &'static str, char),
}

impl ModuleName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ParameterName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModuleName {
    type Err = ModuleNameError;

    fn from_str(text: &str) -> Result<Self, ModuleNameError> {
        const WHAT: &str = "module name";
        if let Some((name, _)) = text.rsplit('/').next().and_then(|it| it.split_once(".ko")) {
            return Err(ModuleNameError::File(name.to_owned()));
        }
        let refused = |it: &char| !it.is_ascii_alphanumeric() && !matches!(it, '_' | '-');
        match text.chars().find(refused) {
            Some(character) => Err(ModuleNameError::Character(
                WHAT,
                "letters, digits, `_` and `-`",
                character,
            )),
            None => length(WHAT, text).map(|()| Self(text.replace('-', "_"))),
        }
    }
}

impl FromStr for ParameterName {
    type Err = ModuleNameError;

    fn from_str(text: &str) -> Result<Self, ModuleNameError> {
        const WHAT: &str = "parameter name";
        let refused = |it: &char| !it.is_ascii_alphanumeric() && *it != '_';
        match text.chars().find(refused) {
            Some(character) => Err(ModuleNameError::Character(
                WHAT,
                "letters, digits and `_`",
                character,
            )),
            None => length(WHAT, text).map(|()| Self(text.to_owned())),
        }
    }
}

fn length(what: &'static str, text: &str) -> Result<(), ModuleNameError> {
    match text.len() {
        0 => Err(ModuleNameError::Empty(what)),
        1..=MAX_BYTES => Ok(()),
        length => Err(ModuleNameError::Long(what, length)),
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ParameterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::types::as_text!(ModuleName);
crate::types::as_text!(ParameterName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, name) in [("dm-verity", "dm_verity"), ("8021q", "8021q")] {
            assert_eq!(
                text.parse(),
                Ok(ModuleName(name.to_owned())),
                "one spelling of {text}"
            );
        }
        let only = "letters, digits, `_` and `-`";
        for (text, error) in [
            ("", ModuleNameError::Empty("module name")),
            ("loop.ko", ModuleNameError::File("loop".to_owned())),
            (
                "kernel/fs/xfs/xfs.ko.xz",
                ModuleNameError::File("xfs".to_owned()),
            ),
            ("../x", ModuleNameError::Character("module name", only, '.')),
            (
                "fs/xfs",
                ModuleNameError::Character("module name", only, '/'),
            ),
        ] {
            assert_eq!(text.parse::<ModuleName>(), Err(error), "{text}");
        }
        assert_eq!(
            "a".repeat(56).parse::<ModuleName>(),
            Err(ModuleNameError::Long("module name", 56))
        );
        let only = "letters, digits and `_`";
        for (text, character) in [("max-loop", '-'), ("a=1 b", '='), ("a b", ' ')] {
            assert_eq!(
                text.parse::<ParameterName>(),
                Err(ModuleNameError::Character(
                    "parameter name",
                    only,
                    character
                ))
            );
        }
    }
}
