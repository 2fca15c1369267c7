//! The active generation as a resource: how controllers learn the config.

use config::{Documents, Problems};
use cosi::{Reads, View};
use resources::config::{ACTIVE, MachineConfig};

/// The resource holds a text that is no config.
#[derive(Debug, thiserror::Error)]
#[error("read config generation {generation}")]
pub struct ActiveError {
    generation: u64,
    #[source]
    source: Problems,
}

/// What the active generation says; a node without one has a config that says nothing.
///
/// # Errors
/// When the text cannot be read: nothing checked it before it became the active one.
pub fn documents<C: Reads<MachineConfig>>(view: &View<C>) -> Result<Documents, ActiveError> {
    let Some(config) = view.get::<MachineConfig>(ACTIVE) else {
        return Ok(Documents::default());
    };
    let MachineConfig {
        generation, text, ..
    } = &*config.spec;
    let source = format!("generation {generation}");
    config::parse(&source, text.as_bytes()).map_err(|source| ActiveError {
        generation: *generation,
        source,
    })
}
