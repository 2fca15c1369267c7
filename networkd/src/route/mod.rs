//! Routes: the merged specs into the kernel's tables, and what those hold into statuses.

pub mod apply;
pub mod plan;
pub mod status;
