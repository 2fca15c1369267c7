//! `modprobe`, as the kernel calls it when something needs a module: `modprobe -q -- ALIAS`.
//!
//! Owns: that call. Never removes, lists or configures. It runs as its own process, started by the kernel.

use std::fs;
use std::process::ExitCode;

use sys::modules::{self, Database, Outcome, insert};

use crate::log::{Log, chain};

/// Loads what the arguments name. Fails when one of them names nothing or could not be loaded.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let log = Log::open();
    let Some(database) = modules::folder().and_then(|folder| Database::read(&folder).ok()) else {
        return ExitCode::FAILURE;
    };
    let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let mut good = true;
    for request in requests(arguments) {
        // The kernel asks for many things that nobody has; only what is there and fails is worth a word.
        let wanted = database.resolve(&request);
        good &= !wanted.is_empty();
        for module in wanted {
            match insert(&module, &command_line) {
                Ok(Outcome::Loaded) => log.info(&format!("loaded {} for {request}", module.name)),
                Ok(Outcome::Present) => {}
                // A family of sockets or ciphers has drivers for hardware that is not here.
                Err(error) if error.is_no_device() => good = false,
                Err(error) => {
                    good = false;
                    log.warn(&format!("for {request}: {}", chain(&error)));
                }
            }
        }
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The arguments that are no options.
fn requests(arguments: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut options = true;
    arguments.filter(move |argument| {
        let option = options && argument.starts_with('-');
        options &= argument != "--";
        !option
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_options_from_requests() {
        let call = |line: &str| requests(line.split(' ').map(str::to_owned)).collect::<Vec<_>>();
        assert_eq!(call("-q -- net-pf-40"), ["net-pf-40"]);
        assert_eq!(call("-q a -- -b"), ["a", "-b"]);
    }
}
