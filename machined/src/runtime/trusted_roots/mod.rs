//! The certificate authorities that the node believes when it asks others.

pub mod apply;
pub mod config;
