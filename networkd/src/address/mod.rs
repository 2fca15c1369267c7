//! Addresses: the merged specs onto links, and what links have into statuses.

pub mod apply;
pub mod plan;
pub mod status;
