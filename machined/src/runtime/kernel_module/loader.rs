//! Loads modules and looks at them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use resources::runtime::{KernelModuleState, KernelModuleStatus};
use sys::modules::{Database, InsertError, Module, Outcome, declared_parameters, is_built_in};

use super::judge::{Presence, Seen, judge};

/// How long a module that was refused is left alone. Each try writes to the kernel's log, and announces a module that
/// comes and goes, by which we are run again.
pub(super) const AGAIN: Duration = Duration::from_secs(300);

/// Names and values of parameters, by name.
pub(super) type Parameters = Vec<(String, String)>;

/// Hands a module to the kernel, with the kernel command line and parameters beyond it.
pub(super) type Insert =
    Box<dyn Fn(&Module, &str, &[(String, String)]) -> Result<Outcome, InsertError> + Send>;

/// The kernel's modules.
pub(super) struct Loader {
    folder: PathBuf,
    shown: PathBuf,
    command_line: String,
    insert: Insert,
    refused: BTreeMap<String, Refused>,
}

/// What was refused, so that it is not tried at every turn.
#[derive(Debug)]
struct Refused {
    asked: Parameters,
    at: Timestamp,
    reason: String,
}

impl Refused {
    /// Whether trying the same again is too early. A clock that was set back is no reason to wait longer.
    fn stands(&self, asked: Option<&Parameters>, now: Timestamp) -> bool {
        let again = SignedDuration::try_from(AGAIN).unwrap_or(SignedDuration::ZERO);
        let past = now.duration_since(self.at);
        asked == Some(&self.asked) && !past.is_negative() && past < again
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("folder", &self.folder)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl Loader {
    /// Loads from the module folder `folder`; `shown` is where the kernel shows what it has.
    pub(super) fn new(folder: PathBuf, shown: PathBuf, command_line: &str, insert: Insert) -> Self {
        Self {
            folder,
            shown,
            command_line: command_line.to_owned(),
            insert,
            refused: BTreeMap::new(),
        }
    }

    /// Loads what is wanted and not there; says what has become of each.
    pub(super) fn look(
        &mut self,
        wanted: &BTreeMap<String, Parameters>,
        now: Timestamp,
    ) -> Vec<(String, KernelModuleStatus)> {
        self.refused
            .retain(|name, refused| refused.stands(wanted.get(name), now));
        let mut statuses = Vec::new();
        for (name, asked) in wanted {
            statuses.push((name.clone(), self.one(name, asked, wanted, now)));
        }
        statuses
    }

    fn one(
        &mut self,
        name: &str,
        asked: &Parameters,
        wanted: &BTreeMap<String, Parameters>,
        now: Timestamp,
    ) -> KernelModuleStatus {
        if let Some(presence) = self.presence(name) {
            return self.judged(name, presence, asked);
        }
        if let Some(refused) = self.refused.get(name) {
            return without(KernelModuleState::Failed, refused.reason.clone());
        }
        let reason = match self.load(name, wanted) {
            Ok(None) => return without(KernelModuleState::Missing, self.missing(name)),
            Ok(Some(refusals)) => match self.presence(name) {
                Some(presence) => return self.judged(name, presence, asked),
                None => format!("{refusals}; `osctl dmesg` may tell more"),
            },
            Err(error) => format!("the index of modules cannot be read: {error}"),
        };
        tracing::warn!(name, reason, "kernel module");
        let refused = Refused {
            asked: asked.clone(),
            at: now,
            reason: reason.clone(),
        };
        self.refused.insert(name.to_owned(), refused);
        without(KernelModuleState::Failed, reason)
    }

    /// Loads a module and what it needs; what was refused of these, and `None` when there is no such module.
    fn load(
        &self,
        name: &str,
        wanted: &BTreeMap<String, Parameters>,
    ) -> io::Result<Option<String>> {
        let modules = Database::read(&self.folder)?.order([name]);
        if modules.is_empty() {
            return Ok(None);
        }
        let mut refusals = Vec::new();
        for module in modules {
            let asked = wanted.get(&module.name).map_or(&[][..], Vec::as_slice);
            match (self.insert)(&module, &self.command_line, asked) {
                Ok(Outcome::Loaded) => {
                    tracing::info!(
                        name = module.name,
                        for_module = name,
                        "kernel module loaded"
                    );
                }
                Ok(Outcome::Present) => {}
                // What it needs only softly may be refused; whether it can do without is seen in the end.
                Err(error) => refusals.push(cosi::report(&error)),
            }
        }
        Ok(Some(refusals.join("; ")))
    }

    fn missing(&self, name: &str) -> String {
        let database = Database::read(&self.folder).unwrap_or_default();
        // In order, so that of two that are as near always the same one is offered.
        let known: BTreeSet<&str> = database.modules().collect();
        match ::config::nearest(name, known) {
            Some(meant) => format!("this image has no module `{name}`; did you mean `{meant}`?"),
            None => format!("this image has no module `{name}`"),
        }
    }

    /// Where the kernel has it. What is built in may show nothing, and has no state of being loaded.
    fn presence(&self, name: &str) -> Option<Presence> {
        let shown = self.shown.join(name);
        if shown.join("initstate").exists() {
            Some(Presence::Loaded)
        } else if shown.exists() || is_built_in(&self.folder, name).unwrap_or(false) {
            Some(Presence::BuiltIn)
        } else {
            None
        }
    }

    fn judged(&self, name: &str, presence: Presence, asked: &Parameters) -> KernelModuleStatus {
        let mut shown = BTreeMap::new();
        for (parameter, _) in asked {
            let file = self.shown.join(name).join("parameters").join(parameter);
            if let Ok(value) = fs::read_to_string(file) {
                shown.insert(parameter.clone(), value.trim_end().to_owned());
            }
        }
        let hidden = presence == Presence::Loaded && shown.len() < asked.len();
        let declared = if hidden {
            // A file that cannot be read accuses nobody.
            let names = asked.iter().map(|(parameter, _)| parameter.clone());
            self.declared(name).unwrap_or_else(|_| names.collect())
        } else {
            BTreeSet::new()
        };
        let (state, reason) = judge(Seen {
            name,
            presence,
            asked,
            shown: &shown,
            declared: &declared,
        });
        let parameters = shown.iter().map(|(name, value)| format!("{name}={value}"));
        KernelModuleStatus {
            state,
            parameters: parameters.collect(),
            reason,
        }
    }

    fn declared(&self, name: &str) -> io::Result<BTreeSet<String>> {
        let modules = Database::read(&self.folder)?.order([name]);
        let module = modules.iter().find(|it| it.name == name);
        let module = module.ok_or(io::ErrorKind::NotFound)?;
        declared_parameters(&module.path)
    }
}

fn without(state: KernelModuleState, reason: String) -> KernelModuleStatus {
    KernelModuleStatus {
        state,
        parameters: Vec::new(),
        reason,
    }
}
