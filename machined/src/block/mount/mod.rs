//! What is mounted: as the kernel's table says, as resources.

pub mod status;
pub mod table;
