//! The Go programs of a node: how each is pinned, built and checked.
//!
//! Under `image/go/` every program, and of Kubernetes every minor version, is a Go module of ours that holds no Go: it
//! requires upstream's modules at a version and names the packages to build. As Go ignores what a required module says
//! about replacements, these are repeated there; `pin` writes them from upstream's own `go.mod`, `check` holds every
//! built program to it. The compiler is pinned too, and what is built is kept in the cache under a name that holds the
//! hash of all that shapes it.

pub mod build;
pub mod buildinfo;
pub mod check;
pub mod commands;
pub mod modfile;
pub mod pin;
pub mod programs;
pub mod progress;
pub mod sums;
pub mod table;
pub mod toolchain;
