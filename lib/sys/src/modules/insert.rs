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
    insert_with(module, command_line, &[])
}

/// The same with more parameters, names and values without quotes; the kernel takes the last of those of one name.
pub fn insert_with(
    module: &Module,
    command_line: &str,
    more: &[(String, String)],
) -> Result<Outcome, InsertError> {
    if is_loaded(&module.name) {
        return Ok(Outcome::Present);
    }
    let file =
        File::open(&module.path).map_err(|error| InsertError::Open(module.name.clone(), error))?;
    match finit_module(
        &file,
        &parameters(&module.name, command_line, more),
        ModuleInitFlags::empty(),
    ) {
        Ok(()) => Ok(Outcome::Loaded),
        Err(Errno::EEXIST) => Ok(Outcome::Present),
        Err(errno) => Err(InsertError::Load(module.name.clone(), errno)),
    }
}

/// `name.parameter=value` of the command line, then what else there is, as the kernel wants them from a loader.
fn parameters(name: &str, command_line: &str, more: &[(String, String)]) -> CString {
    let arguments = cmdline::arguments(command_line).filter_map(|argument| {
        let (module, parameter) = argument.name.split_once('.')?;
        (canonical_name(module) == name).then(|| word(parameter, argument.value))
    });
    let more = more.iter().map(|(name, value)| word(name, Some(value)));
    let words: Vec<String> = arguments.chain(more).collect();
    CString::new(words.join(" ")).unwrap_or_default()
}

fn word(name: &str, value: Option<&str>) -> String {
    match value {
        None => name.to_owned(),
        Some(value) if value.contains(char::is_whitespace) => format!("{name}=\"{value}\""),
        Some(value) => format!("{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_modules_own_parameters() {
        let line = "quiet loop.max_loop=8 dm-mod.x loop.y=\"a b\" garboard.root=1";
        let parameters = |name| parameters(name, line, &[]);
        assert_eq!(parameters("loop"), c"max_loop=8 y=\"a b\"".to_owned());
        assert_eq!(parameters("dm_mod"), c"x".to_owned());
        assert_eq!(parameters("other"), c"".to_owned());
    }

    #[test]
    fn what_is_asked_for_comes_last() {
        let asked = [("max_loop", "16"), ("z", "c d"), ("e", "")];
        let asked = asked.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            parameters("loop", "loop.max_loop=8", &asked),
            c"max_loop=8 max_loop=16 z=\"c d\" e=".to_owned()
        );
    }
}
