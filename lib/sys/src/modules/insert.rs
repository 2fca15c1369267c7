//! Handing a module to the kernel.
//!
//! Owns: `finit_module`, and the parameters that the kernel command line has for a module. A module that is there
//! already is a success: several devices ask for the same one.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

use super::{Module, canonical_name};
use crate::cmdline;

/// What a load did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The module is new.
    Loaded,
    /// It was there already.
    Present,
}

/// Why a module was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// Its file cannot be opened.
    #[error("open module {0}")]
    Open(String, #[source] io::Error),
    /// The kernel refused it.
    #[error("load module {0}")]
    Load(String, #[source] Errno),
}

impl InsertError {
    /// Whether the driver looked and found nothing to drive: aliases of processors match many that lack the feature.
    pub fn is_no_device(&self) -> bool {
        matches!(self, Self::Load(_, Errno::ENODEV))
    }
}

/// Whether the kernel has a module of this name, loaded or built in with parameters.
pub fn is_loaded(name: &str) -> bool {
    Path::new("/sys/module").join(canonical_name(name)).exists()
}

/// Loads one module, uncompressed, with the parameters that `command_line` has for it.
pub fn insert(module: &Module, command_line: &str) -> Result<Outcome, InsertError> {
    if is_loaded(&module.name) {
        return Ok(Outcome::Present);
    }
    let file =
        File::open(&module.path).map_err(|error| InsertError::Open(module.name.clone(), error))?;
    match finit_module(
        &file,
        &parameters(&module.name, command_line),
        ModuleInitFlags::empty(),
    ) {
        Ok(()) => Ok(Outcome::Loaded),
        Err(Errno::EEXIST) => Ok(Outcome::Present),
        Err(errno) => Err(InsertError::Load(module.name.clone(), errno)),
    }
}

/// `name.parameter=value` of the command line, as the kernel wants them from a loader.
fn parameters(name: &str, command_line: &str) -> CString {
    let mut text = String::new();
    for argument in cmdline::arguments(command_line) {
        let Some((module, parameter)) = argument.name.split_once('.') else {
            continue;
        };
        if canonical_name(module) != name {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(parameter);
        if let Some(value) = argument.value {
            let quote = if value.contains(char::is_whitespace) {
                "\""
            } else {
                ""
            };
            text.push_str(&format!("={quote}{value}{quote}"));
        }
    }
    CString::new(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_modules_own_parameters() {
        let line = "quiet loop.max_loop=8 dm-mod.x loop.y=\"a b\" garboard.root=1";
        assert_eq!(parameters("loop", line), c"max_loop=8 y=\"a b\"".to_owned());
        assert_eq!(parameters("dm_mod", line), c"x".to_owned());
        assert_eq!(parameters("other", line), c"".to_owned());
    }
}
