//! Settings of the kernel below `/proc/sys`: the config's wishes, kept.
//!
//! Applied here and not by networkd, the network's among them: most need root. What was there before is kept in a
//! file under `/run`, which lives as long as the kernel that the values are in: it survives our death, and a restart
//! of the machine undoes both.

pub mod apply;
pub mod config;
mod kept;
mod step;

#[cfg(test)]
mod tests;
