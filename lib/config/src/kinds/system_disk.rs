//! `SystemDisk`: the disk the node keeps its own things on.

use derive::Schema;
use serde::{Deserialize, Serialize};

use super::no;
use crate::document::{Kind, kind};
use crate::types::DiskSelector;

/// The disk that is the node's: where it keeps its config, its state and what its workloads leave behind.
///
/// A disk that holds the node's data already is the node's, whatever the document says. Otherwise exactly
/// one disk must fit the selector: with none or several the node takes no disk, and says so. What stands on
/// that disk is left alone unless `wipe` is set. `osctl disks` shows what there is to choose from, and with
/// `--match` what a selector fits.
///
/// A selector is a condition with the grammar of CEL, and sizes:
///
/// | field | is | |
/// |---|---|---|
/// | `size` | a size | compare it with `==` `!=` `<` `<=` `>` `>=` and a whole number of B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB or TiB (of 1024), such as `960GB` |
/// | `model`, `serial`, `wwid` | text | what the maker calls it, its serial number, its world-wide name; empty where the disk does not say |
/// | `bus` | text | `"virtio"`, `"nvme"`, `"ata"`, `"scsi"`, `"usb"`, `"mmc"` or `"other"` |
/// | `bus_path` | text | the innermost PCI address on the way to it, such as `"0000:01:00.0"` |
/// | `name` | text | the kernel's name of it, such as `"sda"`: of this boot only, and another disk's after the next |
/// | `rotational`, `removable` | true or false | stand alone, or behind `!` |
///
/// Texts are compared with `==` and `!=`, letter by letter, and all but `bus` with `.startsWith("...")`,
/// `.endsWith("...")` and `.contains("...")`. Conditions are joined with `&&`, `||`, `!` and parentheses.
/// In YAML a selector that begins with `!`, or has `: ` or ` #` in it, stands in single quotes.
///
/// ```yaml
/// apiVersion: garboard/v1alpha1
/// kind: SystemDisk
/// match: size >= 100GiB && bus == "nvme" && !rotational
/// wipe: false
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SystemDiskConfig {
    /// Which disk it is; exactly one must fit.
    #[serde(rename = "match")]
    pub selector: DiskSelector,
    /// What stands on the disk may go. It is looked at only while the disk holds none of this node's data, so it may
    /// stay in the config.
    #[serde(default = "no")]
    pub wipe: bool,
}

impl Kind for SystemDiskConfig {
    kind!(SystemDisk);
}
