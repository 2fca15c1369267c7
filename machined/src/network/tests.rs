//! The network's pure half as a whole: from documents and observations to merged specs.

mod chain;
mod wanted;
mod winners;
