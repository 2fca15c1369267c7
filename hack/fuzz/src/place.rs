//! Where inputs lie.

use std::path::{Path, PathBuf};

use fuzz::Target;

/// The inputs of a target that are kept in the repository.
pub(crate) fn kept(target: &Target) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("corpus").join(target.name);
    let also = target
        .also
        .iter()
        .map(|folder| root.join("../..").join(folder));
    std::iter::once(own).chain(also).collect()
}

/// Where a target's run leaves what it found.
pub(crate) fn found(engine: &Path, target: &Target) -> PathBuf {
    // The engine lies in TARGET-FOLDER/PROFILE.
    let build = engine.ancestors().nth(2).unwrap_or(Path::new("target"));
    build.join("fuzz").join(target.name)
}
