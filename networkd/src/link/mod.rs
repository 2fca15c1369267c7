//! Links: administrative state and MTU from specs, everything else into statuses.

pub mod apply;
pub mod device;
pub mod plan;
pub mod status;
