//! Modules the config asks for, beyond those that devices and the kernel itself ask for (`devices`).

pub mod apply;
pub mod config;
mod judge;
mod loader;

#[cfg(test)]
mod tests;
