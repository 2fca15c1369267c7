//! Which bundles are mounted.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::mount::table::Mounted;

/// The file system of a bundle.
pub(super) const KIND: &str = "squashfs";

/// The names of the mounts in the folder. What is of another kind is somebody else's.
pub(super) fn below(shelf: &Path, mounts: &[Mounted]) -> BTreeSet<String> {
    let ours = mounts.iter().filter(|it| it.mount.filesystem == KIND);
    let names = ours.filter_map(|it| it.target.strip_prefix(shelf).ok()?.to_str());
    let names = names.filter(|name| !name.is_empty() && !name.contains('/'));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use resources::block::Mount;

    use super::*;

    #[test]
    fn only_what_is_mounted_right_there_counts() {
        let mounted = |target: &str, filesystem: &str| Mounted {
            target: target.into(),
            mount: Mount {
                filesystem: filesystem.to_owned(),
                ..Mount::default()
            },
        };
        let mounts = [
            mounted("/run/bundles/vdb", KIND),
            mounted("/run/bundles/vdb", KIND),
            mounted("/run/bundles/mine", "tmpfs"),
            mounted("/run/bundles/vdc/deeper", KIND),
            mounted("/run/bundles", KIND),
            mounted("/", KIND),
        ];
        let names = below(Path::new("/run/bundles"), &mounts);
        assert_eq!(names, ["vdb".to_owned()].into());
    }
}
