//! The control plane as it was when an API server answered last, on the disk.
//!
//! The file is written whole and read strictly. One that is damaged, too long or of another cluster is as good as none: the
//! endpoint of the config is there without it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::Path;

use ::config::Hostname;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{Disk, DiskError, Files};

/// The file, and what it is called until it is whole.
const FILE: &str = "control-planes.json";
const UNFINISHED: &str = "unfinished";

/// More than any cluster has: etcd gets slower with each member, and seven are many.
const MOST: usize = 16;
/// The most addresses of one that are of use.
const MOST_ADDRESSES: usize = 8;
/// So many control planes with such addresses are shorter by far.
const LONGEST: usize = 16 << 10;

/// Nodes of the control plane, and where each is reached.
pub(super) type Planes = BTreeMap<Hostname, BTreeSet<IpAddr>>;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    /// Of which cluster: a node may be given to another one.
    endpoint: String,
    control_planes: Planes,
}

/// Why a file is of no use.
#[derive(Debug, Error)]
enum ReadError {
    #[error("reading it")]
    Read(#[source] io::Error),
    #[error("it has {0} bytes, which is too long for what it is for")]
    Long(usize),
    #[error("it is damaged")]
    Damaged(#[from] serde_json::Error),
    #[error("it names more nodes or addresses than a control plane has")]
    Many,
}

/// Nothing can be kept.
#[derive(Debug, Error)]
pub(super) enum KeepError {
    #[error("keeping the control plane")]
    Folder(#[from] DiskError),
    #[error("keeping the control plane in {FILE}")]
    Keep(#[source] io::Error),
}

/// Whether there is something to forget in a folder.
pub(super) fn is_in(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// As many as are kept of what there may be.
pub(super) fn bounded(planes: Planes) -> Planes {
    let few = |it: BTreeSet<IpAddr>| it.into_iter().take(MOST_ADDRESSES).collect::<BTreeSet<_>>();
    let planes = planes.into_iter().take(MOST);
    planes.map(|(name, it)| (name, few(it))).collect()
}

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Kept {
    files: Disk,
    content: Option<Content>,
}

impl Kept {
    /// Keeps it in `folder`, made if it is not there.
    pub(super) fn open(folder: &Path) -> Result<Self, KeepError> {
        let files = Disk::open(folder)?;
        let content = read(&files).unwrap_or_else(|error| {
            let error = cosi::report(&error);
            tracing::warn!(error, "the control plane that was known is forgotten");
            None
        });
        Ok(Self { files, content })
    }

    /// The control plane of the cluster with this endpoint, as it was.
    pub(super) fn of(&self, endpoint: &str) -> Planes {
        let content = self.content.as_ref();
        let content = content.filter(|it| it.endpoint == endpoint);
        content
            .map(|it| it.control_planes.clone())
            .unwrap_or_default()
    }

    /// Keeps another one. When it returns, a node that starts again knows it: the old file or the new one, whenever the power goes.
    pub(super) fn keep(&mut self, endpoint: &str, planes: &Planes) -> Result<(), KeepError> {
        let content = Content {
            endpoint: endpoint.to_owned(),
            control_planes: planes.clone(),
        };
        if self.content.as_ref() == Some(&content) {
            return Ok(());
        }
        let mut write = || {
            let bytes = serde_json::to_vec(&content).map_err(io::Error::other)?;
            self.files.write(UNFINISHED, &bytes)?;
            self.files.rename(UNFINISHED, FILE)?;
            self.files.sync()
        };
        write().map_err(KeepError::Keep)?;
        self.content = Some(content);
        Ok(())
    }

    /// Forgets it.
    pub(super) fn forget(&mut self) -> Result<(), KeepError> {
        match self.files.remove(FILE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(KeepError::Keep(error));
            }
            _ => {}
        }
        self.content = None;
        self.files.sync().map_err(KeepError::Keep)
    }
}

fn read(files: &Disk) -> Result<Option<Content>, ReadError> {
    match files.read(FILE) {
        Ok(bytes) => parse(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReadError::Read(error)),
    }
}

fn parse(bytes: &[u8]) -> Result<Content, ReadError> {
    if bytes.len() > LONGEST {
        return Err(ReadError::Long(bytes.len()));
    }
    let content: Content = serde_json::from_slice(bytes)?;
    if bounded(content.control_planes.clone()) != content.control_planes {
        return Err(ReadError::Many);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "https://10.5.0.2:6443";

    fn planes(last: u8) -> Planes {
        let addresses = ["10.5.0.2", "fd00::2"].map(|it| it.parse().unwrap());
        let other = IpAddr::from([10, 5, 0, last]);
        [
            ("cp-1".parse().unwrap(), addresses.into()),
            ("cp-2".parse().unwrap(), [other].into()),
        ]
        .into()
    }

    #[test]
    fn a_node_that_starts_again_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Kept::open(&folder.path().join("kubernetes")).unwrap();
        assert!(open().of(ENDPOINT).is_empty());
        open().keep(ENDPOINT, &planes(3)).unwrap();
        open().keep(ENDPOINT, &planes(4)).unwrap();
        assert_eq!(open().of(ENDPOINT), planes(4));
        assert!(open().of("https://10.9.0.2:6443").is_empty());
        open().forget().unwrap();
        assert!(open().of(ENDPOINT).is_empty());
        open().forget().unwrap();
    }

    #[test]
    fn what_was_cut_short_while_it_was_written_is_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Kept::open(folder.path()).unwrap();
        open().keep(ENDPOINT, &planes(3)).unwrap();
        std::fs::write(folder.path().join(UNFINISHED), r#"{"endpoint": "#).unwrap();
        assert_eq!(open().of(ENDPOINT), planes(3));
        open().keep(ENDPOINT, &planes(4)).unwrap();
        assert_eq!(open().of(ENDPOINT), planes(4));
    }

    #[test]
    fn a_file_that_is_not_as_it_should_be_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let many = (0..=MOST_ADDRESSES).map(|it| format!("\"10.5.0.{it}\""));
        let many = many.collect::<Vec<_>>().join(",");
        let with =
            |planes: &str| format!(r#"{{"endpoint":"{ENDPOINT}","controlPlanes":{planes}}}"#);
        let good = with(r#"{"cp-1": ["10.5.0.2"]}"#);
        assert_eq!(parse(good.as_bytes()).unwrap().control_planes.len(), 1);
        for bad in [
            String::new(),
            good[..good.len() - 1].to_owned(),
            with(r#"{"cp-1": ["10.5.0.256"]}"#),
            with(r#"{"../x": ["10.5.0.2"]}"#),
            with(r#"{"cp-1": ["cp-1.example.org"]}"#),
            with(&format!(r#"{{"cp-1": [{many}]}}"#)),
            good.replace("controlPlanes", "nodes"),
            format!("{good}{}", " ".repeat(LONGEST)),
        ] {
            std::fs::write(folder.path().join(FILE), &bad).unwrap();
            let mut kept = Kept::open(folder.path()).unwrap();
            assert!(kept.of(ENDPOINT).is_empty(), "{bad}");
            kept.keep(ENDPOINT, &planes(3)).unwrap();
        }
    }
}
