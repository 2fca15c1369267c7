//! Device nodes that must exist before their driver is loaded: opening one is what loads it.
//!
//! Owns: parsing `modules.devname`. Never makes a node.

use super::canonical_name;

/// One such node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceNode {
    /// The module that serves it.
    pub module: String,
    /// The node below `/dev`.
    pub name: String,
    /// Whether it is a block device.
    pub block: bool,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
}

/// The nodes in the text of `modules.devname`. Lines of another form are passed over.
pub fn device_nodes(text: &str) -> impl Iterator<Item = DeviceNode> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let (module, name, numbers) = (words.next()?, words.next()?, words.next()?);
            let (kind, numbers) = numbers.split_at_checked(1)?;
            let (major, minor) = numbers.split_once(':')?;
            Some(DeviceNode {
                module: canonical_name(module),
                name: name.to_owned(),
                block: kind == "b",
                major: major.parse().ok()?,
                minor: minor.parse().ok()?,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_depmod_writes() {
        let text = "# Device nodes to trigger on-demand module loading.\nfuse fuse c10:229\n\
                    loop loop-control c10:237\nbad line\nx y \u{e4}1:2\n";
        let nodes: Vec<_> = device_nodes(text).collect();
        assert_eq!(nodes.len(), 2);
        let node = &nodes[1];
        assert_eq!(
            (node.name.as_str(), node.major, node.minor, node.block),
            ("loop-control", 10, 237, false)
        );
    }
}
