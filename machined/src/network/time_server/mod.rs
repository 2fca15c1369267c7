//! The addresses that are asked for the time; networkd asks them.

pub mod config;

#[cfg(test)]
mod tests;
