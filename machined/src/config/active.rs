//! The active generation as a resource: how controllers learn the config.

use config::{Documents, Problems};
use resources::config::MachineConfig;

/// The resource holds a text that is no config.
#[derive(Debug, thiserror::Error)]
#[error("read config generation {generation}")]
pub struct ActiveError {
    generation: u64,
    #[source]
    source: Problems,
}

/// What the resource says; a node without one has a config that says nothing.
///
/// # Errors
/// When the text cannot be read: nothing checked it before it became the active one.
pub fn documents(config: Option<&MachineConfig>) -> Result<Documents, ActiveError> {
    let Some(config) = config else {
        return Ok(Documents::default());
    };
    let source = format!("generation {}", config.generation);
    config::parse(&source, config.text.as_bytes()).map_err(|source| ActiveError {
        generation: config.generation,
        source,
    })
}
