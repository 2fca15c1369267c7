//! The active generation as a resource: how everybody on the node learns the config.
//!
//! Reading a config takes far longer than anything that is done with what it says, and dozens of controllers and callers ask what
//! the active one says, some of them every few seconds. So what was read last is kept, beside the text that it is of.

use std::sync::{Arc, Mutex, PoisonError};

use config::{Documents, Problems};
use cosi::{Reads, View};
use resources::config::{ACTIVE, MachineConfig};
use store::{Snapshot, Spec as _};

/// The resource holds a text that is no config.
#[derive(Debug, thiserror::Error)]
#[error("read config generation {generation}")]
pub struct ActiveError {
    generation: u64,
    #[source]
    source: Problems,
}

/// The active generation.
#[derive(Clone, Debug)]
pub struct Active {
    /// The resource.
    pub config: Arc<MachineConfig>,
    /// What it says.
    pub documents: Arc<Documents>,
}

/// What was read last, whoever asked for it: it follows from the text alone.
static LAST: Mutex<Option<Active>> = Mutex::new(None);

impl Active {
    /// Of the resource.
    ///
    /// # Errors
    /// Its text cannot be read: nothing checked it before it became the active one.
    pub(crate) fn read(config: Arc<MachineConfig>) -> Result<Self, ActiveError> {
        // Replaced as a whole, so it is whole whoever panicked.
        let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last().as_ref().filter(|it| is_same(&it.config, &config)) {
            let documents = Arc::clone(&last.documents);
            return Ok(Self { config, documents });
        }
        let generation = config.generation;
        let source = format!("generation {generation}");
        let documents = config::parse(&source, config.text.as_bytes());
        let documents = documents.map_err(|source| ActiveError { generation, source })?;
        let documents = Arc::new(documents);
        let read = Self { config, documents };
        *last() = Some(read.clone());
        Ok(read)
    }
}

/// Whether two resources say the same. Most often they are one.
fn is_same(one: &Arc<MachineConfig>, other: &Arc<MachineConfig>) -> bool {
    Arc::ptr_eq(one, other) || one.text == other.text
}

/// The active generation of a node; `None` of one that has none.
///
/// # Errors
/// Its text cannot be read.
pub fn active(snapshot: &Snapshot) -> Result<Option<Active>, ActiveError> {
    let found = snapshot.get_as::<MachineConfig>(MachineConfig::DEFINITION.namespace, ACTIVE);
    found.map(|it| Active::read(it.spec)).transpose()
}

/// What the active generation says, for controllers; a node without one has a config that says nothing.
///
/// # Errors
/// As [`active`].
pub fn documents<C: Reads<MachineConfig>>(view: &View<C>) -> Result<Arc<Documents>, ActiveError> {
    match view.get::<MachineConfig>(ACTIVE) {
        Some(config) => Active::read(config.spec).map(|it| it.documents),
        None => Ok(Arc::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(generation: u64, name: &str) -> Arc<MachineConfig> {
        let text = format!("apiVersion: garboard/v1alpha1\nkind: Hostname\nhostname: {name}\n");
        Arc::new(MachineConfig {
            generation,
            text,
            ..MachineConfig::default()
        })
    }

    #[test]
    fn what_was_read_is_read_once_and_never_for_another_text() {
        let name = |of: &Active| of.documents.hostname().unwrap().hostname.to_string();
        // Tests beside this one ask for other texts at any moment.
        let kept = (0..1000).any(|_| {
            let one = Active::read(config(1, "one")).unwrap();
            let again = Active::read(config(2, "one")).unwrap();
            assert_eq!((name(&one), name(&again)), ("one".into(), "one".into()));
            assert_eq!(again.config.generation, 2);
            assert_eq!(name(&Active::read(config(1, "two")).unwrap()), "two");
            Arc::ptr_eq(&one.documents, &again.documents)
        });
        assert!(kept);
        let broken = MachineConfig {
            generation: 7,
            text: "kind: [".to_owned(),
            ..MachineConfig::default()
        };
        let error = Active::read(Arc::new(broken)).unwrap_err();
        assert!(error.to_string().contains("generation 7"), "{error}");
    }
}
