//! What the API port presents: follows the config, the name and the addresses.

pub mod apply;

#[cfg(test)]
mod tests;
