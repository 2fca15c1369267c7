//! The node's own partitions on its system disk.

mod guid;
mod layout;
mod meta;
mod plan;
mod table;
