//! The addresses others reach this node by.

pub mod status;
