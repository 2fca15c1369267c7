//! Packets of pods leave the node in its own name.
//!
//! By the program `nft`, which is in the root for the network's plugins anyway: one table of ours, put into the kernel whole or not at all,
//! and nothing of anybody else's touched. Rules carry no tag of whose they are, so the table's name is what tells ours.

pub mod apply;
mod nft;
mod table;

#[cfg(test)]
mod tests;
