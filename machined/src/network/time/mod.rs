//! The node's clock: whose time it goes by, and how it is brought there.
//!
//! ```text
//! TimeSpecs --config, merge--> TimeSpec --time_server--> TimeServerSpecs --> networkd asks
//! TimeServerStatuses --estimate--> readings --select--> agreement --discipline--> order --apply--> kernel
//! ```
//!
//! Everything but `apply` and `keep` is pure. docs/adr/0008-time.md says why it is cut this way.

pub mod apply;
pub mod config;
pub mod discipline;
pub mod estimate;
pub mod keep;
pub mod kernel;
pub mod merge;
pub mod select;

#[cfg(test)]
mod tests;
