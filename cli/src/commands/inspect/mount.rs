//! Filesystems and how full they are.

use api::v1alpha1 as v1;
use serde::Serialize;

use super::Row;
use crate::output::size;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount {
    target: String,
    source: String,
    filesystem: String,
    options: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    total_bytes: u64,
    used_bytes: u64,
    available_bytes: u64,
    inodes: u64,
    used_inodes: u64,
}

impl From<v1::Mount> for Mount {
    fn from(said: v1::Mount) -> Self {
        Self {
            target: said.target,
            source: said.source,
            filesystem: said.filesystem,
            options: said.options,
            usage: said.usage.map(|usage| Usage {
                total_bytes: usage.total_bytes,
                used_bytes: usage.used_bytes,
                available_bytes: usage.available_bytes,
                inodes: usage.inodes,
                used_inodes: usage.used_inodes,
            }),
        }
    }
}

impl Usage {
    /// Of what programs can have, in whole percent, rounded up as df does: full is never called less.
    fn percent(self) -> u64 {
        let reachable = u128::from(self.used_bytes) + u128::from(self.available_bytes);
        let percent = (u128::from(self.used_bytes) * 100).div_ceil(reachable.max(1));
        u64::try_from(percent).unwrap_or(100)
    }
}

impl Row for Mount {
    const HEADINGS: &'static [&'static str] =
        &["TARGET", "SOURCE", "TYPE", "SIZE", "AVAILABLE", "USE"];

    fn cells(&self) -> Vec<String> {
        let [total, available, percent] = match self.usage {
            Some(usage) => [
                size(usage.total_bytes),
                size(usage.available_bytes),
                format!("{}%", usage.percent()),
            ],
            None => Default::default(),
        };
        vec![
            self.target.clone(),
            self.source.clone(),
            self.filesystem.clone(),
            total,
            available,
            percent,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_filesystem_is_called_full() {
        let usage = |used_bytes, available_bytes| Usage {
            total_bytes: 0,
            used_bytes,
            available_bytes,
            inodes: 0,
            used_inodes: 0,
        };
        assert_eq!(usage(999, 1).percent(), 100);
        assert_eq!(usage(500, 500).percent(), 50);
        assert_eq!(usage(0, 1000).percent(), 0);
        assert_eq!(usage(0, 0).percent(), 0);
        assert_eq!(usage(u64::MAX, 0).percent(), 100);
    }
}
